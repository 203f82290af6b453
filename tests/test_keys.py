"""Keys that change: nobody notices a rotation, and nobody gets in by a key that was withdrawn."""

import json
import threading
import time
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from rest_framework_simplejwt.tokens import AccessToken

from devices.core import clocks, tokens
from devices.core.clocks import Moment
from devices.core.keys import encryption, keyring, rotation
from devices.core.keys.key import generate, thumbprint, to_text
from devices.core.log.security_log import Event
from devices.models import KeyState, SigningKey
from tests.client import Device, refusal
from tests.forge import claims_of, encoded, signed
from tests.keys import Elsewhere, rotate, signing

ASYMMETRIC = ["ES256", "EdDSA", "RS256"]


@pytest.fixture(autouse=True)
def _fresh_keys(monkeypatch):
    keyring.reset()
    monkeypatch.setattr(tokens, "_checked", tokens.VerifiedTokenCache())
    yield
    keyring.reset()


@pytest.fixture
def in_database(settings, db):
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": "database"}


@pytest.fixture
def rotated(in_database, alice):
    """The site after the first two runs of `rotate_keys`: a key of ours signs."""
    rotate()
    rotate()


def header(token):
    return jwt.get_unverified_header(token)


def published():
    answer = Device().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    return answer.json()


def in_settings(settings, *keys):
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": list(keys)}
    keyring.reset()


def pem(private):
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(private, encoding=Encoding.PEM, form=PublicFormat.SubjectPublicKeyInfo):
    return private.public_key().public_bytes(encoding, form)


# As before


def test_without_signing_keys_tokens_are_byte_for_byte_those_of_simplejwt(alice, sign_in, settings):
    phone = sign_in(alice)
    for token in (phone.access, phone.refresh_token):
        assert header(token) == {"alg": "HS256", "typ": "JWT"}
        claims = claims_of(token)
        assert token == jwt.encode(claims, settings.SIMPLE_JWT["SIGNING_KEY"], "HS256")
    assert published() == {"keys": []}


@pytest.mark.parametrize("form", ["simplejwt", "rfc9068"])
def test_a_refresh_token_has_a_type_of_its_own_where_others_can_verify_it(
    in_database, settings, alice, sign_in, form
):
    before = sign_in(alice)
    settings.DEVICES = {**settings.DEVICES, "ACCESS_TOKEN_FORMAT": form}
    rotate()
    rotate()
    # RFC 8725 §3.11. An access token has what a library expects by itself, or that of RFC 9068.
    assert header(sign_in(alice).refresh_token)["typ"] == "refresh+jwt"
    assert header(sign_in(alice).access)["typ"] == ("JWT" if form == "simplejwt" else "at+jwt")
    # Those from before have none, and go on.
    assert header(before.refresh_token)["typ"] == "JWT"
    assert header(before.rotate().refresh_token)["typ"] == "refresh+jwt"
    assert before.rotate().is_in()


def test_until_the_first_rotation_simplejwt_s_key_signs_as_ever(in_database, alice, sign_in):
    before = sign_in(alice)
    rotate()
    after = sign_in(alice)
    assert header(before.access) == header(after.access) == {"alg": "HS256", "typ": "JWT"}
    assert before.is_in() and after.is_in()
    # What will sign is known to others before it does.
    [following] = published()["keys"]
    assert SigningKey.objects.get().kid == following["kid"]


# By turns


@pytest.mark.parametrize("algorithm", [*ASYMMETRIC, "HS256"])
def test_R10_a_rotation_signs_nobody_out(in_database, alice, sign_in, algorithm):
    devices = [sign_in(alice)]
    rotate("--algorithm", algorithm)
    for _ in range(3):
        rotate()
        keyring.reset()
        assert all(device.is_in() for device in devices)
        devices = [device.rotate() for device in devices] + [sign_in(alice)]
        assert {header(each.refresh_token)["kid"] for each in devices} == {signing()}
        assert header(devices[0].access)["alg"] == algorithm
    assert all(device.is_in() for device in devices)
    states = SigningKey.objects.values_list("state", flat=True)
    assert sorted(states) == ["next", "retired", "retired", "retired", "signing"]


def test_a_rotation_and_a_withdrawal_are_logged(rotated, security_lines):
    rotate()
    signs = signing()
    rotate("--withdraw", signs)
    [rotation] = security_lines.of(Event.KEY_ROTATED)
    assert (rotation["kid"], rotation["level"]) == (signs, "INFO")
    [withdrawal] = security_lines.of(Event.KEY_WITHDRAWN)
    assert (withdrawal["kid"], withdrawal["level"], withdrawal["outcome"]) == (
        signs,
        "WARNING",
        "success",
    )


def test_R10_a_retired_key_is_kept_until_its_last_token_has_expired(rotated, alice, sign_in, clock):
    clock.shift(1)
    phone = sign_in(alice)
    rotate()
    clock.shift(30 * 86400 - 10)
    keyring.reset()
    assert phone.refresh().status_code == 200
    old = SigningKey.objects.get(kid=header(phone.refresh_token)["kid"])
    clock.shift(3600)
    rotate()
    assert not SigningKey.objects.filter(kid=old.kid).exists()
    assert old.kid not in {key["kid"] for key in published()["keys"]}


def test_a_retired_key_that_was_not_deleted_ends_all_the_same(rotated, clock):
    clock.shift(1)
    kid = signing()
    rotate()
    clock.shift(31 * 86400)
    keyring.reset()
    assert SigningKey.objects.filter(kid=kid).exists()
    assert kid not in {key["kid"] for key in published()["keys"]}


def test_what_a_retired_key_could_sign_with_is_not_kept(rotated):
    kid = signing()
    assert '"d"' in encryption.decrypt(SigningKey.objects.get(kid=kid).material)
    rotate()
    text = encryption.decrypt(SigningKey.objects.get(kid=kid).material)
    assert set(json.loads(text)) == {"kty", "crv", "x", "y", "kid", "alg"}


def test_no_key_signs_before_others_can_know_it(in_database):
    call_command("rotate_keys")
    with pytest.raises(CommandError, match="Wait .* s, or add --now"):
        call_command("rotate_keys")
    assert not SigningKey.objects.filter(state=KeyState.SIGNING).exists()
    call_command("rotate_keys", "--now")
    assert SigningKey.objects.filter(state=KeyState.SIGNING).exists()


def test_a_key_that_a_clock_which_was_ahead_has_made_holds_nobody_up(rotated, monkeypatch):
    ahead = timezone.now() + timedelta(hours=1)
    SigningKey.objects.filter(state=KeyState.NEXT).update(created_at=ahead)
    slept = []
    monkeypatch.setattr(rotation.time, "sleep", slept.append)
    stolen = signing()
    call_command("rotate_keys", "--withdraw", stolen)
    assert 0 < sum(slept) < 5 and signing() != stolen


def test_the_same_refresh_token_is_asked_for_under_two_keys(rotated, alice, sign_in):
    """A client that lost the answer gets the same successor, signed by whoever's turn it is now."""
    phone = sign_in(alice)
    first = phone.refresh().json()["refresh"]
    rotate()
    second = phone.refresh().json()["refresh"]
    assert header(first)["kid"] != header(second)["kid"]
    assert claims_of(first) == claims_of(second)


# At once


@pytest.mark.parametrize("liveness", ["database", "cached"])
def test_V11_2_2_a_stolen_key_can_be_withdrawn(rotated, alice, sign_in, settings, liveness):
    settings.DEVICES = {**settings.DEVICES, "LIVENESS": liveness}
    phone = sign_in(alice)
    assert phone.is_in() and phone.is_in()
    stolen = signing()
    rotate("--withdraw", stolen)
    for token in (phone.access, phone.refresh_token):
        assert refusal(Device().refresh(token)) == (401, "token_not_valid")
        assert refusal(Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {token}")) == (
            401,
            "token_not_valid",
        )
    assert stolen not in {key["kid"] for key in published()["keys"]}
    assert SigningKey.objects.get(kid=stolen).material == ""
    again = sign_in(alice)
    assert header(again.access)["kid"] == signing() != stolen
    assert again.is_in()
    assert SigningKey.objects.filter(state=KeyState.NEXT).count() == 1


def test_V11_2_2_a_token_checked_under_a_key_is_not_remembered_beyond_it(
    rotated, alice, sign_in, monkeypatch
):
    """The key is withdrawn between the check of the signature and the moment it is remembered."""
    phone = sign_in(alice)
    read = tokens.read_access

    def slowly(raw):
        claims = read(raw)
        rotate("--withdraw", signing())
        return claims

    monkeypatch.setattr(tokens, "read_access", slowly)
    tokens.recall_access(phone.access.encode())
    monkeypatch.setattr(tokens, "read_access", read)
    assert not phone.is_in()


def test_simplejwt_s_own_key_can_be_withdrawn_when_another_signs(in_database, alice, sign_in):
    old = sign_in(alice)
    with pytest.raises(CommandError, match="rotate first"):
        call_command("rotate_keys", "--withdraw", "simplejwt")
    rotate()
    rotate()
    assert old.is_in()
    rotate("--withdraw", "simplejwt")
    assert not old.is_in()
    assert refusal(old.refresh()) == (401, "token_not_valid")
    assert sign_in(alice).is_in()


def test_no_name_of_a_key_looks_like_an_option(monkeypatch):
    names = iter(["-a", "-b", "c-", "-d"])
    monkeypatch.setattr("devices.core.keys.key.thumbprint", lambda public: next(names))
    assert generate("ES256", KeyState.NEXT).kid == "c-"


def test_withdrawing_says_what_it_cannot_do(rotated):
    with pytest.raises(CommandError, match="no key nobody"):
        call_command("rotate_keys", "--withdraw", "nobody")
    kid = signing()
    rotate("--withdraw", kid)
    out = StringIO()
    call_command("rotate_keys", "--withdraw", kid, stdout=out)
    assert "withdrawn already" in out.getvalue()
    assert [kid, "ES256", "withdrawn"] in [line.split() for line in out.getvalue().splitlines()]


# Forgeries


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_A04_no_public_key_is_a_secret(in_database, alice, sign_in, algorithm):
    rotate("--algorithm", algorithm)
    rotate()
    phone = sign_in(alice)
    key = keyring.current().signing
    texts = [public_pem(key.signing), public_pem(key.signing).strip()]
    texts += [public_pem(key.signing, Encoding.DER)]
    texts += [
        json.dumps(key.public_jwk).encode(),
        json.dumps(key.public_jwk, separators=(",", ":")).encode(),
    ]
    for text in texts:
        for head in ({"alg": "HS256", "typ": "JWT", "kid": key.kid}, {"alg": "HS256"}):
            assert_worthless(signed(claims_of(phone.access), head, key=text))
    assert phone.is_in()


def test_A04_a_secret_is_no_other_key(rotated, alice, sign_in, settings):
    """SimpleJWT's secret signs nothing in the name of another key."""
    phone = sign_in(alice)
    forged = signed(claims_of(phone.access), {"alg": "HS256", "typ": "JWT", "kid": signing()})
    assert_worthless(forged)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "ES384", "RS512", "PS256", "", None])
def test_A03_a_key_takes_its_own_algorithm_only(rotated, alice, sign_in, algorithm):
    head, payload, signature = sign_in(alice).access.split(".")
    other = encoded({**json.loads(jwt.utils.base64url_decode(head)), "alg": algorithm}).decode()
    assert_worthless(f"{other}.{payload}.{signature}")
    assert_worthless(f"{other}.{payload}.")


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/dev/null", "file:///dev/null", "http://127.0.0.1/", "' OR 1=1 --",
        "", " ", "simplejwt", "\0", "a" * 5000, 0, 1.5, True, None, [], ["x"], {}, {"x": 1},
    ],
)  # fmt: skip
def test_V9_1_3_a_name_of_a_key_is_looked_up_and_nothing_else(
    rotated, alice, sign_in, kid, settings
):
    claims = claims_of(sign_in(alice).access)
    secret = settings.SIMPLE_JWT["SIGNING_KEY"]
    for key in (secret, "", "\0" * 32):
        assert_worthless(signed(claims, {"alg": "HS256", "typ": "JWT", "kid": kid}, key=key))


def test_V9_1_3_the_name_of_another_of_our_keys_does_not_help(rotated, alice, sign_in):
    phone = sign_in(alice)
    rotate()
    head, payload, signature = phone.access.split(".")
    other = encoded({"alg": "ES256", "typ": "JWT", "kid": signing()}).decode()
    assert_worthless(f"{other}.{payload}.{signature}")


def test_V9_1_3_no_key_comes_with_a_token(rotated, alice, sign_in):
    mine = generate("ES256", KeyState.SIGNING)
    claims = claims_of(sign_in(alice).access)
    for more in (
        {"jwk": mine.public_jwk},
        {"jku": "http://127.0.0.1/jwks.json"},
        {"x5u": "http://127.0.0.1/"},
        {"jwk": mine.public_jwk, "kid": mine.kid},
    ):
        head = {"kid": signing(), **more}
        assert_worthless(jwt.encode(claims, mine.signing, "ES256", head))


def test_S08_who_writes_to_the_database_brings_in_no_key(rotated, alice, sign_in, settings):
    """Neither in plain text, nor under a guess, nor one of ours under another name."""
    mine = generate("ES256", KeyState.RETIRED)
    forged = jwt.encode(claims_of(sign_in(alice).access), mine.signing, "ES256", {"kid": mine.kid})
    ours = SigningKey.objects.get(state=KeyState.SIGNING)
    for material in (to_text(mine, with_private=True), "gAAAA", ours.material):
        SigningKey.objects.update_or_create(
            kid=mine.kid, defaults={"state": "retired", "material": material}
        )
        keyring.reset()
        answer = Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {forged}")
        # Not even its own keys can be trusted then; and nobody loses their tokens by a 401.
        assert answer.status_code == 503
        assert Device().get("/.well-known/jwks.json").status_code == 503
    SigningKey.objects.filter(kid=mine.kid).delete()
    keyring.reset()
    assert_worthless(forged)


def test_S08_a_key_stands_under_its_own_name(rotated, alice, sign_in):
    phone = sign_in(alice)
    SigningKey.objects.filter(kid=signing()).update(kid="another")
    keyring.reset()
    assert phone.get("/api/me").status_code == 503


def assert_worthless(token):
    for answer in (
        Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {token}".replace("\0", "")),
        Device().refresh(token),
        Device().post("/api/token/verify", {"token": token}),
    ):
        assert refusal(answer) == (401, "token_not_valid"), token


# Where keys come from


def test_keys_come_from_the_settings(settings, alice, sign_in, tmp_path):
    first, second = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / "next.pem"
    file.write_text(pem(second))
    in_settings(settings, {"key": pem(first)}, {"key": file, "state": "next"})
    phone = sign_in(alice)
    assert header(phone.access) == {
        "alg": "ES256",
        "typ": "JWT",
        "kid": thumbprint(first.public_key()),
    }
    assert [key["alg"] for key in published()["keys"]] == ["ES256", "EdDSA"]
    retired = {"key": public_pem(first), "state": "retired"}
    in_settings(settings, {"key": file}, retired)
    assert phone.is_in()
    assert header(phone.rotate().access)["alg"] == "EdDSA"
    # The stolen one is still listed by processes that were not restarted.
    # As documented: the name of a key that is not ours may begin with "-".
    rotate(f"--withdraw={thumbprint(first.public_key())}")
    in_settings(settings, {"key": file}, retired)
    assert len(published()["keys"]) == 1


def test_a_key_may_sign_elsewhere(settings, alice, sign_in, client):
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": "tests.keys.Elsewhere"}
    phone = sign_in(alice)
    assert phone.is_in()
    assert Elsewhere.signed >= 2
    [public] = published()["keys"]
    assert header(phone.access)["kid"] == public["kid"]
    with pytest.raises(CommandError, match="database"):
        call_command("rotate_keys")


def test_keys_that_cannot_be_reached_are_a_503(settings, alice, sign_in):
    phone = sign_in(alice)
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": "tests.keys.Away"}
    answer = phone.get("/api/me")
    assert (refusal(answer), answer["Retry-After"]) == ((503, "unavailable"), "5")
    assert phone.refresh().status_code == 503
    assert Device().get("/.well-known/jwks.json").json()["code"] == "unavailable"


def test_a_key_encrypted_under_a_secret_that_is_gone_is_a_503(rotated, alice, sign_in, settings):
    phone = sign_in(alice)
    before = settings.SECRET_KEY
    settings.SECRET_KEY = "another secret key for the tests, of no use elsewhere"
    keyring.reset()
    assert phone.get("/api/me").status_code == 503
    settings.SECRET_KEY_FALLBACKS = [before]
    keyring.reset()
    assert phone.is_in()
    rotate()
    settings.DEVICES = {**settings.DEVICES, "KEY_ENCRYPTION_KEYS": ["of its own", before]}
    settings.SECRET_KEY_FALLBACKS = []
    keyring.reset()
    assert phone.get("/api/me").status_code == 503


def test_the_database_holds_no_key_in_plain_text(rotated):
    for row in SigningKey.objects.exclude(material=""):
        assert row.material.startswith("gAAAA")
        # With its quotes, which base64 has not: three letters come up by chance.
        assert '"kty"' not in row.material


# What others read


def test_the_set_of_keys_may_be_kept_and_asked_for_again(rotated, client):
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = client.get("/.well-known/jwks.json", HTTP_IF_NONE_MATCH=answer.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    rotate()
    changed = client.get("/.well-known/jwks.json", HTTP_IF_NONE_MATCH=answer.headers["ETag"])
    assert changed.status_code == 200
    assert client.head("/.well-known/jwks.json").status_code == 200
    assert client.post("/.well-known/jwks.json").status_code == 405


def test_no_secret_and_no_private_half_is_published(in_database):
    for algorithm in [*ASYMMETRIC, "HS256"]:
        rotate("--algorithm", algorithm)
    rotate()
    keys = published()["keys"]
    assert [key["kty"] for key in keys].count("oct") == 0
    assert [key["alg"] for key in keys].count("RS256") == 1
    for key in keys:
        assert not {"d", "p", "q", "k", "dp", "dq", "qi"} & set(key)
        assert {"kid", "use", "alg", "kty"} <= set(key)


# The name that RFC 9864 gives EdDSA with Ed25519, PyJWT does not know yet.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
@pytest.mark.django_db(transaction=True)
def test_other_libraries_read_our_keys_and_verify_our_tokens(
    in_database, alice, sign_in, live_server, algorithm
):
    rotate("--algorithm", algorithm)
    rotate()
    phone = sign_in(alice)
    token = phone.access
    expected = claims_of(token)
    client = jwt.PyJWKClient(f"{live_server.url}/.well-known/jwks.json")
    key = client.get_signing_key_from_jwt(token)
    assert jwt.decode(token, key, [algorithm], audience="devices-api") == expected
    # They accept a refresh token, too: docs/keys.md says by which claim a service tells.
    refresh = jwt.decode(phone.refresh_token, key, [algorithm], audience="devices-api")
    assert (expected["token_type"], refresh["token_type"]) == ("access", "refresh")
    found = joserfc_jwk.KeySet.import_key_set(published())
    assert joserfc_jwt.decode(token, found, algorithms=[algorithm]).claims == expected
    # And the name of the key is the thumbprint that others calculate.
    assert (
        joserfc_jwk.import_key(published()["keys"][0]).thumbprint() == published()["keys"][0]["kid"]
    )


# What it costs


def test_checking_a_token_asks_for_the_keys_at_most_twice_a_second(
    rotated, alice, sign_in, django_assert_num_queries, monkeypatch
):
    monkeypatch.setattr(keyring, "FRESH", 60)
    monkeypatch.setattr(keyring, "STALE", 60)
    phone = sign_in(alice)
    assert phone.is_in()
    token = phone.access.encode()
    with django_assert_num_queries(0):
        tokens.recall_access(token)
        tokens.read_access(token)
    keyring.reset()
    with django_assert_num_queries(1):
        tokens.recall_access(token)
        tokens.recall_access(token)


def test_one_thread_reads_the_keys_and_the_others_go_on(rotated, monkeypatch):
    held = keyring.current()
    at = keyring._held[("default", "")].at.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: at + keyring.FRESH + 0.1)
    with keyring._lock:
        assert keyring.current() is held
    # Read anew, and not changed: the same object, by which others remember.
    assert keyring.current() is held


def test_who_finds_the_keys_too_old_waits_for_the_one_that_reads_them(rotated, monkeypatch):
    held = keyring.current()
    at = keyring._held[("default", "")].at.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: at + keyring.STALE + 1)
    found = []
    waiter = threading.Thread(target=lambda: found.append(keyring.current()))
    with keyring._lock:
        waiter.start()
        waiter.join(0.2)
        assert found == []
        # Whoever reads them is done.
        now = keyring._Held("database", held, Moment(at + keyring.STALE + 1, time.time()))
        monkeypatch.setitem(keyring._held, ("default", ""), now)
    waiter.join()
    assert found == [held]


def test_a_machine_that_wakes_up_reads_the_keys_first(rotated, monkeypatch):
    """It has slept while a key was withdrawn, and its monotonic clock stood still."""
    key = keyring.current().signing
    at, woken = time.monotonic(), time.time() + keyring.STALE
    SigningKey.objects.filter(kid=key.kid).update(state=KeyState.WITHDRAWN)
    monkeypatch.setattr(clocks, "time", SimpleNamespace(monotonic=lambda: at, time=lambda: woken))
    assert keyring.current().find(key.kid) is None


def test_nothing_is_gone_by_that_was_read_too_long_ago(rotated, monkeypatch):
    keyring.current()
    at = keyring._held[("default", "")].at.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: at + keyring.STALE)

    def away(*args):
        raise DatabaseError("away")

    monkeypatch.setattr(SigningKey.objects, "all", away)
    with pytest.raises(DatabaseError):
        keyring.current()


def test_the_host_s_own_tokens_are_signed_by_the_same_keys(rotated):
    assert header(str(AccessToken()))["kid"] == signing()
    assert AccessToken(str(AccessToken())).payload["token_type"] == "access"
