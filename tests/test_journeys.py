"""What the project is for, over real HTTP: two devices, one signed out, all signed out, an intruder."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.client import CHROME, IPHONE, PASSWORD
from tests.contract import PROTECTED

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = {"email": "alice@example.org", "password": PASSWORD}


class Device:
    """A program on one device that knows nothing but HTTP."""

    def __init__(self, url: str, agent: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"User-Agent": agent}, timeout=30)
        self.tokens: dict[str, Any] = {}

    def enter(self, path: str) -> "Device":
        answer = self.http.post(path, json=ALICE)
        assert answer.status_code in (200, 201), answer.text
        self.tokens = answer.json()
        self.http.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"
        return self

    @property
    def id(self) -> str:
        return self.tokens["session_id"]

    def listed(self) -> list[dict[str, Any]]:
        answer = self.http.get("/api/sessions")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self) -> httpx.Response:
        return self.http.post("/api/token/refresh", json={"refresh": self.tokens["refresh_token"]})

    def is_in(self) -> bool:
        return self.http.get("/api/me").status_code == 200

    def assert_out(self) -> None:
        """Neither token of this device opens anything any more."""
        for answer in (self.http.get("/api/me"), self.refresh()):
            assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
        for kind in ("access_token", "refresh_token"):
            answer = self.http.post("/api/token/verify", json={"token": self.tokens[kind]})
            assert answer.status_code == 401


@pytest.fixture
def laptop(live_server) -> Iterator[Device]:
    device = Device(live_server.url, CHROME).enter("/api/register")
    yield device
    device.http.close()


@pytest.fixture
def phone(laptop, live_server) -> Iterator[Device]:
    device = Device(live_server.url, IPHONE).enter("/api/login")
    yield device
    device.http.close()


def test_two_devices_see_each_other(laptop, phone):
    seen = {row["id"]: row for row in laptop.listed()}
    assert set(seen) == {laptop.id, phone.id}
    mine, other = seen[laptop.id], seen[phone.id]
    assert (mine["device"], mine["is_current"]) == ("Chrome on Windows", True)
    assert (other["device"], other["is_current"]) == ("Safari on iOS", False)
    assert (other["device_type"], other["is_mobile"]) == ("mobile", True)
    assert {row["ip_address"] for row in seen.values()} == {"127.0.0.1"}
    assert [row["id"] for row in phone.listed() if row["is_current"]] == [phone.id]


def test_one_is_signed_out_from_the_other_at_once(laptop, phone):
    assert laptop.http.delete(f"/api/sessions/{phone.id}").status_code == 204
    phone.assert_out()
    assert [row["id"] for row in laptop.listed()] == [laptop.id]
    assert laptop.refresh().status_code == 200
    past = laptop.http.get("/api/sessions/history").json()["results"]
    assert {(row["id"], row["status"], row["revoke_reason"]) for row in past} == {
        (laptop.id, "active", ""),
        (phone.id, "revoked", "user"),
    }


def test_all_others_are_signed_out_and_this_one_stays(laptop, phone):
    answer = laptop.http.post("/api/sessions/revoke-all?keep_current=true")
    assert answer.json() == {"revoked": 1}
    phone.assert_out()
    assert laptop.is_in()
    assert [row["id"] for row in laptop.listed()] == [laptop.id]


def test_everything_is_signed_out_and_this_one_too(laptop, phone):
    answer = laptop.http.post("/api/sessions/revoke-all?keep_current=false")
    assert answer.json() == {"revoked": 2}
    phone.assert_out()
    laptop.assert_out()
    assert laptop.enter("/api/login").is_in()
    assert len(laptop.listed()) == 1


CONFIRM = "/api/sessions/current/confirm"  # there is none for another session


@pytest.mark.parametrize(("method", "path", "body"), PROTECTED)
def test_OR1_who_was_thrown_out_can_do_nothing_more(laptop, phone, method, path, body):
    laptop.http.delete(f"/api/sessions/{phone.id}")
    before = laptop.http.get(f"/api/sessions/{laptop.id}").json()
    # Aimed at the session in hand, and at the one that threw it out.
    others = path.replace("current", laptop.id) if path != CONFIRM else path
    for target in (path, others):
        answer = phone.http.request(method.upper(), target, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
    assert laptop.is_in()
    assert laptop.http.get(f"/api/sessions/{laptop.id}").json() == before
    assert laptop.refresh().status_code == 200
    assert phone.enter("/api/login").is_in()


@pytest.mark.parametrize("query", ["", "?keep_current=true", "?keep_current=false"])
def test_OR1_who_was_thrown_out_throws_nobody_out(laptop, phone, query):
    laptop.http.delete(f"/api/sessions/{phone.id}")
    for token in ("access_token", "refresh_token"):
        headers = {"Authorization": f"Bearer {phone.tokens[token]}"}
        answer = phone.http.post("/api/sessions/revoke-all" + query, headers=headers)
        assert answer.status_code == 401
    blacklist = {"refresh": phone.tokens["refresh_token"]}
    assert phone.http.post("/api/token/blacklist", json=blacklist).status_code == 200
    assert laptop.is_in()
    assert [row["id"] for row in laptop.listed()] == [laptop.id]
