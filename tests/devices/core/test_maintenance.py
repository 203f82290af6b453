"""What goes by itself on a site without a scheduler."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices import receivers
from devices.core import database, maintenance, sessions
from devices.core.clients.client import Client
from devices.core.log import counters
from devices.core.notifications import worker
from devices.models import (
    Activity,
    DeviceSession,
    EventCounter,
    LoginHistory,
    LoginThrottle,
    Notification,
    RevokeReason,
)
from tests.client import Device

YEARS = 3 * 365 * 24 * 3600
KINDS = (DeviceSession, Activity, LoginThrottle, LoginHistory, Notification, EventCounter)


@pytest.fixture
def remains(alice, clock):
    """A row of each kind that was done with years ago."""
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    phone = Device().sign_in(alice.email)
    sessions.revoke(DeviceSession.objects.get(pk=phone.session_id), reason=RevokeReason.USER)
    counters.count("login.failed")
    Notification.objects.create(
        user=alice, kind="new_device", data={}, created_at=timezone.now(),
        due_at=timezone.now(), done_at=timezone.now(),
    )  # fmt: skip
    assert all(kind.objects.exists() for kind in KINDS)
    clock.shift(YEARS)


def rows():
    return {kind.__name__: n for kind in KINDS if (n := kind.objects.count())}


def test_each_kind_of_row_goes_past_its_retention(remains):
    maintenance.tidy()
    assert rows() == {}


def test_what_is_not_due_stays(alice):
    sessions.start(alice, Client())
    before = rows()
    maintenance.tidy()
    assert rows() == before


def test_a_round_is_short(alice, clock, monkeypatch):
    monkeypatch.setattr(maintenance, "BATCH", 2)
    monkeypatch.setattr(maintenance, "BATCHES", 2)
    ended = timezone.now() - timedelta(days=3 * 365)
    for _ in range(6):
        sessions.start(alice, Client())
    DeviceSession.objects.update(revoked_at=ended, revoke_reason=RevokeReason.USER)
    Activity.objects.all().delete()
    maintenance.tidy()
    assert DeviceSession.objects.count() == 2
    maintenance.tidy()
    assert DeviceSession.objects.count() == 0


def test_what_sends_mails_does_it_hourly_in_each_schema(db, monkeypatch):
    [task] = [task for task in worker.huey._registry.periodic_tasks
              if task.name == "devices.upkeep"]  # fmt: skip
    when = [minute for minute in range(60) if task.validate_datetime(
        timezone.now().replace(hour=3, minute=minute))]  # fmt: skip
    assert len(when) == 1
    done = []
    monkeypatch.setattr(database, "each_schema", lambda: iter(["a", "b"]))
    monkeypatch.setattr(maintenance, "tidy", lambda: done.append("tidied"))
    monkeypatch.setattr(worker, "put_connections_back", lambda: done.append("put back"))
    receivers.HOURLY.call_local()
    assert done == ["tidied", "tidied", "put back"]
