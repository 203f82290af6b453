"""Failed and blocked sign-ins as a list: found by account, address, network and time; read, never written."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.models import FailedLogin
from tests.client import Device

from .pages import LIST

FAILED = "/admin/devices/failedlogin/"
EVENTS = (
    ("alice@example.org", "203.0.113.7", "2026-03-01T02:10:00Z"),
    ("alice@example.org", "41.58.3.1", "2026-03-01T02:29:00Z"),
    ("mallory@example.org", "41.58.9.9", "2026-03-01T03:31:00Z"),
    (None, "2001:db8:1:2:3::4", "2026-03-01T05:00:00Z"),
)


@pytest.fixture
def failed(alice, mallory, clock):
    people = {user.email: user.pk for user in (alice, mallory)}
    for email, address, at in EVENTS:
        clock.move_to(at)
        security_log.log(Event.LOGIN_FAILED, user_id=people.get(email), client=Client(address, ""))
    clock.move_to("2026-03-01T06:00:00Z")


def addresses(staff, **query):
    answer = staff.get(FAILED, query)
    assert answer.status_code == 200, answer.get("Location")
    return [row.ip_address for row in answer.context["cl"].result_list]


def test_account_address_time_and_kind_stand_in_the_list(viewer, failed):
    html = viewer.get(FAILED).content.decode()
    for words in (
        "alice@example.org",
        "no such account",
        "March 1, 2026, 2:10 a.m.",
        "Wrong password or unknown account",
        f'<a href="{LIST}?q=2001%3Adb8%3A1%3A2%3A%3A%2F64">2001:<wbr>db8:<wbr>1:<wbr>2:<wbr>:<wbr>/64</a>',
        f'<a href="{LIST}?q=41.58.3.1">41.58.3.1</a>',
    ):
        assert words in html
    assert addresses(viewer) == ["2001:db8:1:2::", "41.58.9.9", "41.58.3.1", "203.0.113.7"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "41.58.0.0/16"}, ["41.58.9.9", "41.58.3.1"]),
        ({"q": "41.58.3.1"}, ["41.58.3.1"]),
        ({"q": "2001:db8:1:2:ffff::1"}, ["2001:db8:1:2::"]),
        ({"q": "2001:db8:1:2::/64"}, ["2001:db8:1:2::"]),
        ({"q": "2001:db8::/32"}, ["2001:db8:1:2::"]),
        ({"q": "Alice@"}, ["41.58.3.1", "203.0.113.7"]),
        ({"q": "x"}, []),
        ({"kind": "login.blocked"}, []),
        ({"from": "2026-03-01T02:29", "to": "2026-03-01T03:31", "zone": "UTC"}, ["41.58.3.1"]),
        ({"from": "2026-03-01T02:00", "to": "2026-03-01T03:30", "zone": "UTC", "q": "41.58.0.0/16"},
         ["41.58.3.1"]),
        ({"from": "2026-03-01T07:59", "to": "2026-03-01T08:00", "zone": "Asia/Kolkata"},
         ["41.58.3.1"]),
    ],
)  # fmt: skip
def test_it_is_found_by_account_address_network_and_time(viewer, failed, query, found):
    assert addresses(viewer, **query) == found


def test_a_row_is_found_at_each_time_of_which_it_tells(viewer, alice, clock):
    clock.move_to("2026-03-01T02:01:00Z")
    for _ in range(2):
        security_log.log(Event.LOGIN_FAILED, user_id=alice.pk, client=Client("203.0.113.7", ""))
        clock.shift(600)
    within = {"from": "2026-03-01T02:10", "to": "2026-03-01T02:15", "zone": "UTC"}
    assert addresses(viewer, **within) == ["203.0.113.7"]
    assert "2:01 a.m. – 2:11 a.m." in viewer.get(FAILED).content.decode()
    assert addresses(viewer, **{**within, "from": "2026-03-01T02:12"}) == []


@pytest.mark.parametrize(
    "query",
    ["user=x", "kind=x", "from=x", "zone=x&from=2026-03-01"],
)
def test_what_is_not_understood_is_refused(viewer, failed, query):
    assert viewer.get(f"{FAILED}?{query}")["Location"].endswith("?e=1")


def test_no_column_is_asked_for_besides(viewer, failed):
    for lookup in ("user__password__startswith", "user__email", "count"):
        assert viewer.get(FAILED, {lookup: "1"}).status_code == 400


def test_it_is_for_those_who_may_see_sessions_and_nobody_writes_it(clerk, revoker, root, failed):
    assert clerk.get(FAILED).status_code == 403
    row = FailedLogin.objects.first()
    for staff in (revoker, root):
        assert staff.get(FAILED).status_code == 200
        assert staff.get(f"{FAILED}{row.pk}/change/").status_code == 302
        for path in ("add/", f"{row.pk}/delete/"):
            assert staff.post(f"{FAILED}{path}", {"post": "yes"}).status_code == 403
        staff.post(FAILED, {"action": "delete_selected", "_selected_action": [str(row.pk)]})
    assert FailedLogin.objects.count() == len(EVENTS)


def test_the_list_costs_as_many_queries_for_many_as_for_one(viewer, alice, clock):
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    with CaptureQueriesContext(connection) as for_one:
        viewer.get(FAILED)
    for n in range(30):
        Device(ip=f"203.0.113.{n}").post("/api/login", {"email": alice.email, "password": "x"})
    with CaptureQueriesContext(connection) as for_many:
        viewer.get(FAILED)
    assert len(for_many) == len(for_one)


def test_a_search_leads_from_sessions_to_failures_and_back(viewer, failed, alice, start):
    start(alice, ip="41.58.3.1")
    assert f"{FAILED}?q=41.58.3.1" in viewer.get(LIST, {"q": "41.58.3.1"}).content.decode()
    assert f"{LIST}?q=41.58.3.1" in viewer.get(FAILED, {"q": "41.58.3.1"}).content.decode()


def test_an_account_that_is_gone_without_a_trace_breaks_no_list(viewer, db):
    security_log.log(Event.LOGIN_FAILED, user_id=4711, client=Client("203.0.113.7", ""))
    assert "4711" in viewer.get(FAILED).content.decode()
