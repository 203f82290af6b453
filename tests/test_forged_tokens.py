"""Tokens that are not ours, not whole, not in time or not of this kind open nothing and change nothing."""

import json
import socket
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from jwt.algorithms import RSAAlgorithm
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken

from devices.core import tokens
from devices.exceptions import TokenNotValid
from devices.models import DeviceSession
from tests.client import Device, refusal
from tests.forge import ABSENT, base64, claims_of, encoded, signed, with_claims

NOT_VALID = (401, "token_not_valid")


@pytest.fixture
def phone(alice, sign_in):
    """A signed-in device; no forgery has changed anything about it in the end."""
    device = sign_in(alice)
    before = list(DeviceSession.objects.values())
    yield device
    assert list(DeviceSession.objects.values()) == before


def bearing(token, scheme="Bearer "):
    return Device().get("/api/me", HTTP_AUTHORIZATION=scheme + token)


def assert_worthless(token):
    """Every way in refuses the token, and ending its session by it ends nothing."""
    assert refusal(bearing(token)) == NOT_VALID, token
    assert refusal(Device().refresh(token)) == NOT_VALID, token
    assert refusal(Device().post("/api/token/verify", {"token": token})) == NOT_VALID, token
    answer = Device().post("/api/token/blacklist", {"refresh": token})
    assert (answer.status_code, answer.json()) == (200, {})


def both(device):
    return (device.access, device.refresh_token)


# Not signed, or not by us


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", None, [], ["none"], {}, 0, ABSENT]
)
def test_A03_a_token_without_an_algorithm_is_worthless(phone, alg):
    header = {"typ": "JWT"} if alg is ABSENT else {"alg": alg, "typ": "JWT"}
    for token in both(phone):
        _, payload, signature = token.split(".")
        unsigned = f"{encoded(header).decode()}.{payload}"
        for forged in (unsigned, f"{unsigned}.", f"{unsigned}.{signature}"):
            assert_worthless(forged)


@pytest.mark.parametrize("bits", ["384", "512"])
def test_A04_another_hash_under_the_same_key_is_worthless(phone, bits):
    for token in both(phone):
        assert_worthless(signed(claims_of(token), {"alg": f"HS{bits}", "typ": "JWT"}, bits=bits))


def test_A04_a_public_key_is_no_secret_to_sign_with(phone, monkeypatch):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key()
    backend = TokenBackend("RS256", private, public, audience="devices-api", issuer="devices")
    monkeypatch.setattr("rest_framework_simplejwt.state.token_backend", backend)
    claims = claims_of(phone.access)
    assert bearing(jwt.encode(claims, private, "RS256")).status_code == 200
    pem, der = Encoding.PEM, Encoding.DER
    spki, pkcs1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1
    for key in (
        public.public_bytes(pem, spki),
        public.public_bytes(pem, spki).strip(),
        public.public_bytes(pem, pkcs1),
        public.public_bytes(der, spki),
        public.public_bytes(der, pkcs1),
        RSAAlgorithm.to_jwk(public),
        json.dumps(json.loads(RSAAlgorithm.to_jwk(public)), separators=(",", ":")),
    ):
        assert_worthless(signed(claims, key=key))
    assert_worthless(phone.access)


@pytest.mark.parametrize("key", ["", "secret", settings.SECRET_KEY, "devices", "\0"])
def test_7_2_1_a_token_under_another_key_is_worthless(phone, key):
    for token in both(phone):
        assert_worthless(signed(claims_of(token), key=key))


@pytest.mark.parametrize("pointer", ["kid", "jku", "jwk", "x5u", "x5c", "x5t"])
def test_9_1_3_a_key_that_the_token_brings_or_points_to_is_not_looked_at(
    phone, monkeypatch, pointer
):
    def nowhere(*args, **kwargs):
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket, "create_connection", nowhere)
    monkeypatch.setattr(socket.socket, "connect", nowhere)
    brought = {"kty": "oct", "k": base64(b"mine" * 8).decode()}
    for value in ("http://127.0.0.1/keys", "../../dev/null", "' OR 1=1 --", brought, [brought]):
        header = {"alg": "HS256", "typ": "JWT", pointer: value}
        assert_worthless(signed(claims_of(phone.access), header, key=b"mine" * 8))


def test_9_1_1_no_bit_of_a_token_can_be_flipped(phone):
    for token, read in (
        (phone.access, tokens.read_access),
        (phone.refresh_token, tokens.read_refresh),
    ):
        raw = token.encode()
        # The last character of the signature has two bits that stand for nothing.
        for place in range(len(raw) - 1):
            for bit in range(8):
                flipped = bytearray(raw)
                flipped[place] ^= 1 << bit
                with pytest.raises(TokenNotValid):
                    read(bytes(flipped))
    for place in range(0, len(phone.access), 7):
        flipped = bytearray(phone.access.encode())
        flipped[place] ^= 1 << place % 8
        assert bearing(flipped.decode("latin-1")).status_code == 401


def test_7_2_1_edited_claims_under_the_old_signature_are_worthless(phone, mallory, sign_in):
    foreign = sign_in(mallory)
    for change in (
        {"session_id": foreign.session_id},
        {"user_id": str(mallory.pk)},
        {"user_id": str(mallory.pk), "session_id": foreign.session_id},
        {"exp": 4_000_000_000},
        {"generation": 1},
        {"is_staff": True},
        {"token_type": "refresh"},
    ):
        header, _, signature = phone.access.split(".")
        forged = encoded({**claims_of(phone.access), **change}).decode()
        assert_worthless(f"{header}.{forged}.{signature}")
    foreign.post("/api/logout")
    DeviceSession.objects.filter(pk=foreign.session_id).delete()


def test_parts_of_two_tokens_are_worthless(phone, mallory, sign_in):
    one, two = phone.access.split("."), phone.refresh_token.split(".")
    assert_worthless(".".join((one[0], two[1], one[2])))
    assert_worthless(".".join((one[0], one[1], two[2])))
    assert_worthless(".".join(one[:2]))
    assert_worthless(".".join([*one, one[2]]))
    assert_worthless(phone.access + phone.access)


HEADERS = {
    "not JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "a number": b"1",
    "no utf-8": b"\xff",
    "NaN": b'{"alg": NaN}',
    "nested deeply": b'{"alg": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "nested too deeply": b"[" * 3000,
    "a huge number": b'{"alg": ' + b"9" * 5000 + b"}",
    "an unknown extension": b'{"alg": "HS256", "crit": ["exp"], "exp": 1}',
    "a detached payload": b'{"alg": "HS256", "b64": false, "crit": ["b64"]}',
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_none_is_worthless(phone, header):
    for token in both(phone):
        assert_worthless(signed(claims_of(token), header))


PAYLOADS = {
    "not JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "text": b'"x"',
    "empty": b"",
    "no utf-8": b"\xff",
    "nested deeply": b"[" * 3000 + b"]" * 3000,
    "nested in a claim": b'{"exp": ' + b"[" * 900 + b"]" * 900 + b"}",
    "nested in a claim, deeper": b'{"exp": ' + b"[" * 985 + b"]" * 985 + b"}",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_that_is_none_is_worthless(phone, payload):
    assert_worthless(signed(payload))


# Signed by us, but with claims that none of ours has

CLAIMS = {
    "exp": [
        ABSENT, None, "", "soon", [], {}, True, -1, 0, 2**63, 2**64, 10**17, -(10**17), 1e308, -1e308,
        10**400, float("nan"), float("inf"),
    ],
    "nbf": ["soon", [], {}, 2**63, 1e308, float("nan"), float("inf")],
    "iat": ["now", [], {}, 2**63, 1e308, float("nan")],
    "iss": [ABSENT, None, "", "Devices", "other", ["devices"], {}, 1],
    "aud": [ABSENT, None, "", "other", [], ["devices-api"], ["other", "devices-api"], {"devices-api": 1}, 1],
    "jti": [ABSENT, 1, None, []],
    "user_id": [
        ABSENT, None, "", "0", "-1", "x", "9" * 30, "9" * 5000, "1\0", "1 OR 1=1", 1, 1.0, True,
        [], ["1"], {},
    ],
    "session_id": [
        ABSENT, None, "", "x", "current", 1, True, [], {}, "\0", "*", "9" * 32, "x" * 5000,
    ],
    "generation": [
        ABSENT, None, "", "0", "x", -1, -(2**63), 0.0, 1.5, 1e308, True, False, [], [0], {}, float("nan"),
    ],
    "token_type": [
        ABSENT, None, "", "Access", "ACCESS", "sliding", "reset", "signing", [], ["access"], {}, True, 0,
    ],
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_9_2_1_a_claim_that_none_of_ours_has_makes_a_token_worthless(phone, claim):
    for value in CLAIMS[claim]:
        for token in both(phone):
            assert_worthless(with_claims(token, **{claim: value}))


@pytest.mark.parametrize("exponent", [31, 32, 63, 64, 400])
def test_R22_a_generation_that_no_session_reaches_is_worthless(phone, exponent):
    for token in both(phone):
        for generation in (2**exponent - 1, 2**exponent):
            assert_worthless(with_claims(token, generation=generation))


def test_R22_an_access_token_of_a_generation_that_is_yet_to_come_is_worthless(phone):
    for generation in (1, 2**31 - 2):
        assert_worthless(with_claims(phone.access, generation=generation))
    # A refresh token of it is what a failover leaves: tests/test_refresh_rotation.py.


def test_9_2_1_a_token_counts_from_its_start_to_its_end_within_the_leeway(clock, phone):
    now = claims_of(phone.access)["iat"]
    for claim, good, bad in (
        ("exp", now - 4, now - 5),
        ("nbf", now + 5, now + 6),
        ("iat", now + 5, now + 6),
    ):
        assert bearing(with_claims(phone.access, **{claim: good})).status_code == 200
        assert_worthless(with_claims(phone.access, **{claim: bad}))


def test_9_2_2_a_token_of_the_other_kind_is_refused(phone):
    assert refusal(bearing(phone.refresh_token)) == NOT_VALID
    assert refusal(Device().refresh(phone.access)) == NOT_VALID


def test_9_2_2_a_token_of_another_purpose_is_worthless(alice, phone):
    token = SlidingToken.for_user(alice)
    token["session_id"], token["generation"] = phone.session_id, 0
    assert_worthless(str(token))


def test_A10_session_and_user_of_a_token_belong_together(alice, mallory, phone, sign_in):
    foreign = sign_in(mallory)
    for change in ({"session_id": foreign.session_id}, {"user_id": str(mallory.pk)}):
        for token in both(phone):
            assert_worthless(with_claims(token, **change))
    for unknown in (uuid.uuid4(), uuid.UUID(int=0)):
        for token in both(phone):
            assert_worthless(with_claims(token, session_id=str(unknown)))
    DeviceSession.objects.filter(pk=foreign.session_id).delete()


def test_A11_OR2_a_token_without_a_session_is_worthless(alice, phone):
    for token in (AccessToken.for_user(alice), RefreshToken.for_user(alice)):
        assert_worthless(str(token))
        stranger = Device()
        stranger.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        for query in ("", "?keep_current=true", "?keep_current=false"):
            assert refusal(stranger.post("/api/sessions/revoke-all" + query)) == NOT_VALID
        assert refusal(stranger.post("/api/logout")) == NOT_VALID
    assert phone.is_in()


@pytest.mark.parametrize("what", ["session_id", "user_id", "jti"])
def test_7_2_3_an_id_is_no_token(phone, what):
    assert_worthless(claims_of(phone.access)[what])
    stranger = Device()
    stranger.cookies["sessionid"] = stranger.cookies["session_id"] = phone.session_id
    assert stranger.get("/api/me", {"session_id": phone.session_id}).status_code == 401
