"""S (RFC 9449 §11.1): one proof, many requests at once, in several processes."""

import jwt
import pytest
from django.db import connection

from devices.models import Activity, DeviceSession
from tests.bus import redis_server
from tests.client import PASSWORD
from tests.dpop import Key

from .site import serve

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

MODES = pytest.mark.parametrize("site", ["database", "cached"], indirect=True)


class Phone:
    """A client of the site with a key, signed in."""

    def __init__(self, site, email):
        self.url, self.key = site.url, Key()
        body = {"email": email, "password": PASSWORD}
        headers = {"DPoP": self.key.proof("POST", f"{self.url}/api/login")}
        site.caller.cookies.clear()
        answer = site.caller.post("/api/login", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        self.session_id = answer.json()["session_id"]

    def headers(self, method, path):
        proof = self.key.proof(method, self.url + path, self.access)
        return {"Authorization": f"DPoP {self.access}", "DPoP": proof}

    def refreshed(self, caller):
        headers = {"DPoP": self.key.proof("POST", f"{self.url}/api/token/refresh")}
        return caller.post("/api/token/refresh", json={"refresh": self.refresh}, headers=headers)


def one_passes(site, email):
    phone = Phone(site, email)
    headers = phone.headers("GET", "/api/me")
    answers = site.par(20, lambda caller, i: caller.get("/api/me", headers=headers))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [401] * 19
    refused = [answer for answer in answers if answer.status_code == 401]
    assert {answer.json()["code"] for answer in refused} == {"invalid_dpop_proof"}
    return refused


@MODES
def test_S_RFC9449_of_twenty_requests_with_one_proof_one_passes(site, rounds, tally, alice):
    for _ in rounds(50):
        tally(rounds=1, passed=1, refused=len(one_passes(site, alice.email)))
    assert not Activity.objects.filter(kind="binding.failed").exists(), "they came from the holder"


def test_S_RFC9449_and_so_it_is_where_a_redis_remembers(
    sites, rounds, alice, tmp_path, monkeypatch
):
    sites("database")
    with redis_server() as server:
        monkeypatch.setenv("DEVICES_DPOP_STORE", f"redis://127.0.0.1:{server.port}/0")
        name = connection.settings_dict["NAME"]
        with serve(name, "database", tmp_path / "gunicorn.log") as site:
            for _ in rounds(20):
                one_passes(site, alice.email)


@MODES
def test_A15_parallel_refreshes_with_proofs_of_their_own_converge(site, rounds, alice):
    for _ in rounds(20):
        phone = Phone(site, alice.email)
        answers = site.par(20, lambda caller, i: phone.refreshed(caller))
        assert [answer.status_code for answer in answers] == [200] * 20
        assert {answer.json()["token_type"] for answer in answers} == {"DPoP"}
        [successor] = {answer.json()["refresh"] for answer in answers}
        claims = jwt.decode(successor, options={"verify_signature": False})
        assert (claims["session_id"], claims["generation"]) == (phone.session_id, 1)
        row = DeviceSession.objects.get(pk=phone.session_id)
        assert claims["cnf"] == {"jkt": row.binding_key}
        assert (row.generation, row.revoked_at) == (1, None)


@MODES
def test_no_process_that_remembers_a_bound_token_takes_it_from_a_thief(site, rounds, alice):
    for _ in rounds(20):
        phone = Phone(site, alice.email)

        def owner_and_thief(caller, i):
            if i % 2:
                return caller.get("/api/me", headers=phone.headers("GET", "/api/me")).status_code
            return caller.me(phone.access).status_code

        assert site.par(20, owner_and_thief) == [401, 200] * 10
    told = Activity.objects.filter(kind="binding.failed").values_list("session_id", flat=True)
    assert len(told) == len(set(told)), "each owner is told once"
