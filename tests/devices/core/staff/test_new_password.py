"""A new password that staff require: of whom, and what it leaves."""

import pytest
from django.core.exceptions import PermissionDenied

from devices.core.staff import accounts
from devices.models import DeviceSession
from tests.client import PASSWORD


def test_of_nobody_above_and_nothing_is_done_then(make_user, sign_in):
    clerk = make_user("clerk@example.org", is_staff=True)
    boss = make_user("boss@example.org", is_staff=True, is_superuser=True)
    phone = sign_in(boss)
    with pytest.raises(PermissionDenied):
        accounts.require_new_password(boss, by=clerk, note="x")
    assert phone.is_in()
    boss.refresh_from_db()
    assert boss.check_password(PASSWORD)


def test_what_begins_meanwhile_under_the_old_password_ends_too(make_user, sign_in, monkeypatch):
    clerk, alice = make_user("clerk@example.org", is_staff=True), make_user("alice@example.org")
    revoke, late = accounts.bulk_revocation.revoke, []

    def revoke_then_let_in(*args, **kwargs):
        done = revoke(*args, **kwargs)
        late.append(sign_in(alice))
        return done

    monkeypatch.setattr(accounts.bulk_revocation, "revoke", revoke_then_let_in)
    accounts.require_new_password(alice, by=clerk, note="x")
    assert not late[0].is_in()
    assert not DeviceSession.objects.active().filter(user=alice, revoked_at=None).exists()
