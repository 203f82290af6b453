"""A browser brings its key (DBSC): which proofs bind the session, and which do not."""

import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.signing import TimestampSigner
from django.utils import timezone

from devices.core import sessions
from devices.core.binding import dbsc
from devices.models import DeviceSession
from tests.dbsc import BoundBrowser, b64, bound_cookie, new_key, public, reheaded

REGISTRATION = "Secure-Session-Registration"

# Registrations that are refused. Each makes (headers of the JWS, payload, key that signs).


def challenge_of(answer):
    return answer[REGISTRATION].split('challenge="')[1].rstrip('"')


def registration(browser, answer, **changes):
    """What a browser would send, changed."""
    key = changes.pop("key", new_key())
    signer = changes.pop("signer", key)
    algorithm = changes.pop("algorithm", "ES256")
    header = {"typ": "dbsc+jwt", "jwk": public(key, algorithm)} | changes.pop("header", {})
    header = {name: value for name, value in header.items() if value is not ...}
    claims = {"jti": challenge_of(answer)} | changes.pop("claims", {})
    claims = {name: value for name, value in claims.items() if value is not ...}
    assert not changes
    return jwt.encode(claims, signer, algorithm, headers=header)


def private(key):
    return json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(key))


WRONG_REGISTRATIONS = {
    "none": lambda b, a: "",
    "no JWS": lambda b, a: "proof",
    "three dots": lambda b, a: "...",
    "not base64": lambda b, a: "!.!.!",
    "not ASCII": lambda b, a: "é.é.é",
    "too long": lambda b, a: "a" * 9000,
    "header is no object": lambda b, a: f"{b64([])}.{b64({})}.{b64(b'x')}",
    "typ missing": lambda b, a: registration(b, a, header={"typ": "JWT"}),
    "typ of DPoP": lambda b, a: registration(b, a, header={"typ": "dpop+jwt"}),
    "typ in capitals": lambda b, a: registration(b, a, header={"typ": "DBSC+JWT"}),
    "key missing": lambda b, a: registration(b, a, header={"jwk": ...}),
    "key is no object": lambda b, a: registration(b, a, header={"jwk": "key"}),
    "key in the payload, as older guides have it": lambda b, a: registration(
        b, a, header={"jwk": ...}, claims={"jwk": public(new_key())}
    ),
    "key by reference": lambda b, a: registration(
        b, a, header={"jwk": ..., "jku": "https://keys.example.org/"}
    ),
    "key is private": lambda b, a: (
        lambda k: registration(b, a, key=k, header={"jwk": private(k)})
    )(new_key()),
    "key lacks y": lambda b, a: (
        lambda k: registration(b, a, key=k, header={"jwk": {**public(k), "y": ""}})
    )(new_key()),
    "key of another curve": lambda b, a: (
        lambda k: registration(b, a, key=k, header={"jwk": {**public(k), "crv": "P-384"}})
    )(new_key()),
    "signed by another key": lambda b, a: registration(b, a, signer=new_key()),
    "signature of zeros": lambda b, a: (lambda j: j.rsplit(".", 1)[0] + "." + b64(b"\0" * 64))(
        registration(b, a)
    ),
    "signature cut": lambda b, a: registration(b, a)[:-4],
    "signature missing": lambda b, a: registration(b, a).rsplit(".", 1)[0] + ".",
    "alg none": lambda b, a: reheaded(registration(b, a), alg="none", typ="dbsc+jwt"),
    "alg HS256": lambda b, a: jwt.encode(
        {"jti": challenge_of(a)},
        "k" * 32,
        "HS256",
        headers={"typ": "dbsc+jwt", "jwk": public(new_key())},
    ),
    "alg differs from the key": lambda b, a: reheaded(
        registration(b, a), alg="RS256", typ="dbsc+jwt", jwk=public(new_key())
    ),
    "critical extension": lambda b, a: registration(b, a, header={"crit": ["exp"]}),
    "challenge missing": lambda b, a: registration(b, a, claims={"jti": ...}),
    "challenge is a number": lambda b, a: registration(b, a, claims={"jti": 1}),
    "challenge is null": lambda b, a: registration(b, a, claims={"jti": None}),
    "challenge as nonce": lambda b, a: registration(b, a, claims={"jti": ..., "nonce": "x"}),
    "challenge of nobody": lambda b, a: registration(b, a, claims={"jti": "challenge"}),
    "challenge signed by nobody": lambda b, a: registration(
        b,
        a,
        claims={"jti": TimestampSigner(key="x" * 40, salt="devices.dbsc.registration").sign("a.b")},
    ),
    "challenge for something else": lambda b, a: registration(
        b,
        a,
        claims={"jti": dbsc.challenge(DeviceSession.objects.get())},
    ),
    "a bound cookie as the challenge": lambda b, a: registration(
        b, a, claims={"jti": dbsc.cookie_of(DeviceSession.objects.get())}
    ),
    "payload is no object": lambda b, a: (
        lambda k: jwt.PyJWS().encode(
            b"[]", k, "ES256", headers={"typ": "dbsc+jwt", "jwk": public(k)}
        )
    )(new_key()),
    "EdDSA, which the protocol has not": lambda b, a: _eddsa(a),
}


def _eddsa(answer):
    key = Ed25519PrivateKey.generate()
    spelled = jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key(), as_dict=True)
    jwk = {name: spelled[name] for name in ("kty", "crv", "x")}
    return jwt.encode(
        {"jti": challenge_of(answer)}, key, "EdDSA", headers={"typ": "dbsc+jwt", "jwk": jwk}
    )


@pytest.mark.parametrize("wrong", WRONG_REGISTRATIONS)
def test_a_wrong_registration_binds_nothing(alice, wrong):
    browser = BoundBrowser()
    offered = browser.sign_in(alice.email)
    signed = WRONG_REGISTRATIONS[wrong](browser, offered)
    answer = browser.post("/devices/bind/", headers={"Secure-Session-Response": signed})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_proof")
    assert bound_cookie(answer) is None
    assert DeviceSession.objects.get().binding == "none"
    # And the right one still binds.
    assert browser.register(offered).status_code == 200


def test_a_registration_is_good_for_five_minutes_and_for_one_key(alice):
    browser = BoundBrowser()
    offered = browser.sign_in(alice.email)
    with time_machine.travel(timezone.now() + dbsc.REGISTRATION_AGE + timedelta(seconds=2)):
        assert browser.register(offered).json()["code"] == "invalid_proof"
    assert browser.register(offered).status_code == 200
    bound = DeviceSession.objects.get().binding_key
    thief = BoundBrowser()
    answer = thief.register(offered)
    assert (answer.status_code, answer.json()["code"]) == (403, "binding_required")
    assert bound_cookie(answer) is None
    assert DeviceSession.objects.get().binding_key == bound


def test_a_browser_that_lost_the_answer_registers_the_same_key_again_for_a_moment(alice):
    browser = BoundBrowser()
    offered = browser.sign_in(alice.email)
    key = new_key()
    signed = registration(browser, offered, key=key)

    def again():
        return browser.post("/devices/bind/", headers={"Secure-Session-Response": signed})

    assert [again().status_code, again().status_code] == [200, 200]
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert again().json()["code"] == "binding_required"


def test_an_ended_session_is_not_bound(alice):
    browser = BoundBrowser()
    offered = browser.sign_in(alice.email)
    sessions.logout(DeviceSession.objects.get())
    answer = browser.register(offered)
    assert (answer.status_code, answer.json()["code"]) == (403, "session_revoked")


def test_a_registration_needs_no_cookie_since_none_comes_behind_a_login_from_another_site(alice):
    browser = BoundBrowser()
    offered = browser.sign_in(alice.email)
    other = BoundBrowser()
    assert other.register(offered).status_code == 200
