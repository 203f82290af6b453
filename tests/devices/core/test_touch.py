"""Activity is written seldom, and so that no index of the table hears of it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import DeviceSession

TOUCHED = {"last_active", "last_ip", "generation_used"}


def updates(queries):
    return [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]


def test_a_thousand_requests_within_a_minute_make_one_update(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(61)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(1000):
            clock.shift(0.05)
            assert phone.get("/api/sessions/current").status_code == 200
    assert len(updates(queries)) == 1
    assert len(queries) == 1001


def test_of_two_processes_that_find_a_touch_due_one_writes(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(61)
    DeviceSession.objects.update(last_ip=None)
    assert phone.get("/api/me").status_code == 200
    assert DeviceSession.objects.get().last_ip == "203.0.113.7"
    # The other one read the row before.
    session = DeviceSession.objects.get()
    sessions.authentication._touch(session, 0, Client("198.51.100.1"), session.last_active)
    assert DeviceSession.objects.get().last_ip == "203.0.113.7"


on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs PostgreSQL: it tells its indexes"
)


@pytest.mark.postgres
@on_postgresql
def test_no_index_hears_of_a_touch(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s", [DeviceSession._meta.db_table]
        )
        definitions = [definition for (definition,) in cursor.fetchall()]
    assert len(definitions) >= 7
    touched = [d for d in definitions for column in TOUCHED if f'"{column}"' in d or column in d]
    # Staff look for it; it seldom changes.
    assert [d for d in touched if not d.endswith("(last_ip)")] == []


@pytest.mark.postgres
@on_postgresql
def test_a_touch_from_the_same_address_is_a_heap_only_update(alice, sign_in, clock):
    phone = sign_in(alice)
    # Where its page was full, PostgreSQL moves a row once to another one.
    for _ in range(5):
        clock.shift(61)
        before = heap_only_updates()
        assert phone.get("/api/me").status_code == 200
        if heap_only_updates() == before + 1:
            return
    pytest.fail("no touch was a heap-only update")


def heap_only_updates():
    with connection.cursor() as cursor:
        table = DeviceSession._meta.db_table
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated(%s::regclass)", [table])
        return cursor.fetchone()[0]
