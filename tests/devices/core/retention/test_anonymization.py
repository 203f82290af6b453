"""What is forgotten of the traces people leave, when, and that nothing is done twice."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.core import sessions, throttling
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.core.notifications import outbox
from devices.core.retention import anonymization
from devices.exceptions import TooManyAttempts
from devices.lookups import Shortened, shortened
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME, IPHONE, Device
from tests.dump import dump
from tests.plans import prefer_indexes
from tests.transactions import holding

DAY = 24 * 3600
HOME, AWAY, SIX = "203.0.113.77", "198.51.100.44", "2001:db8:1:2:3:4:5:6"


@pytest.fixture
def start(alice):
    def start(ip=HOME):
        session = sessions.start(alice, Client(ip, IPHONE))
        DeviceSession.objects.filter(pk=session.pk).update(latitude=52.5, longitude=13.4)
        return session

    return start


@pytest.fixture(autouse=True)
def long_retention(settings):
    settings.DEVICES = {"RETENTION_DAYS": 3650, "SESSION_MAX_AGE": 3650, "IP_RETENTION_DAYS": 90}


def age(**options):
    return sum(anonymization.age(**options))


def seen_at(session, ip):
    """The session is used from this address."""
    fresh = DeviceSession.objects.select_related("user").get(pk=session.pk)
    fresh.expires_at = timezone.now() + timedelta(days=30)
    fresh.save(update_fields=["expires_at"])
    sessions.authentication._touch(fresh, fresh.generation, Client(ip, IPHONE), timezone.now())


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (HOME, "203.0.113.0"),
        ("203.0.113.0", "203.0.113.0"),
        ("255.255.255.255", "255.255.255.0"),
        (SIX, "2001:db8:1::"),
        ("::1", "::"),
        (None, None),
    ],
)
def test_an_address_keeps_24_or_48_bits_in_python_and_in_every_database(start, address, kept):
    session = start(address)
    assert shortened(address) == kept
    row = DeviceSession.objects.annotate(short=Shortened(F("ip_address"))).get(pk=session.pk)
    assert row.short == kept


def test_what_was_seen_so_long_ago_is_shortened_and_not_a_second_earlier(start, clock):
    session = start()
    sessions.revoke(session, reason=RevokeReason.LOGOUT)
    clock.shift(90 * DAY)
    assert age() == 0
    clock.shift(1)
    assert anonymization.count() == 2  # the session, and the line that it began
    assert age() == 2
    session.refresh_from_db()
    assert (session.ip_address, session.last_ip) == ("203.0.113.0", "203.0.113.0")
    assert (session.user_agent, session.latitude, session.longitude) == ("", None, None)
    assert (session.device, session.browser, session.os) == ("Safari on iOS", "Safari", "iOS")
    assert {line.ip_address for line in Activity.objects.all()} == {None, "203.0.113.0"}
    assert anonymization.count() == 0


def test_a_session_in_use_keeps_its_latest_address_and_its_name_until_they_have_aged(start, clock):
    session = start()
    sessions.rename(session, "My phone")
    for _ in range(4):
        clock.shift(25 * DAY)
        seen_at(session, AWAY)
    age()
    session.refresh_from_db()
    assert (session.ip_address, session.user_agent) == ("203.0.113.0", "")
    assert (session.last_ip, session.name) == (AWAY, "My phone")
    # Not used again: it is the turn of the rest, once.
    clock.shift(90 * DAY + 1)
    assert age() == 1
    session.refresh_from_db()
    assert (session.last_ip, session.name, session.pii_since) == ("198.51.100.0", "", None)


def test_a_session_that_comes_back_after_it_was_shortened_is_not_forgotten(start, clock):
    session = start()
    limit = timezone.now() + timedelta(days=3000)
    DeviceSession.objects.update(expires_at=limit, absolute_expires_at=limit)
    clock.shift(100 * DAY)
    age()
    clock.shift(10 * DAY)
    sessions.authentication._touch(session, 0, Client(AWAY, IPHONE), timezone.now())
    clock.shift(80 * DAY + 1)
    age()
    session.refresh_from_db()
    assert session.last_ip == AWAY
    clock.shift(10 * DAY)
    assert age() == 1
    session.refresh_from_db()
    assert session.last_ip == "198.51.100.0"


def test_a_row_of_which_nobody_said_since_when_it_is_whole_is_shortened_too(start, clock):
    # As other code may have written it: copied, imported.
    session = start()
    DeviceSession.objects.update(pii_since=DeviceSession().pii_since)
    assert age() == 1
    session.refresh_from_db()
    assert (session.ip_address, session.pii_since) == (HOME, session.created_at)
    clock.shift(91 * DAY)
    age()
    session.refresh_from_db()
    assert session.ip_address == "203.0.113.0"


def test_nothing_is_rewritten_by_the_next_run(start, clock):
    for _ in range(3):
        start()
    clock.shift(91 * DAY)
    assert age(batch_size=2) == 6
    with CaptureQueriesContext(connection) as queries:
        assert age() == 0
    assert not [
        query for query in queries if query["sql"].startswith("UPDATE") and "IN (" in query["sql"]
    ]


def test_it_can_be_stopped_and_goes_on(start, clock):
    for _ in range(5):
        start()
    clock.shift(91 * DAY)
    run = anonymization.age(batch_size=2)
    assert [next(run), next(run)] == [2, 2]
    run.close()
    assert anonymization.count() == 6
    assert list(anonymization.age(batch_size=2)) == [1, 2, 2, 1]
    assert HOME not in dump()


def test_switched_off_nothing_is_forgotten(start, clock, settings):
    settings.DEVICES = settings.DEVICES | {"IP_RETENTION_DAYS": None}
    start()
    clock.shift(3000 * DAY)
    assert (anonymization.count(), age()) == (0, 0)


DATA = [
    ({"rows": 3}, {"rows": 3}),
    ({"from": HOME, "to": SIX}, {"from": "203.0.113.0", "to": "2001:db8:1::"}),
    ({"seen": [HOME, {"at": SIX}]}, {"seen": ["203.0.113.0", {"at": "2001:db8:1::"}]}),
    (
        {"note": f"came from {HOME}, then ({SIX})."},
        {"note": "came from 203.0.113.0, then (2001:db8:1::)."},
    ),
    ({"note": "at 12:30:15 in v1.2, 1.2.3.4.5"}, {"note": "at 12:30:15 in v1.2, 1.2.3.4.5"}),
    ({"user_agent": IPHONE, "x": {"user_agent": IPHONE}}, {"x": {}}),
    (
        {"note": f"https://{HOME}:8000/x https://[{SIX}]:80/ ::ffff:{HOME}: {SIX}: {HOME}/32"},
        {
            "note": "https://203.0.113.0:8000/x https://[2001:db8:1::]:80/ ::: 2001:db8:1::: 203.0.113.0/32"
        },
    ),
]


@pytest.mark.parametrize(("data", "kept"), DATA, ids=range(len(DATA)))
def test_what_stands_in_the_data_of_a_line_is_shortened_too(start, clock, data, kept):
    session = start(None)
    activity.record(session, "report.exported", data)
    line = Activity.objects.get(kind="report.exported")
    assert line.is_precise == (data != kept), "only what has something to forget is looked at"
    clock.shift(91 * DAY)
    age()
    line.refresh_from_db()
    assert (line.data, line.is_precise) == (kept, False)


def test_text_that_only_looks_like_addresses_costs_little():
    began = time.perf_counter()
    for text in ("ab:" * 30_000, "1.2.3" * 20_000, "::" * 45_000, "1." * 45_000, ":1.1.1" * 15_000):
        assert activity.redacted("x", {"note": text}) == {"note": text}
    assert time.perf_counter() - began < 2


def test_names_go_from_the_log(start, clock):
    session = start()
    sessions.rename(session, "Alice's secret phone")
    sessions.rename(session, "Phone two")
    clock.shift(91 * DAY)
    age()
    assert [line.data for line in Activity.objects.filter(kind="session.renamed")] == [{}, {}]


def test_after_it_a_dump_of_the_database_has_no_address_and_no_agent_of_what_has_aged(
    alice, sign_in, clock, settings
):
    old = sign_in(alice, agent=CHROME, ip=HOME)
    old.patch("/api/sessions/current", {"name": "Zaphod's phone"})
    clock.shift(61)
    other = sign_in(alice, agent=CHROME, ip=SIX)
    other.delete(f"/api/sessions/{old.session_id}")
    traces = [HOME, SIX, CHROME, "Zaphod"]
    assert [trace for trace in traces if trace in dump()] == traces
    clock.shift(91 * DAY)
    sign_in(alice, agent=IPHONE, ip=AWAY)
    age()
    while throttling.purge(100) or outbox.purge(100):
        pass
    after = dump()
    assert [trace for trace in traces if trace in after] == []
    assert AWAY in after and IPHONE in after, "what is new stays"


def test_an_aged_address_makes_no_stranger_in_its_network_known(alice, start, clock):
    """What the row says then is the first address of its network, which may be anybody's."""
    start()
    first = Client("203.0.113.0", CHROME)
    assert throttling._known_address([alice.pk], Client(HOME)) == HOME
    clock.shift(91 * DAY)
    age()
    assert throttling._known_address([alice.pk], first) == ""
    assert throttling._known_address([alice.pk], Client(HOME)) == ""
    for _ in range(10):
        Device(ip="192.0.2.99").post("/api/login", {"email": alice.email, "password": "wrong"})
    with pytest.raises(TooManyAttempts):
        throttling.begin(alice.email, first)


def test_a_known_address_that_has_not_aged_stays_known(alice, start, clock):
    session = start()
    clock.shift(91 * DAY)
    seen_at(session, AWAY)
    age()
    assert throttling._known_address([alice.pk], Client(AWAY)) == AWAY
    assert throttling._known_address([alice.pk], Client(HOME)) == ""


@pytest.mark.django_db
def test_what_is_left_to_do_is_found_by_its_own_index():
    with CaptureQueriesContext(connection) as queries:
        assert age() == 0
    looks = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    prefer_indexes()
    with connection.cursor() as cursor:
        explain = connection.ops.explain_query_prefix()
        for look, index in zip(looks, ["devices_pii", "devices_act_precise"], strict=True):
            cursor.execute(f"{explain} {look}")
            plan = "\n".join(str(row) for row in cursor.fetchall())
            assert index in plan
            assert "Sort" not in plan and "TEMP B-TREE" not in plan


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="row locks need PostgreSQL (DATABASE_URL)"
)
@pytest.mark.django_db(transaction=True)
def test_a_session_that_somebody_holds_is_left_to_the_next_run(start, clock):
    held, _ = start(), start()
    clock.shift(91 * DAY)
    with holding(lambda: DeviceSession.objects.select_for_update().get(pk=held.pk)):
        assert age() == 3
    assert age() == 1
