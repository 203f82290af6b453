"""PostgreSQL's plans of what staff ask for: each by an index."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core.staff import bulk_revocation
from devices.core.staff.filters import Selection
from devices.models import DeviceSession
from tests.plans import prefer_indexes

from .pages import LIST

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="looks at PostgreSQL's plans"
)

SESSIONS = "devices_devicesession"


@pytest.fixture(autouse=True)
def indexes_are_preferred(db):
    prefer_indexes()


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans(sql):
    """(how, by which index) the sessions are read for a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        [[answer]] = cursor.fetchall()
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return [
        (node["Node Type"], node.get("Index Name"))
        for node in nodes(plan)
        if node.get("Relation Name") == SESSIONS
    ]


@pytest.mark.parametrize(
    "query",
    [
        *("", "state=active", "state=revoked", "state=expired", "suspicious=yes"),
        *("suspicious=waiting", "since=day", "on=2026-03-01", "ended_on=2026-03-01"),
        *("os=Linux", "browser=curl", "country=DE", "device_type=tv", "login_method=google"),
        *("binding=dpop", "reason=admin", "user=1", "q=alice", "q=192.0.2.0/24", "q=192.0.2.1"),
        *("os=Linux&browser=curl&state=active", "state=revoked&reason=reuse"),
        *("o=-0", "o=5", "o=-6", "o=-6&state=revoked", "o=-0&q=192.0.2.0/24"),
    ],
)
def test_no_filter_of_the_list_reads_the_whole_table(viewer, alice, bystanders, query):
    bystanders(alice, 3)
    with CaptureQueriesContext(connection) as queries:
        assert viewer.get(f"{LIST}?{query}").status_code == 200
    read = [q["sql"] for q in queries if f'FROM "{SESSIONS}"' in q["sql"]]
    assert read
    for sql in read:
        for how, index in scans(sql):
            assert "Index" in how and index, (how, sql)


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({"user": "1"}, "devices_history"),
        ({"ip": "192.0.2.0/24"}, "devices_address"),
        ({"ip": "192.0.2.1"}, "devices_address"),
        ({"country": "DE"}, "devices_country"),
        ({"os": "Linux"}, "devices_os"),
        ({"browser": "curl"}, "devices_browser"),
        ({"device_type": "tv"}, "devices_type"),
        ({"suspicious": "true"}, "devices_suspicious"),
        ({"status": "revoked"}, "devices_revoked"),
        ({"status": "expired"}, "devices_expiring"),
        ({"issued_after": "2026-03-01T00:00:00Z"}, "devices_newest"),
        ({"active_before": "2026-03-01T00:00:00Z"}, "devices_newest"),
    ],
)
def test_each_filter_has_its_index(alice, bystanders, given, index):
    bystanders(alice, 3)
    chosen = Selection.parse(given).sessions()
    sql, params = chosen.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        [(how, used)] = scans(cursor.mogrify(sql, params))
    assert "Index" in how
    assert used == index or (used or "").startswith(f"{SESSIONS}_user"), used


def test_a_rare_way_of_sign_in_has_its_index(alice, bystanders):
    bystanders(alice, 3)
    chosen = DeviceSession.objects.filter(login_method="google")
    assert "devices_method" in chosen.explain()


def test_surveying_and_revoking_read_no_table_as_a_whole(alice, make_user, bystanders):
    clerk = make_user("clerk@example.org", is_staff=True)
    bystanders(alice, 3)
    chosen = Selection.parse({"os": "Windows"}).sessions()
    with CaptureQueriesContext(connection) as queries:
        bulk_revocation.survey(chosen, by=clerk)
        assert bulk_revocation.revoke(chosen, by=clerk, note="x").sessions == 3
    read = [q["sql"] for q in queries if q["sql"].startswith("SELECT") and SESSIONS in q["sql"]]
    assert len(read) >= 4
    for sql in read:
        assert all("Index" in how for how, _index in scans(sql)), sql
