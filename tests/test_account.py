"""What happens to an account happens to its sessions, by whatever route."""

from io import StringIO
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.test import Client

from devices.models import DeviceSession
from tests.client import PASSWORD

User = get_user_model()


def _deactivate_by_save(user):
    user.is_active = False
    user.save()


def _deactivate_by_update(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def _deactivate_by_sql(user):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_active = %s WHERE id = %s", [False, user.pk])


def _activate_by_sql(user):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_active = %s WHERE id = %s", [True, user.pk])


DEACTIVATIONS = [_deactivate_by_save, _deactivate_by_update, _deactivate_by_sql]


def assert_dead(device, code="session_revoked"):
    me = device.get("/api/me")
    assert (me.status_code, me.json()["code"]) == (401, code)
    refresh = device.refresh()
    assert (refresh.status_code, refresh.json()["code"]) == (401, code)
    for token in (device.access, device.refresh_token):
        assert device.post("/api/token/verify", {"token": token}).status_code == 401
    answer = device.post("/api/token/blacklist", {"refresh": device.refresh_token})
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("deactivate", DEACTIVATIONS)
def test_A13_a_deactivated_user_is_out_at_the_next_request(alice, sign_in, deactivate):
    phone = sign_in(alice)
    deactivate(alice)
    assert_dead(phone)
    assert DeviceSession.objects.get().revoke_reason == "deactivated"


@pytest.mark.parametrize("deactivate", DEACTIVATIONS)
def test_A13_activating_again_brings_no_old_token_back(alice, sign_in, deactivate):
    phone, laptop = sign_in(alice), sign_in(alice)
    deactivate(alice)
    # No request in between: nobody but the database has seen that the account was inactive.
    _activate_by_sql(alice)
    assert_dead(phone)
    fresh = sign_in(alice)
    assert fresh.is_in()
    assert [row["id"] for row in fresh.get("/api/sessions").json()] == [fresh.session_id]
    assert_dead(laptop)


def test_A13_an_inactive_user_gets_no_tokens(alice, sign_in):
    _deactivate_by_update(alice)
    with pytest.raises(AssertionError, match="no_active_account"):
        sign_in(alice)


def _change_by_set_password(user):
    user.set_password("another horse, another battery")
    user.save()


def _change_by_update(user):
    other = User(email="x")
    other.set_password("another horse, another battery")
    User.objects.filter(pk=user.pk).update(password=other.password)


def _change_to_unusable(user):
    user.set_unusable_password()
    user.save(update_fields=["password"])


def _change_by_command(user):
    with mock.patch("getpass.getpass", return_value="another horse, another battery"):
        call_command("changepassword", user.email, stdout=StringIO())


def _change_by_admin(user):
    User.objects.create_superuser("root@example.org", PASSWORD)
    browser = Client()
    assert browser.login(username="root@example.org", password=PASSWORD)
    passwords = dict.fromkeys(("password1", "password2"), "another horse, another battery")
    page = f"/admin/accounts/user/{user.pk}/password/"
    answer = browser.post(page, {**passwords, "usable_password": "true"})
    assert answer.status_code == 302


CHANGES = [
    _change_by_set_password,
    _change_by_update,
    _change_to_unusable,
    _change_by_command,
    _change_by_admin,
]


@pytest.mark.parametrize("change", CHANGES)
def test_A18_a_changed_password_ends_every_session(alice, sign_in, change):
    phone, laptop = sign_in(alice), sign_in(alice)
    change(alice)
    assert_dead(phone)
    assert_dead(laptop)
    reasons = DeviceSession.objects.filter(user=alice).values_list("revoke_reason", flat=True)
    assert set(reasons) == {"password_changed"}


def test_A12_the_tokens_of_a_deleted_user_are_worth_nothing(alice, sign_in):
    phone = sign_in(alice)
    alice.delete()
    assert_dead(phone, code="token_not_valid")


def test_a_new_user_with_the_address_of_a_deleted_one_inherits_nothing(alice, make_user, sign_in):
    phone = sign_in(alice)
    email = alice.email
    alice.delete()
    make_user(email)
    assert_dead(phone, code="token_not_valid")


def test_saving_something_else_about_a_user_ends_nothing(alice, sign_in):
    phone = sign_in(alice)
    alice.is_staff = True
    alice.save()
    assert phone.is_in()


class BetterHasher(PBKDF2PasswordHasher):
    algorithm = "pbkdf2_better"
    iterations = 3


def test_a_password_hashed_anew_by_a_better_hasher_ends_nothing(alice, sign_in, settings):
    phone = sign_in(alice)
    settings.PASSWORD_HASHERS = [
        f"{__name__}.BetterHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    laptop = sign_in(alice)
    alice.refresh_from_db()
    assert alice.password.startswith("pbkdf2_better$3$")
    assert phone.is_in()
    assert laptop.is_in()
    assert phone.rotate().is_in()
