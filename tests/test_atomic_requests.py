"""A host project with ATOMIC_REQUESTS: the answer 401 rolls no revocation back."""

import pytest
from django.db import connection

from accounts.models import User
from devices.models import Activity, DeviceSession


@pytest.fixture(autouse=True)
def atomic_requests(transactional_db, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def me(device):
    return device.get("/api/me")


def refresh(device):
    return device.refresh()


def verify(device):
    return device.post("/api/token/verify", {"token": device.access})


def test_A46_a_replay_ends_the_session_for_good(alice, sign_in):
    phone = sign_in(alice)
    stolen = phone.refresh_token
    phone.rotate().rotate()
    assert phone.refresh(stolen).json()["code"] == "refresh_reused"
    assert DeviceSession.objects.get().revoke_reason == "reuse"
    assert Activity.objects.filter(kind="refresh.reused").count() == 1
    assert phone.refresh().json()["code"] == "session_revoked"
    assert not phone.is_in()


@pytest.mark.parametrize("ask", [me, refresh, verify])
@pytest.mark.parametrize(
    ("change", "reason"),
    [({"is_active": False}, "deactivated"), ({"password": "!"}, "password_changed")],
    ids=["deactivated", "password"],
)
def test_A46_what_the_account_ended_is_written_down(alice, sign_in, ask, change, reason):
    phone = sign_in(alice)
    User.objects.filter(pk=alice.pk).update(**change)
    assert ask(phone).status_code == 401
    assert DeviceSession.objects.get().revoke_reason == reason
    # Even as it was before, the account brings nothing back.
    User.objects.filter(pk=alice.pk).update(is_active=True, password=alice.password)
    assert not phone.is_in()
    assert phone.refresh().status_code == 401
