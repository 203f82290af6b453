"""The caller's sessions over REST: what is shown, what can be changed, and who is refused."""

import re
import uuid

import pytest

from devices.models import Activity, DeviceSession
from tests.client import CHROME, FIREFOX, IPHONE, PASSWORD, Device, refusal

KEYS = {
    "id", "name", "device", "device_type", "browser", "os", "is_mobile", "ip_address", "last_ip",
    "country", "city", "is_place_uncertain", "user_agent", "login_method", "binding", "created_at",
    "last_active", "expires_at", "is_current",
}  # fmt: skip
NOT_FOUND = (404, "not_found")


def row(device):
    return DeviceSession.objects.get(pk=device.session_id)


def untouched(device):
    """Everything that is stored of a session; taken before and after."""
    return DeviceSession.objects.filter(pk=device.session_id).values().get()


# What is shown


def test_the_list_shows_each_login_and_which_one_is_this(alice, sign_in, clock):
    phone = sign_in(alice, IPHONE, "198.51.100.4")
    clock.shift(1)
    laptop = sign_in(alice, CHROME)
    listed = laptop.get("/api/sessions").json()
    assert [(row["id"], row["is_current"]) for row in listed] == [
        (laptop.session_id, True),
        (phone.session_id, False),
    ]
    assert all(set(row) == KEYS for row in listed)
    assert listed[1]["ip_address"] == "198.51.100.4"
    assert listed[1]["user_agent"] == IPHONE


def test_a_session_is_shown_as_it_is(alice, sign_in, clock):
    laptop = sign_in(alice, CHROME)
    clock.shift(90)
    phone = sign_in(alice, IPHONE, "198.51.100.4")
    assert laptop.get(f"/api/sessions/{phone.session_id}").json() == {
        "id": phone.session_id,
        "name": "",
        "device": "Safari on iOS",
        "device_type": "mobile",
        "browser": "Safari",
        "os": "iOS",
        "is_mobile": True,
        "ip_address": "198.51.100.4",
        "last_ip": "198.51.100.4",
        "country": "",
        "city": "",
        "is_place_uncertain": False,
        "user_agent": IPHONE,
        "login_method": "password",
        "binding": "none",
        "created_at": "2026-03-01T12:01:30Z",
        "last_active": "2026-03-01T12:01:30Z",
        "expires_at": "2026-03-31T12:01:30Z",
        "is_current": False,
    }


def test_8_2_3_no_secret_and_nothing_of_the_inside_is_shown(alice, sign_in):
    phone = sign_in(alice)
    phone.rotate()
    for path in ("", "/current", "/history"):
        text = phone.get("/api/sessions" + path).content.decode()
        assert not re.search("eyJ|jti|stamp|generation|device_key|latitude|revoked_by", text)


def test_current_is_the_session_that_asks(alice, sign_in):
    phone, laptop = sign_in(alice, IPHONE), sign_in(alice, CHROME)
    for device in (phone, laptop):
        shown = device.get("/api/sessions/current").json()
        assert (shown["id"], shown["is_current"]) == (device.session_id, True)
        assert shown == device.get(f"/api/sessions/{device.session_id}").json()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_times_are_in_utc_whatever_the_zone_of_the_site(alice, sign_in, settings, zone):
    settings.TIME_ZONE = zone
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DATETIME_FORMAT": "%c"}
    phone = sign_in(alice)
    past = phone.get("/api/sessions/history").json()["results"][0]
    done = phone.get("/api/sessions/current/activity").json()["results"][0]
    phone.post("/api/sessions/revoke-all?keep_current=false")
    ended = sign_in(alice).get("/api/sessions/history").json()["results"][1]
    times = [past["created_at"], past["last_active"], past["expires_at"], done["at"]]
    for time in [*times, ended["ended_at"]]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time)
    assert past["created_at"][:16] == row(phone).created_at.isoformat()[:16]


def test_the_list_is_in_the_order_of_last_activity(alice, sign_in, clock):
    devices = []
    for _ in range(3):
        devices.append(sign_in(alice))
        clock.shift(1)
    clock.shift(60)
    first, second, third = devices
    assert first.is_in()
    clock.shift(1)
    listed = [row["id"] for row in second.get("/api/sessions").json()]
    # The second is the freshest, by asking.
    assert listed == [second.session_id, first.session_id, third.session_id]


def test_the_list_shows_only_what_is_active_and_ones_own(alice, mallory, sign_in, clock):
    expired = sign_in(alice)
    clock.shift(29 * 24 * 3600)
    revoked, laptop, foreign = sign_in(alice), sign_in(alice), sign_in(mallory)
    revoked.post("/api/logout")
    clock.shift(2 * 24 * 3600)
    laptop.rotate()
    assert [row["id"] for row in laptop.get("/api/sessions").json()] == [laptop.session_id]
    assert [row["id"] for row in foreign.rotate().get("/api/sessions").json()] == [
        foreign.session_id
    ]
    assert refusal(laptop.get(f"/api/sessions/{expired.session_id}")) == NOT_FOUND


def test_EL8_an_idle_session_leaves_the_list_at_its_last_second(alice, sign_in, clock):
    idle = sign_in(alice)
    clock.shift(1)
    laptop = sign_in(alice)
    clock.shift(30 * 24 * 3600 - 2)
    assert len(laptop.rotate().get("/api/sessions").json()) == 2
    clock.shift(1)
    assert [row["id"] for row in laptop.get("/api/sessions").json()] == [laptop.session_id]
    assert laptop.post("/api/sessions/current/confirm", {"password": PASSWORD}).status_code == 200
    assert refusal(laptop.delete(f"/api/sessions/{idle.session_id}")) == NOT_FOUND


# Who is refused


def asks(device, session_id):
    """Every way to ask for a session by its id."""
    path = f"/api/sessions/{session_id}"
    return [
        device.get(path),
        device.head(path),
        device.patch(path, {"name": "mine now"}),
        device.delete(path),
        device.get(path + "/activity"),
        device.get(path + "/"),
        device.delete(path + "/"),
    ]


def test_A01_a_foreign_session_is_as_unknown_as_any(alice, mallory, sign_in):
    phone, intruder = sign_in(alice), sign_in(mallory)
    before = untouched(phone)
    foreign = asks(intruder, phone.session_id)
    unknown = asks(intruder, uuid.uuid4())
    for ours, theirs in zip(foreign, unknown, strict=True):
        assert ours.status_code == theirs.status_code == 404
        assert ours.content == theirs.content
        assert ours.headers == theirs.headers
    assert refusal(foreign[0]) == NOT_FOUND
    assert untouched(phone) == before
    assert Activity.objects.filter(session_id=phone.session_id).count() == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda phone, laptop, clock: phone.post("/api/logout"),
        lambda phone, laptop, clock: laptop.delete(f"/api/sessions/{phone.session_id}"),
        lambda phone, laptop, clock: laptop.post("/api/sessions/revoke-all"),
        lambda phone, laptop, clock: (clock.shift(30 * 24 * 3600 - 1), laptop.rotate()),
    ],
    ids=["logout", "revoked", "revoke-all", "expired"],
)
def test_A36_an_ended_session_is_as_unknown_as_any(alice, sign_in, clock, end):
    phone = sign_in(alice)
    clock.shift(1)
    laptop = sign_in(alice)
    end(phone, laptop, clock)
    laptop.post("/api/sessions/current/confirm", {"password": PASSWORD})
    before = untouched(phone)
    shown, *changes = asks(laptop, phone.session_id)[:4]
    assert refusal(shown) == NOT_FOUND
    assert [answer.status_code for answer in changes] == [404] * 3
    assert untouched(phone) == before
    # But its log is still there for its owner.
    assert laptop.get(f"/api/sessions/{phone.session_id}/activity").status_code == 200


SPELLINGS = {
    "upper case": str.upper,
    "no dashes": lambda text: text.replace("-", ""),
    "urn": "urn:uuid:{}".format,
    "uuid prefix": "uuid:{}".format,
    "braces": "{{{}}}".format,
    "one brace": "{{{}".format,
    "other dashes": lambda text: "-".join(text.replace("-", "")),
    "int": lambda text: str(uuid.UUID(text).int),
    "hex": lambda text: hex(uuid.UUID(text).int),
    "a blank": "{}%20".format,
    "a blank before": "%20{}".format,
    "a newline": "{}%0a".format,
    "NUL": "{}%00".format,
    "cut": lambda text: text[:-1],
    "star": lambda text: "*",
    "dot": lambda text: "%2e",
    "two dots": lambda text: "%2e%2e",
    "backslash": "{}%5c".format,
    "percent": lambda text: "%25",
    "no utf-8": lambda text: "%ff%fe",
    "other digits": lambda text: text.translate({48 + n: 0x0660 + n for n in range(10)}),
    "full width": lambda text: text.translate({48 + n: 0xFF10 + n for n in range(10)}),
    "SQL": "{}'%20OR%201=1--".format,
    "two ids": "{0},{0}".format,
    "Current": lambda text: "Current",
    "CURRENT": lambda text: "CURRENT",
    "me": lambda text: "me",
    "10 kB": lambda text: "a" * 10_000,
    "10 kB of digits": lambda text: "1" * 10_000,
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_A02_there_is_one_spelling_of_an_id(alice, sign_in, spell):
    phone, laptop = sign_in(alice), sign_in(alice)
    before = untouched(phone)
    answers = asks(laptop, spell(phone.session_id))
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert answers[0].json() == {"detail": "Not found.", "code": "not_found"}
    assert untouched(phone) == before
    assert phone.is_in()
    assert laptop.is_in()


# Renaming


@pytest.mark.parametrize("which", ["current", "other"])
def test_TD8_each_device_can_be_given_a_name_this_one_too(alice, sign_in, which):
    phone, laptop = sign_in(alice), sign_in(alice)
    session_id = "current" if which == "current" else laptop.session_id
    answer = phone.patch(f"/api/sessions/{session_id}", {"name": "My old friend"})
    assert answer.status_code == 200
    assert set(answer.json()) == KEYS
    assert answer.json()["name"] == "My old friend"
    assert phone.get(f"/api/sessions/{session_id}").json() == answer.json()
    assert row(phone if which == "current" else laptop).name == "My old friend"


def test_a_name_can_be_taken_back(alice, sign_in):
    phone = sign_in(alice)
    phone.patch("/api/sessions/current", {"name": "x"})
    assert phone.patch("/api/sessions/current", {"name": ""}).json()["name"] == ""


GOOD_NAMES = {
    "64 characters": "n" * 64,
    "64 emoji": "\U0001f4f1" * 64,
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467 tablet",
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Hebrew with its mark": "הטלפון\u200f שלי!",
    "accents": "téléphone à moi",
    "markup": "<script>alert(1)</script>",
    "SQL": "'; DROP TABLE devices_devicesession; --",
    "a formula": "=HYPERLINK(1)",
    "a template": "{{7*7}} %s {0}",
}


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_A27_a_name_is_kept_to_the_letter(alice, sign_in, name):
    phone = sign_in(alice)
    answer = phone.patch("/api/sessions/current", {"name": name})
    assert answer.status_code == 200
    assert answer.json()["name"] == row(phone).name == name


BAD_NAMES = {
    "65 characters": "n" * 65,
    "65 emoji": "\U0001f4f1" * 65,
    "100 kB": "n" * 100_000,
    "NUL": "a\x00b",
    "newline": "a\nb",
    "carriage return": "a\r\nSet-Cookie: x",
    "escape": "a\x1b[2Jb",
    "delete": "a\x7fb",
    "C1": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "override": "a\u202eb",
    "embedding": "a\u202ab",
    "isolate": "a\u2066b",
    "null": None,
    "a number": 5,
    "a float": 1.5,
    "true": True,
    "false": False,
    "a list": ["a"],
    "an object": {"a": "b"},
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_2_1_3_a_bad_name_is_refused_and_changes_nothing(alice, sign_in, name):
    phone = sign_in(alice)
    phone.patch("/api/sessions/current", {"name": "as it was"})
    before = untouched(phone)
    answer = phone.patch("/api/sessions/current", {"name": name})
    assert answer.status_code == 400
    assert set(answer.json()) in ({"name"}, {"detail", "code"})
    assert untouched(phone) == before


def test_a_name_has_to_be_given(alice, sign_in):
    answer = sign_in(alice).patch("/api/sessions/current", {})
    assert (answer.status_code, set(answer.json())) == (400, {"name"})


def test_A36_a_patch_writes_the_name_and_nothing_else(alice, mallory, sign_in, clock):
    phone, laptop = sign_in(alice), sign_in(alice)
    forged = {
        "id": str(uuid.uuid4()),
        "user": mallory.pk,
        "user_id": mallory.pk,
        "device": "iPhone of the president",
        "device_type": "tv",
        "ip_address": "192.0.2.1",
        "last_ip": "192.0.2.1",
        "user_agent": "x",
        "country": "XX",
        "login_method": "passkey",
        "created_at": "2000-01-01T00:00:00Z",
        "last_active": "2100-01-01T00:00:00Z",
        "expires_at": "2100-01-01T00:00:00Z",
        "absolute_expires_at": "2100-01-01T00:00:00Z",
        "authenticated_at": "2100-01-01T00:00:00Z",
        "mfa_at": "2100-01-01T00:00:00Z",
        "revoked_at": "2000-01-01T00:00:00Z",
        "revoke_reason": "logout",
        "revoked_by": mallory.pk,
        "device_key": "x",
        "password_stamp": "x",
        "generation": 7,
        "is_current": True,
    }
    before = untouched(laptop)
    answer = phone.patch(f"/api/sessions/{laptop.session_id}", {"name": "mine", **forged})
    assert answer.status_code == 200
    assert answer.json()["is_current"] is False
    assert untouched(laptop) == {**before, "name": "mine"}
    assert phone.patch("/api/sessions/current", forged).status_code == 400


def test_A36_nothing_brings_an_ended_session_back(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    phone.delete(f"/api/sessions/{laptop.session_id}")
    revived = {"name": "x", "revoked_at": None, "revoke_reason": ""}
    answer = phone.patch(f"/api/sessions/{laptop.session_id}", revived)
    assert refusal(answer) == NOT_FOUND
    assert not laptop.is_in()


# Signing out


def test_a_session_signed_out_from_another_is_dead_at_once(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    answer = phone.delete(f"/api/sessions/{laptop.session_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert refusal(laptop.get("/api/me")) == (401, "session_revoked")
    assert refusal(laptop.refresh()) == (401, "session_revoked")
    assert (row(laptop).revoke_reason, row(laptop).revoked_by_id) == ("user", alice.pk)
    assert phone.is_in()


@pytest.mark.parametrize("spelling", ["current", "own id"])
def test_signing_out_the_current_session_is_a_logout(alice, sign_in, spelling):
    phone, laptop = sign_in(alice), sign_in(alice)
    session_id = "current" if spelling == "current" else phone.session_id
    assert phone.delete(f"/api/sessions/{session_id}").status_code == 204
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert row(phone).revoke_reason == "logout"
    assert laptop.is_in()


def test_DS4_signing_out_again_leaves_the_first_stamp(alice, sign_in, clock):
    phone, laptop = sign_in(alice), sign_in(alice)
    phone.delete(f"/api/sessions/{laptop.session_id}")
    before = untouched(laptop)
    clock.shift(1)
    assert refusal(phone.delete(f"/api/sessions/{laptop.session_id}")) == NOT_FOUND
    phone.post("/api/sessions/revoke-all")
    assert untouched(laptop) == before


@pytest.mark.parametrize(
    ("query", "revoked", "stays"),
    [
        ("", 2, True),
        ("?keep_current=true", 2, True),
        ("?keep_current=false", 3, False),
    ],
)
def test_revoke_all_counts_what_it_signs_out(alice, mallory, sign_in, query, revoked, stays):
    phone, *others = (sign_in(alice) for _ in range(3))
    sign_in(alice).post("/api/logout")
    foreign = sign_in(mallory)
    answer = phone.post("/api/sessions/revoke-all" + query)
    assert (answer.status_code, answer.json()) == (200, {"revoked": revoked})
    assert phone.is_in() is stays
    assert not any(device.is_in() for device in others)
    assert {row(device).revoke_reason for device in others} == {"user_all"}
    assert {row(device).revoked_by_id for device in others} == {alice.pk}
    assert foreign.is_in()


def test_revoke_all_a_second_time_finds_nothing(alice, sign_in):
    phone, _ = sign_in(alice), sign_in(alice)
    assert phone.post("/api/sessions/revoke-all").json() == {"revoked": 1}
    assert phone.post("/api/sessions/revoke-all").json() == {"revoked": 0}


@pytest.mark.parametrize(
    "query",
    [
        "keep_current=True", "keep_current=1", "keep_current=0", "keep_current=junk",
        "keep_current=", "keep_current", "keep_current=true&keep_current=false",
        "keep_current=false&keep_current=false", "keep_current=%00", "keep_current=true%20",
        "keep_current=%ff", "keep_current=" + "f" * 5000,
    ],
)  # fmt: skip
def test_A02_revoke_all_takes_true_or_false_and_nothing_else(alice, sign_in, query):
    phone, laptop = sign_in(alice), sign_in(alice)
    before = untouched(phone), untouched(laptop)
    answer = phone.post("/api/sessions/revoke-all?" + query)
    assert (answer.status_code, set(answer.json())) == (400, {"keep_current"})
    assert (untouched(phone), untouched(laptop)) == before


# The limit, and activity


def test_A23_a_login_beyond_the_limit_ends_the_least_recently_active(
    alice, sign_in, clock, settings
):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 3}
    devices = []
    for _ in range(3):
        devices.append(sign_in(alice))
        clock.shift(61)
    everyday, forgotten, _ = devices
    assert everyday.is_in()
    clock.shift(1)
    newest = sign_in(alice)
    assert refusal(forgotten.get("/api/me")) == (401, "session_revoked")
    assert refusal(forgotten.refresh()) == (401, "session_revoked")
    assert row(forgotten).revoke_reason == "limit"
    assert row(forgotten).revoked_by_id is None
    # JN5: the oldest login is the phone of every day, and stays.
    assert [row["id"] for row in newest.get("/api/sessions").json()] == [
        newest.session_id,
        everyday.session_id,
        devices[2].session_id,
    ]


@pytest.mark.parametrize("path", ["/api/login", "/api/token"])
def test_EL4_every_sign_in_method_keeps_the_limit(alice, sign_in, settings, path):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    credentials = {"email": alice.email, "password": "correct horse battery 9"}
    for _ in range(4):
        assert Device().post(path, credentials).status_code == 200
    assert DeviceSession.objects.active().count() == 2


def test_without_a_limit_nobody_is_evicted(alice, sign_in, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    devices = [sign_in(alice) for _ in range(22)]
    assert all(device.is_in() for device in devices)


def test_OR4_activity_is_noted_at_most_once_a_minute(alice, sign_in, clock):
    phone = sign_in(alice, ip="203.0.113.7")
    begun = row(phone).last_active
    for elapsed, seen in [(59, 0), (60, 60), (119, 60), (120, 120)]:
        clock.move_to(begun.timestamp() + elapsed)
        assert phone.is_in()
        assert (row(phone).last_active - begun).total_seconds() == seen


def test_TD5_a_phone_that_changes_networks_keeps_its_session(alice, sign_in, clock):
    phone = sign_in(alice, IPHONE, "203.0.113.7")
    phone.defaults["REMOTE_ADDR"] = "2001:db8::7"
    phone.hold({"access": phone.access, "refresh": phone.refresh_token})
    assert phone.is_in()
    clock.shift(60)
    shown = phone.get("/api/sessions/current").json()
    assert (shown["ip_address"], shown["last_ip"]) == ("203.0.113.7", "2001:db8::7")


def test_a_browser_that_updates_keeps_its_session(alice, sign_in):
    laptop = sign_in(alice, CHROME)
    laptop.defaults["HTTP_USER_AGENT"] = FIREFOX
    laptop.hold({"access": laptop.access, "refresh": laptop.refresh_token})
    assert laptop.get("/api/sessions/current").json()["user_agent"] == CHROME
