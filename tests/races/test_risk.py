"""Many at once: one mail is sent, one answer counts, and what two logins bring along is both learned."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connection, connections
from django.utils import timezone

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.notifications import outbox
from devices.exceptions import ReviewLinkSpent
from devices.models import Activity, DeviceSession, LoginHistory, NotificationKind
from tests.client import CHROME, FIREFOX

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 8


@pytest.fixture(autouse=True)
def real_locks():
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")


def together(call):
    gate = threading.Barrier(MANY)

    def one(n):
        connection.ensure_connection()
        gate.wait()
        try:
            return call(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def test_R05_of_many_workers_one_sends_the_mail(make_user, rounds):
    alice = make_user()
    for n in rounds(50):
        notice = outbox.write(
            alice.pk, NotificationKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()}
        )
        together(lambda _: outbox.send(notice.pk))
        assert len(mail.outbox) == n + 1


def test_A40_of_many_clicks_at_once_one_yes_and_one_no_count(make_user, rounds):
    alice = make_user()
    for _ in rounds(50):
        session = sessions.start(alice, Client("10.0.0.1", FIREFOX))

        def click(n):
            try:
                return sessions.review(session.pk, is_mine=n % 2 == 0)
            except ReviewLinkSpent:
                return None

        together(click)
        said = Activity.objects.filter(session_id=session.pk, kind="session.reviewed")
        # Somebody said no, which holds whoever said yes before.
        assert [line.data["mine"] for line in said.order_by("id")] in ([False], [True, False])
        session.refresh_from_db()
        assert session.revoke_reason == "not_me"


def test_what_logins_at_once_bring_along_is_all_learned(make_user, rounds):
    for n in rounds(50):
        alice = make_user(f"alice{n}@example.org")
        sessions.start(alice, Client("10.0.0.1", CHROME, app_id="first"))
        together(
            lambda n, alice=alice: sessions.start(
                alice, Client(f"10.{n + 1}.0.1", CHROME, app_id=f"app {n}")
            )
        )
        data = LoginHistory.objects.get(user=alice).data
        assert len(data["devices"]) == len(data["networks"]) == MANY + 1
        assert DeviceSession.objects.filter(user=alice).count() == MANY + 1
