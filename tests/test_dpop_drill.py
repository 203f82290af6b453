"""The theft drill of docs/dpop.md: what somebody gets who copied the tokens, and who is told."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from devices.models import Activity, DeviceSession
from tests.client import Device
from tests.dpop import SITE, DPoPDevice, Key

TEXT = (Path(settings.BASE_DIR) / "docs" / "dpop.md").read_text()
HEADLESS = "/_allauth/app/v1"


class Theft:
    """A device of alice's, another one of hers, and a stranger who has what the first one sent."""

    def __init__(self, device, alice):
        self.owner = device.sign_in(alice.email)
        self.other = Device("curl/8.6.0").sign_in(alice.email)
        self.is_bound = isinstance(device, DPoPDevice)
        # The last request that was made, as it went over the wire.
        self.proof = ""
        if self.is_bound:
            self.proof = self.owner.key.proof("GET", f"{SITE}/api/me", self.owner.access)
            assert self.owner.get("/api/me", HTTP_DPOP=self.proof).status_code == 200
        self.stranger = Device("Mozilla/5.0", "198.51.100.66")

    def asks(self, method, path, *, scheme="Bearer", proof=""):
        headers = {"HTTP_AUTHORIZATION": f"{scheme} {self.owner.access}"}
        if proof:
            headers["HTTP_DPOP"] = proof
        return self.stranger.generic(method, path, **headers)

    def sends(self, path, body):
        return self.stranger.post(path, body)

    @property
    def scheme(self):
        return "DPoP" if self.is_bound else "Bearer"


def with_own_key(theft):
    proof = Key().proof("GET", f"{SITE}/api/me", theft.owner.access)
    return theft.asks("GET", "/api/me", scheme=theft.scheme, proof=proof)


# By the first column of the table.
STEPS = {
    "access token, `GET /api/me`": lambda t: t.asks("GET", "/api/me"),
    "access token, `GET /api/sessions`": lambda t: t.asks("GET", "/api/sessions"),
    "access token, `POST /api/sessions/revoke-all` just after the sign-in": lambda t: t.asks(
        "POST", "/api/sessions/revoke-all"
    ),
    "access token, `POST /api/token/verify`": lambda t: t.sends(
        "/api/token/verify", {"token": t.owner.access}
    ),
    "access token and a key of the thief's own, `GET /api/me`": with_own_key,
    "a request as it was, with its proof, `GET /api/me`": lambda t: t.asks(
        "GET", "/api/me", scheme=t.scheme, proof=t.proof
    ),
    "its proof for another request, `POST /api/logout`": lambda t: t.asks(
        "POST", "/api/logout", scheme=t.scheme, proof=t.proof
    ),
    "refresh token, `POST /api/token/refresh`": lambda t: t.sends(
        "/api/token/refresh", {"refresh": t.owner.refresh_token}
    ),
    "refresh token, allauth's `tokens/refresh`": lambda t: t.sends(
        f"{HEADLESS}/tokens/refresh", {"refresh_token": t.owner.refresh_token}
    ),
    "refresh token, `POST /api/token/blacklist`": lambda t: t.sends(
        "/api/token/blacklist", {"refresh": t.owner.refresh_token}
    ),
}


def table():
    rows = re.findall(r"^\| (.+?) \| (\d+.*?) \| (\d+.*?) \|$", TEXT, re.MULTILINE)
    return {what: (bearer, dpop) for what, bearer, dpop in rows}


def test_the_table_is_what_is_executed():
    assert list(table()) == list(STEPS)


def came(theft, answer):
    """What the stranger got, as the table says it."""
    told = str(answer.status_code)
    body = answer.json() if answer.content else {}
    if "code" in body:
        told += f" `{body['code']}`"
    session = DeviceSession.objects.get(pk=theft.owner.session_id)
    other = DeviceSession.objects.get(pk=theft.other.session_id)
    if session.revoked_at:
        told += ", the session ends"
    if other.revoked_at:
        told += ", the owner is signed out elsewhere"
    if answer.status_code == 200 and ("refresh" in body or "refresh_token" in str(body)):
        told += ", a new pair"
    return told


@pytest.mark.parametrize("what", STEPS)
@pytest.mark.parametrize("bound", [False, True], ids=["bearer", "DPoP"])
def test_a_thief_gets_what_the_document_says(alice, what, bound):
    theft = Theft(DPoPDevice() if bound else Device(), alice)
    answer = STEPS[what](theft)
    assert came(theft, answer) == table()[what][bound]
    if bound and answer.status_code >= 400:
        assert theft.owner.is_in(), "the owner stays signed in"
        told = Activity.objects.filter(kind="binding.failed")
        # A proof that the owner made is no sign of a copy by itself.
        assert told.exists() is (answer.json().get("code") != "invalid_dpop_proof")


def test_a_stolen_bearer_token_that_both_refresh_is_told(alice):
    theft = Theft(Device(), alice)
    stolen = theft.owner.refresh_token
    theft.owner.rotate().rotate()
    answer = theft.sends("/api/token/refresh", {"refresh": stolen})
    assert answer.json()["code"] == "refresh_reused"
