"""What is deleted, when, and in which steps."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.core.retention import cleanup
from devices.models import Activity, DeviceSession, RevokeReason
from tests.plans import prefer_indexes
from tests.transactions import holding

DAY = 24 * 3600
needs_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="row locks need PostgreSQL (DATABASE_URL)"
)


@pytest.fixture
def start(alice):
    return lambda: sessions.start(alice, Client())


@pytest.fixture
def crowd(start, clock):
    """Sessions of every kind of ending, six of which are due; the three that are still in use."""
    for _ in range(2):
        sessions.revoke(start(), reason=RevokeReason.USER)
    [start() for _ in range(3)]  # never used again: expired for longer than the retention
    clock.shift(45 * DAY)
    start()  # never used again: expired, but not for so long
    clock.shift(32 * DAY)
    for _ in range(4):
        sessions.revoke(start(), reason=RevokeReason.USER)
    return [start() for _ in range(3)]


def purge(**options):
    return sum(cleanup.purge(**options))


def test_a_revoked_session_is_kept_for_the_retention_and_no_longer(start, clock, settings):
    settings.DEVICES = {"RETENTION_DAYS": 10}
    sessions.revoke(start(), reason=RevokeReason.LOGOUT)
    clock.shift(10 * DAY)
    assert purge() == 0
    clock.shift(1)
    assert purge() == 1


def test_an_expired_session_is_kept_for_the_retention_and_no_longer(start, clock, settings):
    settings.DEVICES = {"RETENTION_DAYS": 10, "INACTIVE_DAYS": 1000}
    start()
    clock.shift(30 * DAY + 10 * DAY)
    assert purge() == 0
    clock.shift(1)
    assert purge() == 1


def test_a_session_that_nobody_came_back_to_goes_although_it_has_not_expired(start, clock):
    start()
    clock.shift(7 * DAY)
    assert purge(inactive=timedelta(days=7)) == 0
    clock.shift(1)
    assert purge(inactive=timedelta(days=7)) == 1


def test_a_session_in_use_survives_whatever_its_age(alice, sign_in, clock):
    device = sign_in(alice)
    for _ in range(14):  # close to SESSION_MAX_AGE, so that it expires soon
        clock.shift(6 * DAY)
        device.rotate()
    assert purge(inactive=timedelta(days=7)) == 0
    assert device.is_in()


def test_the_log_of_a_deleted_session_stays(start, clock):
    session = start()
    clock.shift(365 * DAY)
    assert purge() == 1
    assert Activity.objects.filter(session_id=session.pk, kind="session.started").exists()


def test_a_line_of_the_log_is_kept_for_its_retention_and_no_longer(start, clock, settings):
    settings.DEVICES = {"ACTIVITY_RETENTION_DAYS": 100}
    session = start()
    clock.shift(60)
    activity.record(session, "report.exported", ip_address="203.0.113.7")
    clock.shift(100 * DAY - 60)
    assert cleanup.count_activities() == 0
    clock.shift(1)
    assert cleanup.count_activities() == sum(cleanup.purge_activities()) == 1
    assert [line.kind for line in Activity.objects.all()] == ["report.exported"]
    clock.shift(60)
    assert list(cleanup.purge_activities()) == [1]
    settings.DEVICES = {"ACTIVITY_RETENTION_DAYS": None}
    activity.record(session, "report.exported")
    clock.shift(10_000 * DAY)
    assert (cleanup.count_activities(), list(cleanup.purge_activities())) == (0, [])


def test_lines_of_the_log_go_in_batches_each_by_its_index(start, clock):
    session = start()
    for ip in ("203.0.113.7", None) * 4:
        activity.record(session, "report.exported", ip_address=ip)
    clock.shift(366 * DAY)
    assert list(cleanup.purge_activities(batch_size=3)) == [3, 3, 3]
    with CaptureQueriesContext(connection) as queries:
        assert list(cleanup.purge_activities()) == []
    check_plans(queries, ["devices_act_newest"] * 2)


@pytest.mark.parametrize("inactive", [None, timedelta(days=1), timedelta(days=3650)])
@pytest.mark.parametrize("stretch", [1, 2, 5, 100_000])
def test_the_count_is_what_a_purge_deletes(crowd, inactive, stretch, monkeypatch):
    monkeypatch.setattr(cleanup, "STRETCH", stretch)
    before = DeviceSession.objects.count()
    foretold = cleanup.count(inactive)
    assert purge(inactive=inactive, batch_size=2) == foretold
    assert DeviceSession.objects.count() == before - foretold
    assert cleanup.count(inactive) == 0


def test_what_is_due_goes_and_the_rest_stays(crowd):
    assert purge() == 6
    left = DeviceSession.objects.all()
    assert set(left.active()) == set(crowd)
    assert left.revoked().count() == 4


def test_a_purge_that_is_stopped_goes_on_where_it_was(crowd):
    batches = cleanup.purge(batch_size=1)
    assert [next(batches), next(batches)] == [1, 1]
    batches.close()
    assert cleanup.count() == 4
    assert list(cleanup.purge(batch_size=2)) == [2, 1, 1]


def test_it_rests_after_each_batch_twice_as_long_as_that_took(monkeypatch):
    now, rests = [0.0], []
    monkeypatch.setattr(cleanup.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(cleanup.time, "sleep", rests.append)

    def batches():
        for took in (1, 2, 4):
            now[0] += took
            yield took * 10

    assert list(cleanup.unhurried(batches())) == [10, 20, 40]
    assert rests == [2, 4, 8]


@pytest.mark.parametrize("stretch", [2, 7, 100_000])
def test_rows_of_one_instant_are_all_found(start, clock, stretch, monkeypatch):
    [start() for _ in range(7)]  # the clock stands still
    clock.shift(365 * DAY)
    monkeypatch.setattr(cleanup, "STRETCH", stretch)
    assert list(cleanup.purge(batch_size=3)) == [3, 3, 1]


def test_each_pass_walks_along_its_own_index(db):
    with CaptureQueriesContext(connection) as queries:
        assert purge() == 0
    # Each pass looks for the end of its stretch, then for what is due in it.
    check_plans(queries, ["devices_revoked"] * 2 + ["devices_expiring"] * 4)


def check_plans(queries, indexes):
    """Each SELECT goes along its index, in the order of it."""
    looks = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    prefer_indexes()
    with connection.cursor() as cursor:
        explain = connection.ops.explain_query_prefix()
        plans = []
        for look in looks:
            cursor.execute(f"{explain} {look}")
            plans.append("\n".join(str(row) for row in cursor.fetchall()))
    for plan, index in zip(plans, indexes, strict=True):
        assert index in plan
        assert "Sort" not in plan and "TEMP B-TREE" not in plan


def test_no_statement_looks_at_more_than_a_stretch_however_few_are_due(
    start, clock, settings, monkeypatch
):
    monkeypatch.setattr(cleanup, "STRETCH", 3)
    settings.DEVICES = {"SESSION_MAX_AGE": 10}  # they expire soon, however lately they were used
    for _ in range(7):
        start()
        clock.shift(1)
    (inactive,) = cleanup._passes(timedelta(days=1))[2:]
    assert [stretch.count() for stretch in cleanup._stretches(inactive)] == [3, 3, 1]
    assert inactive.rows.filter(inactive.due).count() == 0


@pytest.mark.parametrize(("turn", "way"), [(0, "revoked_at"), (1, "expires_at")])
def test_every_so_manieth_login_deletes_some_ended_sessions(
    alice, start, clock, monkeypatch, django_capture_on_commit_callbacks, turn, way
):
    monkeypatch.setattr(cleanup, "PER_LOGINS", 4)
    # As where PostgreSQL takes the table for empty, which it was when it was analyzed.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for plan in ("hashagg", "hashjoin", "mergejoin", "material", "sort"):
                cursor.execute(f"SET LOCAL enable_{plan} = off")
    for _ in range(10):
        sessions.revoke(start(), reason=RevokeReason.LOGOUT)
    [start() for _ in range(10)]
    clock.shift(365 * DAY)
    for number in range(cleanup.LOGINS):
        begun = uuid.UUID(int=turn * cleanup.LOGINS + number)
        with CaptureQueriesContext(connection) as queries:
            cleanup.purge_some(begun)
        kinds = [query["sql"].split()[0] for query in queries]
        assert [kind for kind in kinds if kind not in ("SAVEPOINT", "RELEASE")] == (
            ["SELECT", "DELETE"] if number == 0 else []
        )
    left = DeviceSession.objects.filter(revoked_at__isnull=way != "revoked_at")
    assert (left.count(), DeviceSession.objects.count()) == (6, 16)
    monkeypatch.setattr(cleanup, "LOGINS", 1)
    # The first after a year is news to be written down, which is enough for one login.
    for expected in (16 + 1, 16 + 2 - 4):
        with django_capture_on_commit_callbacks(execute=True):
            start()
        assert DeviceSession.objects.count() == expected


def test_a_login_that_ends_others_leaves_the_cleaning_to_the_next(
    start, clock, monkeypatch, settings, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(cleanup, "LOGINS", 1)
    settings.DEVICES = {"MAX_SESSIONS": 1}
    for _ in range(5):
        start()
        clock.shift(365 * DAY)
    start()
    with django_capture_on_commit_callbacks(execute=True):
        start()
    assert DeviceSession.objects.count() == 7


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_left_to_them(start, clock):
    held, _ = start(), start()
    clock.shift(365 * DAY)
    with holding(lambda: DeviceSession.objects.select_for_update().get(pk=held.pk)):
        assert purge() == 1
    assert list(DeviceSession.objects.all()) == [held]
    assert purge() == 1
