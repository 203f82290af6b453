"""Staff who end a set, beside everybody else; and counts that several make at once. On PostgreSQL."""

import threading

import pytest
import time_machine
from django.db import connection, transaction

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import counters, failures
from devices.core.staff import bulk_revocation
from devices.models import DeviceSession, EventCounter, FailedLogin, RevokeReason
from tests.client import CHROME

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


class Aside(threading.Thread):
    """Something done on a connection of its own; `join` raises what went wrong there."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self.act, self.error = act, None
        self.start()

    def run(self):
        try:
            self.act()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()

    def join(self, timeout=20):
        super().join(timeout)
        assert not self.is_alive(), "it hangs"
        if self.error:
            raise self.error


@pytest.fixture
def clerk(make_user):
    return make_user("clerk@example.org", is_staff=True)


def test_a_batch_waits_for_nobody_before_the_others_have_ended(clerk, alice, bystanders):
    bystanders(alice, 5)
    held, *others = DeviceSession.objects.order_by("pk")
    holds, lets_go = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            DeviceSession.objects.select_for_update().get(pk=held.pk)
            holds.set()
            assert lets_go.wait(20)

    holder = Aside(hold)
    assert holds.wait(20)
    ending = Aside(lambda: bulk_revocation.revoke(DeviceSession.objects.all(), by=clerk, note="x"))
    deadline = threading.Event()
    for _ in range(200):
        if not DeviceSession.objects.filter(pk__in=[each.pk for each in others]).active().exists():
            break
        deadline.wait(0.05)
    still_held = list(DeviceSession.objects.active())
    lets_go.set()
    holder.join()
    ending.join()
    assert still_held == [held]
    assert not DeviceSession.objects.active().exists()


def test_A19_ending_everybody_beside_logins_and_sign_outs_ends_without_a_circle(
    clerk, make_user, bystanders, settings
):
    settings.DEVICES = {"MAX_SESSIONS": 5}
    people = [make_user(f"p{n}@example.org") for n in range(6)]
    for user in people:
        bystanders(user, 5)
    before = set(DeviceSession.objects.values_list("pk", flat=True))
    is_over = threading.Event()

    def live(user):
        while not is_over.is_set():
            sessions.start(user, Client("192.0.2.9", CHROME))
            sessions.revoke_all(user, reason=RevokeReason.USER_ALL, by=user)

    def end(note):
        bulk_revocation.revoke(DeviceSession.objects.all(), by=clerk, note=note)

    others = [Aside(lambda user=user: live(user)) for user in people[:3]]
    enders = [Aside(lambda n=n: [end(f"{n}.{m}") for m in range(8)]) for n in range(2)]
    for each in enders:
        each.join(60)
    is_over.set()
    for each in others:
        each.join()
    assert not DeviceSession.objects.filter(pk__in=before, revoked_at__isnull=True).exists()


def test_failures_that_come_at_once_are_all_counted(db, monkeypatch):
    monkeypatch.setattr(counters, "SHARDS", 2)
    together = threading.Barrier(8)

    def fail():
        together.wait(20)
        for _ in range(10):
            counters.count("login.failed")

    for each in [Aside(fail) for _ in range(8)]:
        each.join()
    assert sum(EventCounter.objects.values_list("count", flat=True)) == 80


def test_failures_that_come_at_once_are_one_line_that_counts_all(db):
    together = threading.Barrier(8)

    def fail():
        together.wait(20)
        for _ in range(10):
            failures.record("login.failed", None, "203.0.113.7")

    # All of them in one quarter of an hour.
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        for each in [Aside(fail) for _ in range(8)]:
            each.join()
    assert FailedLogin.objects.get().count == 80
