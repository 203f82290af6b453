"""Filters of the list: what each lets through, and what becomes of values nobody offered."""

import time
from datetime import datetime

import pytest

from devices.admin.filters import Filter
from devices.core import sessions
from devices.models import DeviceSession, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE

from .pages import LIST, listed

CURL = "curl/8.5.0"


def offered(viewer, parameter, /, **query):
    """The choices of a filter, if the page shows it."""
    filters = viewer.get(LIST, query).context["cl"].filter_specs
    choices = {
        each.parameter_name: each.lookup_choices for each in filters if isinstance(each, Filter)
    }
    return [value for value, _title in choices.get(parameter, [])]


def test_by_state(viewer, alice, start, clock):
    expired = start(alice)
    clock.shift(31 * 86400)
    active, revoked = start(alice), start(alice)
    sessions.revoke(revoked, reason=RevokeReason.USER)
    assert listed(viewer, state="active") == [active.pk]
    assert listed(viewer, state="revoked") == [revoked.pk]
    assert listed(viewer, state="expired") == [expired.pk]
    assert offered(viewer, "state") == ["active", "revoked", "expired"]


FROM_TO = [
    # In UTC, by its name or by an offset, and in the time zone of the site.
    ({"from": "2026-03-01T02:00", "to": "2026-03-01T03:30", "zone": "UTC"}, [2, 1]),
    ({"from": "2026-03-01T03:00+01:00", "to": "2026-03-01T04:30+01:00"}, [2, 1]),
    ({"from": "2026-03-01T07:30", "to": "2026-03-01T09:00"}, [2, 1]),
    ({"from": "2026-03-01T03:30", "zone": "UTC"}, [3]),
    ({"to": "2026-03-01T02:00", "zone": "UTC"}, [0]),
    # A form that was sent empty asks for nothing.
    ({"from": "", "to": "", "zone": "UTC"}, [3, 2, 1, 0]),
]


@pytest.mark.parametrize(("query", "found"), FROM_TO, ids=map(str, range(len(FROM_TO))))
def test_from_to_in_date_and_time_and_in_a_zone(
    viewer, alice, start, clock, settings, query, found
):
    settings.TIME_ZONE = "Asia/Kolkata"
    pks = []
    for at in ("01:59:59", "02:00:00", "03:29:59", "03:30:00"):
        clock.move_to(datetime.fromisoformat(f"2026-03-01T{at}Z"))
        pks.append(start(alice).pk)
    assert listed(viewer, **query) == [pks[n] for n in found]
    page = viewer.get(LIST, query | {"country": "DE"}).content.decode()
    assert '<input type="hidden" name="country" value="DE">' in page
    assert "<option selected>" + query.get("zone", "Asia/Kolkata") in page


@pytest.mark.parametrize(
    "query",
    [
        {"from": "x"},
        {"to": "2026-13-01T00:00"},
        {"from": "2026-03-01T02:00", "zone": "../etc"},
        {"from": "0001-01-01T00:00", "zone": "Asia/Kolkata"},
        {"to": "2026-03-01T02:00", "zone": "x"},
    ],
    ids=["no time", "no month", "no zone", "before all times", "unknown zone"],
)
def test_a_time_that_is_none_is_refused_and_not_left_out(viewer, query):
    assert viewer.get(LIST, query)["Location"].endswith("?e=1")


def test_by_time_of_sign_in(viewer, alice, start, clock):
    now, started = time.time(), {}
    for period, hours in (("month", 29 * 24), ("week", 6 * 24), ("day", 23), ("hour", 0)):
        clock.move_to(now - hours * 3600)
        started[period] = start(alice).pk
    assert listed(viewer, since="hour") == [started["hour"]]
    assert listed(viewer, since="day") == [started["hour"], started["day"]]
    assert listed(viewer, since="week") == [started["hour"], started["day"], started["week"]]
    assert set(listed(viewer, since="month")) == set(started.values())


def test_by_device_type_operating_system_browser_and_country(viewer, alice, start, clock):
    phone = start(alice, IPHONE, "8.8.8.8").pk
    clock.shift(1)
    linux = start(alice, FIREFOX, "81.2.69.142").pk
    clock.shift(1)
    tool = start(alice, CURL, "10.0.0.1").pk
    assert listed(viewer, device_type="mobile") == [phone]
    assert listed(viewer, device_type="console") == []
    assert listed(viewer, os="Linux") == [linux]
    assert listed(viewer, browser="Safari") == [phone]
    assert listed(viewer, country="GB") == [linux]
    assert listed(viewer, country="") == [tool]
    assert listed(viewer, os="Linux", browser="Safari") == []
    assert offered(viewer, "browser") == ["Firefox", "Safari", "curl"]
    assert offered(viewer, "country") == ["GB", "US", ""]


def test_by_strange_sign_ins(viewer, alice, start):
    plain, unusual, answered = start(alice), start(alice), start(alice)
    DeviceSession.objects.filter(pk__in=[unusual.pk, answered.pk]).update(risk_level="critical")
    DeviceSession.objects.filter(pk=answered.pk).update(reviewed_at=unusual.created_at)
    assert set(listed(viewer, suspicious="yes")) == {unusual.pk, answered.pk}
    assert listed(viewer, suspicious="waiting") == [unusual.pk]
    assert plain.pk in listed(viewer)


def test_by_way_of_sign_in_and_by_reason_of_the_end(viewer, alice, start):
    plain, other = start(alice), start(alice)
    DeviceSession.objects.filter(pk=other.pk).update(login_method="google")
    assert listed(viewer, login_method="google") == [other.pk]
    sessions.revoke(plain, reason=RevokeReason.NOT_ME)
    assert listed(viewer, reason="not_me") == [plain.pk]
    assert listed(viewer, reason="admin") == []


def test_by_day_of_sign_in_and_of_the_end(clock, viewer, alice, start, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    first = start(alice)
    clock.shift(4 * 3600)  # 16:00 UTC: the next day in Tokyo
    second = start(alice)
    sessions.revoke(first, reason=RevokeReason.USER)
    assert first.pk in listed(viewer, on="2026-03-01")
    assert listed(viewer, on="2026-03-02") == [second.pk]
    assert listed(viewer, ended_on="2026-03-02") == [first.pk]
    assert listed(viewer, ended_on="2026-03-01") == []
    assert offered(viewer, "on") == []


def test_by_user_through_a_link_and_never_a_list_of_users(viewer, alice, mallory, start):
    hers, his = start(alice), start(mallory)
    assert f'<a href="?user={alice.pk}"><bdi>{alice.email}' in viewer.get(LIST).content.decode()
    assert listed(viewer, user=str(alice.pk)) == [hers.pk]
    assert offered(viewer, "user") == []
    assert offered(viewer, "user", user=str(alice.pk), state="active") == [str(alice.pk)]
    assert his.pk not in listed(viewer, user=str(alice.pk))


def test_choices_come_from_the_newest_sessions_only(viewer, alice, start, clock, monkeypatch):
    monkeypatch.setattr("devices.admin.filters.NEWEST", 2)
    old = start(alice, CURL)
    clock.shift(1)
    start(alice, FIREFOX)
    start(alice, FIREFOX)
    assert offered(viewer, "browser") == ["Firefox"]
    assert listed(viewer, browser="curl") == [old.pk]
    assert offered(viewer, "browser", browser="curl", state="active") == ["Firefox", "curl"]


def test_there_are_never_more_choices_than_fit(viewer, alice, start, settings):
    settings.DEVICES = {"MAX_SESSIONS": None}
    for n in range(20):
        session = start(alice)
        DeviceSession.objects.filter(pk=session.pk).update(browser=f"Browser {n}")
    start(alice, CHROME)
    start(alice, CHROME)
    assert "Chrome" in offered(viewer, "browser")
    assert len(offered(viewer, "browser")) == 15


HOSTILE = [
    "\x00", "%", "_", "'", '"', "' OR 1=1--", "\\", "😀", "\u202e", "<script>", "a" * 5000, "-1",
    "9" * 40, "None", "null", "[]", "0x1F", "\r\nSet-Cookie: a=b", "１", "é", "active\x00",
]  # fmt: skip
PARAMETERS = [
    *("state", "since", "device_type", "os", "browser", "country", "user", "login_method"),
    *("suspicious", "binding", "reason", "on", "ended_on"),
]


@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("value", [*HOSTILE, "9999-12-31", "0001-01-01", "2026-02-30"], ids=ascii)
def test_A26_a_hostile_value_shows_nothing_and_breaks_nothing(
    viewer, alice, start, parameter, value
):
    start(alice)
    answer = viewer.get(LIST, {parameter: value})
    if answer.status_code == 200:
        assert list(answer.context["cl"].result_list) == []
    elif answer.status_code == 302:
        assert answer["Location"] == f"{LIST}?e=1"
    else:
        assert (answer.status_code, "\x00" in value) == (400, True)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("parameter", ["on", "ended_on", "from", "to"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_the_calendar_breaks_nothing_in_any_zone(
    viewer, settings, zone, parameter, day
):
    settings.TIME_ZONE = zone
    answer = viewer.get(LIST, {parameter: day})
    assert (answer.status_code, answer.get("Location")) in [(200, None), (302, f"{LIST}?e=1")]


@pytest.mark.parametrize("parameter", [*PARAMETERS, "q", "p", "o", "e", "all", "_popup", "_facets"])
def test_A26_every_parameter_can_be_empty_or_given_twice(viewer, alice, start, parameter):
    start(alice)
    assert viewer.get(f"{LIST}?{parameter}=").status_code in (200, 302)
    assert viewer.get(f"{LIST}?{parameter}&{parameter}=1&{parameter}=x").status_code in (200, 302)


@pytest.mark.parametrize("page", ["0", "-1", "2", "9" * 30, "x", "1.5", "😀"])
def test_A26_a_page_that_is_none_breaks_nothing(viewer, alice, bystanders, page):
    bystanders(alice, 60)
    assert viewer.get(LIST, {"p": page}).status_code in (200, 302)
