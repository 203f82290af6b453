"""`all_sessions_revoked`, by which a project ends what else signs a user in."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from devices import account, shortcuts, signals
from devices.core import sessions
from devices.models import RevokeReason
from tests.client import PASSWORD


@pytest.fixture
def told():
    """The reasons that were told, and of whom."""
    heard = []

    def receive(user, reason, **kwargs):
        heard.append((user.pk, reason))

    signals.all_sessions_revoked.connect(receive)
    yield heard
    signals.all_sessions_revoked.disconnect(receive)


@pytest.mark.django_db(transaction=True)
def test_all_sessions_end_also_where_there_are_none(alice, told):
    assert shortcuts.end_all_sessions(alice) == 0
    assert told == [(alice.pk, "user_all")]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        shortcuts.end_all_sessions(alice, reason=RevokeReason.NOT_ME)
        raise ZeroDivisionError
    assert len(told) == 1


@pytest.mark.django_db(transaction=True)
def test_all_sessions_end_by_the_api_and_the_page(alice, sign_in, told):
    phone = sign_in(alice)
    assert phone.post("/api/sessions/revoke-all").status_code == 200
    assert told == [(alice.pk, "user_all")]
    browser = Browser()
    browser.force_login(alice)
    browser.post("/devices/sign-out-others/", {"password": PASSWORD})
    assert told == [(alice.pk, "user_all")] * 2


@pytest.mark.django_db(transaction=True)
def test_all_sessions_end_with_a_new_password_and_the_account(alice, sign_in, told):
    phone = sign_in(alice)
    new = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
    assert phone.post("/api/me/password", new).status_code in {200, 204}
    assert told == [(alice.pk, "password_changed")]
    alice.refresh_from_db()
    alice.is_active = False
    alice.save()
    assert told[1:] == [(alice.pk, "deactivated")]
    User.objects.filter(pk=alice.pk).update(is_active=True)
    alice.refresh_from_db()
    account.account_changed(alice)
    assert told[2:] == [(alice.pk, "password_changed")]


@pytest.mark.django_db(transaction=True)
def test_all_sessions_go_on_with_another_name_another_hash_and_one_end(
    alice, sign_in, told, settings
):
    phone = sign_in(alice)
    alice.refresh_from_db()
    alice.save()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    before = alice.password
    assert sign_in(alice).is_in()
    alice.refresh_from_db()
    assert alice.password != before
    assert phone.post("/api/logout").status_code == 204
    sessions.revoke_all(
        alice, reason=RevokeReason.ADMIN, idle_since=timezone.now() - timedelta(days=1)
    )
    assert told == []
