"""What is counted of all sessions, how often, and what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import counters, security_log
from devices.core.log.security_log import Event
from devices.core.staff import statistics
from devices.models import DeviceSession, EventCounter, RevokeReason, StatsSnapshot
from tests.client import CHROME, FIREFOX, IPHONE, Device


def data():
    return statistics.count().data


def test_living_sessions_by_their_traits_and_the_people_they_are_of(alice, mallory, clock):
    for user, agent in ((alice, CHROME), (alice, IPHONE), (mallory, IPHONE)):
        sessions.start(user, Client("8.8.8.8", agent))
    ended = sessions.start(mallory, Client("10.0.0.1", FIREFOX), method="google")
    sessions.logout(ended)
    assert data()["live"] == {"sessions": 3, "people": 2}
    by = data()["by"]
    assert by["device_type"] == [
        {"value": "mobile", "sessions": 2},
        {"value": "desktop", "sessions": 1},
    ]
    assert by["country"] == [{"value": "US", "sessions": 3}]
    assert by["login_method"] == [{"value": "password", "sessions": 3}]
    assert {each["value"] for each in by["browser"]} == {"Safari", "Chrome"}


def test_the_rare_ones_are_added_up(alice, bystanders, monkeypatch):
    monkeypatch.setattr(statistics, "COMMON", 2)
    bystanders(alice, 6)
    for n, pk in enumerate(DeviceSession.objects.values_list("pk", flat=True)):
        DeviceSession.objects.filter(pk=pk).update(os=("A", "A", "A", "B", "B", "C")[n])
    assert data()["by"]["os"] == [
        {"value": "A", "sessions": 3},
        {"value": "B", "sessions": 2},
        {"value": None, "sessions": 1},
    ]


def test_logins_and_revocations_day_by_day(alice, clock):
    for _ in range(2):
        sessions.start(alice, Client(None, CHROME))
    clock.shift(3 * 86400)
    session = sessions.start(alice, Client(None, CHROME))
    sessions.revoke(session, reason=RevokeReason.REUSE)
    counted = data()
    days = {each["day"]: each for each in counted["days"]}
    assert list(days)[-1] == "2026-03-04" and len(days) == 30
    assert (days["2026-03-01"]["logins"], days["2026-03-04"]["logins"]) == (2, 1)
    assert days["2026-03-04"]["revocations"] == 1
    assert days["2026-03-02"] == {
        "day": "2026-03-02",
        "logins": 0,
        "revocations": 0,
        "failed_logins": 0,
        "blocked_logins": 0,
    }
    assert counted["revocations_by_reason"] == [{"value": "reuse", "sessions": 1}]
    assert counted["past_day"]["logins"] == counted["past_day"]["revocations"] == 1


def test_days_are_those_of_the_sites_time_zone(alice, clock, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    clock.shift(4 * 3600)  # 16:00 UTC: the next day in Tokyo
    sessions.start(alice, Client(None, CHROME))
    counters.count("login.failed")
    [last] = data()["days"][-1:]
    assert (last["day"], last["logins"], last["failed_logins"]) == ("2026-03-02", 1, 1)


def test_a_day_of_failures_begins_at_midnight_also_in_a_zone_of_half_hours(clock, settings, db):
    settings.TIME_ZONE = "Asia/Kolkata"
    clock.move_to("2026-03-01T18:29:00Z")  # 23:59 in Kolkata
    counters.count("login.failed")
    clock.shift(60)
    counters.count("login.failed")
    counters.count("login.blocked")
    before, day = data()["days"][-2:]
    assert (before["day"], before["failed_logins"], before["blocked_logins"]) == (
        "2026-03-01",
        1,
        0,
    )
    assert (day["day"], day["failed_logins"], day["blocked_logins"]) == ("2026-03-02", 1, 1)


def test_failures_of_the_past_day_by_the_quarter_hour(clock, db):
    counters.count("login.failed")
    clock.shift(14 * 60)
    counters.count("otp.failed")
    clock.shift(60)
    counters.count("login.blocked")
    quarters = data()["quarters"]
    assert len(quarters) == 96
    assert quarters[-2:] == [
        {"at": "2026-03-01T12:00:00Z", "failed_logins": 2, "blocked_logins": 0},
        {"at": "2026-03-01T12:15:00Z", "failed_logins": 0, "blocked_logins": 1},
    ]
    assert quarters[0]["at"] == "2026-02-28T12:30:00Z"


def test_failures_of_the_past_day_by_country(alice, clock):
    for address, times in (("8.8.8.8", 1), ("41.58.3.1", 2), ("192.0.2.1", 1)):
        for _ in range(times):
            security_log.log(Event.LOGIN_FAILED, user_id=alice.pk, client=Client(address, ""))
    security_log.log(Event.LOGIN_BLOCKED, user_id=alice.pk, client=Client("41.58.3.1", ""))
    assert data()["failures_by_country"] == [
        {"value": "NG", "failed_logins": 2, "blocked_logins": 1},
        {"value": "", "failed_logins": 1, "blocked_logins": 0},
        {"value": "US", "failed_logins": 1, "blocked_logins": 0},
    ]
    clock.shift(timedelta(days=1, minutes=15))
    assert data()["failures_by_country"] == []


def test_the_most_failing_countries_are_shown_and_the_others_together(clock, db, monkeypatch):
    monkeypatch.setattr(statistics, "COMMON", 1)
    for address in ("41.58.3.1", "41.58.3.2", "8.8.8.8", "81.2.69.142"):
        security_log.log(Event.LOGIN_FAILED, user_id=None, client=Client(address, ""))
    assert data()["failures_by_country"] == [
        {"value": "NG", "failed_logins": 2, "blocked_logins": 0},
        {"value": None, "failed_logins": 2, "blocked_logins": 0},
    ]


def test_no_day_is_shown_of_which_sessions_are_not_kept(alice, settings):
    settings.DEVICES = {"RETENTION_DAYS": 7}
    assert len(data()["days"]) == 7


def test_failed_and_blocked_logins_are_counted_by_every_entry_point(alice, clock):
    for password in ("wrong", "wronger"):
        Device().post("/api/login", {"email": alice.email, "password": password})
        Device().post("/api/token", {"email": "nobody@example.org", "password": password})
    for _ in range(9):
        Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    past = data()["past_day"]
    assert past["failed_logins"] == 2 + 10
    assert past["blocked_logins"] == 1
    assert past["logins"] == 0
    clock.shift(2 * 86400)
    assert data()["past_day"]["failed_logins"] == 0
    assert sum(day["failed_logins"] for day in data()["days"]) == 12


def test_a_login_that_succeeds_writes_no_tally(alice, sign_in):
    sign_in(alice)
    assert not EventCounter.objects.exists()


def test_tallies_are_forgotten_some_day(db, clock):
    counters.count("login.failed")
    clock.shift(91 * 86400)
    statistics.count()
    assert not EventCounter.objects.exists()


def test_suspicious_ones_waiting(alice, bystanders):
    bystanders(alice, 3)
    first, second, third = DeviceSession.objects.all()
    DeviceSession.objects.filter(pk__in=[first.pk, second.pk]).update(risk_level="high")
    DeviceSession.objects.filter(pk=second.pk).update(reviewed_at=timezone.now())
    assert data()["waiting"] == 1


def test_addresses_and_people_with_the_most_living_sessions(alice, mallory, bystanders):
    bystanders(alice, 3)
    bystanders(mallory, 1)
    sessions.start(mallory, Client(None, CHROME))
    top = data()["top"]
    assert top["addresses"] == [{"value": "192.0.2.1", "sessions": 4}]
    assert top["users"] == [
        {"value": str(alice.pk), "sessions": 3},
        {"value": str(mallory.pk), "sessions": 2},
    ]


# When it is counted


def test_who_looks_soon_again_sees_the_same_for_one_query(alice, clock):
    assert statistics.current().data["live"]["sessions"] == 0
    sessions.start(alice, Client(None, CHROME))
    clock.shift(59)
    with CaptureQueriesContext(connection) as queries:
        assert statistics.current().data["live"]["sessions"] == 0
    assert len(queries) == 1
    clock.shift(1)
    assert statistics.current().data["live"]["sessions"] == 1


def test_what_took_long_is_done_seldom(db, clock):
    statistics.count()
    StatsSnapshot.objects.update(took=30)
    clock.shift(2999)
    assert statistics.current().counted_at < timezone.now()
    clock.shift(1)
    assert statistics.current().counted_at == timezone.now()


def test_one_counts_for_all_who_come_at_once(db, clock, monkeypatch):
    old = statistics.count()
    clock.shift(3600)
    really = statistics.count

    def while_another_comes(**kwargs):
        monkeypatch.setattr(statistics, "count", lambda **kwargs: pytest.fail("counted twice"))
        assert statistics.current().counted_at == old.counted_at
        return really(**kwargs)

    monkeypatch.setattr(statistics, "count", while_another_comes)
    assert statistics.current().counted_at == timezone.now()


def test_the_count_costs_as_many_queries_for_many_as_for_one(alice, bystanders):
    statistics.count()
    with CaptureQueriesContext(connection) as for_none:
        statistics.count()
    bystanders(alice, 500)
    with CaptureQueriesContext(connection) as for_many:
        statistics.count()
    assert len(for_many) == len(for_none) <= 16


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no time limit")
def test_nobody_waits_longer_than_they_may_and_sees_what_there_is(db, clock, monkeypatch):
    first = statistics.count()
    clock.shift(3600)
    monkeypatch.setattr(statistics, "PATIENCE", timedelta(milliseconds=50))

    def be_slow(execute, sql, params, many, context):
        if "GROUP BY" in sql:
            context["cursor"].execute("SELECT pg_sleep(1)")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(be_slow):
        assert statistics.current().counted_at == first.counted_at
    row = StatsSnapshot.objects.get()
    assert row.begun_at == timezone.now() and row.took >= 0.05
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
        statistics.count(limit=timedelta(seconds=9))
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
