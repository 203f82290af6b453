"""All sessions of the caller, ended ones too, and how each ended."""

from base64 import b64encode
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.client import refusal
from tests.devices.api.test_sessions import KEYS

HISTORY = "/api/sessions/history"
DAY = 24 * 3600


def walk(device, path, link="next"):
    """The rows of all pages from this one on, and how long each page was."""
    rows, sizes = [], []
    while path:
        page = device.get(path).json()
        assert set(page) == {"next", "previous", "results"}
        rows += page["results"]
        sizes.append(len(page["results"]))
        path = page[link] and path_of(page[link])
    return rows, sizes


def path_of(url):
    return "{0.path}?{0.query}".format(urlsplit(url))


def test_the_history_tells_how_each_session_ended(alice, sign_in, clock):
    expired = sign_in(alice)
    clock.shift(30 * DAY)
    logged_out, thrown_out, laptop = (sign_in(alice) for _ in range(3))
    clock.shift(1)
    logged_out.post("/api/logout")
    clock.shift(1)
    laptop.delete(f"/api/sessions/{thrown_out.session_id}")
    rows = {row["id"]: row for row in laptop.get(HISTORY).json()["results"]}
    assert all(set(row) == KEYS | {"status", "ended_at", "revoke_reason"} for row in rows.values())
    ends = {key: (r["status"], r["ended_at"], r["revoke_reason"]) for key, r in rows.items()}
    assert ends == {
        expired.session_id: ("expired", "2026-03-31T12:00:00Z", ""),
        logged_out.session_id: ("revoked", "2026-03-31T12:00:01Z", "logout"),
        thrown_out.session_id: ("revoked", "2026-03-31T12:00:02Z", "user"),
        laptop.session_id: ("active", None, ""),
    }
    assert [row["id"] for row in rows.values() if row["is_current"]] == [laptop.session_id]


def test_the_history_tells_of_every_reason(alice, sign_in, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    sign_in(alice)
    sign_in(alice)
    laptop = sign_in(alice)
    laptop.post("/api/sessions/revoke-all?keep_current=false")
    sign_in(alice)
    alice.set_password("another horse 9 battery")
    alice.save()
    last = sign_in(alice, password="another horse 9 battery")
    reasons = [row["revoke_reason"] for row in last.get(HISTORY).json()["results"]]
    assert reasons == ["", "password_changed", "user_all", "user_all", "limit"]


def test_the_history_is_newest_first_and_ones_own(alice, mallory, sign_in, clock):
    devices = []
    for _ in range(3):
        sign_in(mallory)
        devices.append(sign_in(alice))
        clock.shift(61)
    # What is done with a session does not move it in the history.
    assert devices[0].is_in()
    listed = [row["id"] for row in devices[1].get(HISTORY).json()["results"]]
    assert listed == [device.session_id for device in reversed(devices)]


@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "one after the other"])
def test_pages_miss_nothing_and_repeat_nothing(alice, sign_in, clock, settings, at_once):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 5}
    devices = []
    for _ in range(23):
        devices.append(sign_in(alice))
        clock.shift(0 if at_once else 1)
    expected = {device.session_id for device in devices}
    rows, sizes = walk(devices[-1], HISTORY)
    assert sizes == [20, 3]
    assert len(rows) == 23
    assert {row["id"] for row in rows} == expected
    rows, sizes = walk(devices[-1], f"{HISTORY}?page_size=7")
    assert sizes == [7, 7, 7, 2]
    assert len({row["id"] for row in rows}) == 23


def test_pages_lead_back(alice, sign_in, clock):
    for _ in range(5):
        device = sign_in(alice)
        clock.shift(1)
    first = device.get(f"{HISTORY}?page_size=2").json()
    assert first["previous"] is None
    second = device.get(path_of(first["next"])).json()
    back = device.get(path_of(second["previous"])).json()
    assert back["results"] == first["results"]
    assert second["next"].startswith("http://testserver/api/sessions/history?cursor=")


def test_a_page_is_stable_while_sessions_begin(alice, sign_in, clock):
    for _ in range(4):
        device = sign_in(alice)
        clock.shift(1)
    first = device.get(f"{HISTORY}?page_size=2").json()
    before = device.get(path_of(first["next"])).json()["results"]
    sign_in(alice)
    assert device.get(path_of(first["next"])).json()["results"] == before


@pytest.mark.parametrize("size", ["1", "100", "007"])
def test_a_page_holds_up_to_a_hundred(alice, sign_in, size):
    assert sign_in(alice).get(f"{HISTORY}?page_size={size}").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["0", "101", "-1", "x", "", "1.5", "1e1", "+1", "%20 1", "9" * 5000, "٣", "%00", "1&page_size=1"],
)  # fmt: skip
def test_2_1_3_a_page_of_another_size_is_refused(alice, sign_in, query):
    phone = sign_in(alice)
    for path in (HISTORY, "/api/sessions/current/activity"):
        answer = phone.get(f"{path}?page_size={query}")
        assert answer.status_code == 400
        assert answer.json() == {"page_size": ["Give a number from 1 to 100, once."]}


def cursor(position="", **more):
    tokens = {"p": position, **more} if position else more
    return quote(b64encode(urlencode(tokens).encode()).decode())


CURSORS = {
    "junk": "junk",
    "not ascii": "%ff%fe",
    "text for a time": cursor("yesterday"),
    "a number for a time": cursor("1"),
    "no such day": cursor("2026-02-30 12:00:00+00:00"),
    "a time without a zone": cursor("2026-03-01 12:00:00"),
    "before all time": cursor("0001-01-01 00:00:00+23:59"),
    "after all time": cursor("9999-12-31 23:59:59-23:59"),
    "the first day, which is before all time elsewhere": cursor("0001-01-01 00:00:00+00:00"),
    "the last day, which is after all time elsewhere": cursor("9999-12-31 23:59:59+00:00"),
    "a year of five digits": cursor("10000-01-01 00:00:00+00:00"),
    "SQL": cursor("' OR 1=1 --"),
    "an offset that is none": cursor(o="x"),
    "a negative offset": cursor(o="-1"),
    "a direction that is none": cursor(r="x"),
    "two": "cD0x&cursor=cD0x",
}


@pytest.mark.parametrize("given", CURSORS.values(), ids=CURSORS)
def test_a_cursor_that_is_none_of_ours_leads_nowhere(alice, sign_in, given):
    phone = sign_in(alice)
    for path in (HISTORY, "/api/sessions/current/activity"):
        assert refusal(phone.get(f"{path}?cursor={given}")) == (404, "not_found")


HARMLESS = {
    "none": "",
    "not base64": "!!!",
    "NUL": "%00",
    "10 kB": "A" * 10_000,
    "NUL in a time": cursor("2026-03-01 12:00:00+00:00\x00"),
    "beyond the end": cursor(o="999999999999999999999"),
    "backwards": cursor(r="1"),
}


@pytest.mark.parametrize("given", HARMLESS.values(), ids=HARMLESS)
def test_a_cursor_that_says_nothing_is_an_empty_or_a_first_page(alice, sign_in, given):
    answer = sign_in(alice).get(f"{HISTORY}?cursor={given}")
    assert answer.status_code == 200
    assert len(answer.json()["results"]) <= 1


def test_a_foreign_cursor_shows_no_foreign_sessions(alice, mallory, sign_in, clock):
    for _ in range(3):
        phone, intruder = sign_in(alice), sign_in(mallory)
        clock.shift(1)
    following = phone.get(f"{HISTORY}?page_size=1").json()["next"]
    rows, _ = walk(intruder, path_of(following))
    mine = {row["id"] for row in intruder.get("/api/sessions").json()}
    assert {row["id"] for row in rows} <= mine


@pytest.mark.parametrize("query", ["ordering=user__password", "email=%00", "ip=junk", "user=1"])
def test_A26_other_parameters_are_not_looked_at(alice, mallory, sign_in, query):
    phone = sign_in(alice)
    sign_in(mallory)
    assert phone.get(f"{HISTORY}?{query}").json() == phone.get(HISTORY).json()
