"""S (RFC 9449 §4.3): every proof that is wrong is refused, with the error that the standard has for it."""

import hashlib
import hmac
import json
import time
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import get_default_algorithms

from devices.models import Activity, DeviceSession, UsedProof
from tests.client import PASSWORD, Device
from tests.dpop import SITE, DPoPDevice, Key, base64url

ME = SITE + "/api/me"
DPOP, BEARER = "DPoP", "Bearer"
# What is refused, in the JSON and in WWW-Authenticate.
PROOF = ("invalid_dpop_proof", "invalid_dpop_proof")
TOKEN = ("token_not_valid", "invalid_token")

STRANGER = Key()
LITTLE = Key(rsa.generate_private_key(65537, 1024), "RS256")
LARGE = Key(rsa.generate_private_key(65537, 2048), "RS256")
P384 = Key(ec.generate_private_key(ec.SECP384R1()), "ES384")
K256 = Key(ec.generate_private_key(ec.SECP256K1()), "ES256K")


class Case:
    """What a wrong proof is made of: the right key and claims of this very request."""

    def __init__(self, phone):
        self.key, self.token, self.refresh = phone.key, phone.access, phone.refresh_token
        self.header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk}

    def claims(self, **others):
        return self.key.claims("GET", ME, self.token, **others)

    def proof(self, *, by=None, header=None, **claims):
        """A proof whose header or claims differ by these; `...` takes one out."""
        return self.raw(json.dumps(self.claims(**claims)).encode(), by=by, header=header)

    def raw(self, payload, *, by=None, header=None, sign=None):
        header = {k: v for k, v in {**self.header, **(header or {})}.items() if v is not ...}
        parts = base64url(json.dumps(header).encode()) + "." + base64url(payload)
        signature = (sign or signer(by or self.key))(parts.encode())
        return f"{parts}.{base64url(signature)}"


def signer(key):
    algorithm = get_default_algorithms()[key.algorithm]
    return lambda message: algorithm.sign(message, key.private)


def private(key):
    return get_default_algorithms()[key.algorithm].to_jwk(key.private, as_dict=True)


def with_public_key_as_secret(message):
    secret = json.dumps(STRANGER.jwk).encode()
    return hmac.new(secret, message, hashlib.sha256).digest()


def flipped(proof):
    head, payload, signature = proof.split(".")
    first = "A" if signature[0] != "A" else "B"
    return f"{head}.{payload}.{first}{signature[1:]}"


def another_payload(case):
    head, _, signature = case.proof().split(".")
    return f"{head}.{case.proof().split('.')[1]}.{signature}"


def as_json(proof):
    head, payload, signature = proof.split(".")
    return json.dumps({"protected": head, "payload": payload, "signature": signature})


def ath(token):
    return base64url(hashlib.sha256(token.encode()).digest())


def by(key, **header):
    return lambda c: c.proof(by=key, header={"alg": key.algorithm, "jwk": key.jwk, **header})


def other_letters(client, letters):
    """A proof whose signature is in another alphabet of base64, which decoders take as well (RFC 7515 §2)."""
    while True:
        said, _, signature = client.proof().rpartition(".")
        other = signature.translate(str.maketrans(letters))
        if other != signature:
            return f"{said}.{other}"


# name: (the proof, the scheme of Authorization, what it is refused with, why as the security log has it)
WRONG = {
    # Whether there is one
    "none": (lambda c: None, DPOP, TOKEN, "proof_missing"),
    "none, as bearer": (lambda c: None, BEARER, TOKEN, "bearer"),
    "right, but as bearer": (lambda c: c.proof(), BEARER, TOKEN, "bearer"),
    "empty": (lambda c: "", DPOP, TOKEN, "proof_missing"),
    "blank": (lambda c: "  ", DPOP, TOKEN, "proof_missing"),
    "two with a comma": (lambda c: f"{c.proof()},{c.proof()}", DPOP, PROOF, "signature"),
    "two with a comma and a blank": (lambda c: f"{c.proof()}, {c.proof()}", DPOP, PROOF, "signature"),
    "two with a blank": (lambda c: f"{c.proof()} {c.proof()}", DPOP, PROOF, "signature"),
    # Its form
    "undefined": (lambda c: "undefined", DPOP, PROOF, "signature"),
    "one part": (lambda c: c.proof().split(".")[1], DPOP, PROOF, "signature"),
    "two parts": (lambda c: c.proof().rpartition(".")[0], DPOP, PROOF, "signature"),
    "four parts": (lambda c: c.proof() + ".AA", DPOP, PROOF, "signature"),
    "five parts": (lambda c: c.proof() + ".AA.AA", DPOP, PROOF, "signature"),
    "dots": (lambda c: "..", DPOP, PROOF, "signature"),
    "as JSON": (lambda c: as_json(c.proof()), DPOP, PROOF, "signature"),
    "quoted": (lambda c: f'"{c.proof()}"', DPOP, PROOF, "signature"),
    "not ASCII": (lambda c: c.proof() + "ä", DPOP, PROOF, "signature"),
    "too long": (lambda c: c.proof(pad="x" * 8192), DPOP, PROOF, "signature"),
    "not base64url": (lambda c: "+/+/." + c.proof().partition(".")[2], DPOP, PROOF, "signature"),
    "signed in plain base64": (
        lambda c: other_letters(c, {"-": "+", "_": "/"}),
        DPOP,
        PROOF,
        "signature",
    ),
    "letters of no alphabet": (lambda c: c.proof() + "*" * 4, DPOP, PROOF, "signature"),
    "header no JSON": (lambda c: "AAAA." + c.proof().partition(".")[2], DPOP, PROOF, "signature"),
    "header a list": (lambda c: "W10." + c.proof().partition(".")[2], DPOP, PROOF, "signature"),
    "header nested deeply": (
        lambda c: base64url(b"[" * 5000) + "." + c.proof().partition(".")[2],
        DPOP, PROOF, "signature",
    ),
    # typ
    "typ JWT": (lambda c: c.proof(header={"typ": "JWT"}), DPOP, PROOF, "signature"),
    "typ missing": (lambda c: c.proof(header={"typ": ...}), DPOP, PROOF, "signature"),
    "typ in capitals": (lambda c: c.proof(header={"typ": "DPOP+JWT"}), DPOP, PROOF, "signature"),
    "typ of an access token": (lambda c: c.proof(header={"typ": "at+jwt"}), DPOP, PROOF, "signature"),
    "typ of DBSC": (lambda c: c.proof(header={"typ": "dbsc+jwt"}), DPOP, PROOF, "signature"),
    "typ a list": (lambda c: c.proof(header={"typ": ["dpop+jwt"]}), DPOP, PROOF, "signature"),
    # alg
    "alg none": (
        lambda c: c.raw(json.dumps(c.claims()).encode(), header={"alg": "none"}, sign=lambda m: b""),
        DPOP, PROOF, "signature",
    ),
    "alg HS256 with the public key as secret": (
        lambda c: c.raw(
            json.dumps(c.claims()).encode(), header={"alg": "HS256"}, sign=with_public_key_as_secret
        ),
        DPOP, PROOF, "signature",
    ),
    "alg missing": (lambda c: c.proof(header={"alg": ...}), DPOP, PROOF, "signature"),
    "alg in small letters": (lambda c: c.proof(header={"alg": "es256"}), DPOP, PROOF, "signature"),
    "alg of another curve": (lambda c: c.proof(header={"alg": "ES384"}), DPOP, PROOF, "signature"),
    "alg of RSA with a key of EC": (lambda c: c.proof(header={"alg": "RS256"}), DPOP, PROOF, "signature"),
    "alg ES384": (by(P384), DPOP, PROOF, "signature"),
    "alg ES256K": (by(K256), DPOP, PROOF, "signature"),
    "alg PS256": (by(LARGE, alg="PS256"), DPOP, PROOF, "signature"),
    "alg a list": (lambda c: c.proof(header={"alg": ["ES256"]}), DPOP, PROOF, "signature"),
    # jwk
    "jwk missing": (lambda c: c.proof(header={"jwk": ...}), DPOP, PROOF, "signature"),
    "jwk only named": (lambda c: c.proof(header={"jwk": ..., "kid": "mine"}), DPOP, PROOF, "signature"),
    "jwk only pointed to": (
        lambda c: c.proof(header={"jwk": ..., "jku": "https://stranger.example/jwks"}),
        DPOP, PROOF, "signature",
    ),
    "jwk text": (lambda c: c.proof(header={"jwk": json.dumps(c.key.jwk)}), DPOP, PROOF, "signature"),
    "jwk null": (lambda c: c.proof(header={"jwk": None}), DPOP, PROOF, "signature"),
    "jwk a list": (lambda c: c.proof(header={"jwk": [c.key.jwk]}), DPOP, PROOF, "signature"),
    "jwk private": (
        lambda c: c.proof(header={"jwk": private(c.key)}),
        DPOP, PROOF, "signature",
    ),
    "jwk symmetric": (
        lambda c: c.proof(header={"jwk": {"kty": "oct", "k": "c2VjcmV0"}}), DPOP, PROOF, "signature",
    ),
    "jwk of another curve": (lambda c: c.proof(header={"jwk": P384.jwk}), DPOP, PROOF, "signature"),
    "jwk of RSA": (lambda c: c.proof(header={"jwk": LARGE.jwk}), DPOP, PROOF, "signature"),
    "jwk not on the curve": (
        lambda c: c.proof(header={"jwk": {**c.key.jwk, "x": c.key.jwk["y"]}}), DPOP, PROOF, "signature",
    ),
    "jwk too weak": (by(LITTLE), DPOP, PROOF, "signature"),
    "jwk of somebody else, with their signature": (by(STRANGER), DPOP, TOKEN, "other_key"),
    "jwk of somebody else, of another time": (
        lambda c: c.proof(by=STRANGER, header={"jwk": STRANGER.jwk}, iat=1), DPOP, TOKEN, "other_key",
    ),
    "jwk of somebody else, of RSA": (by(LARGE), DPOP, TOKEN, "other_key"),
    "jwk of somebody else, of Ed25519": (
        by(Key(Ed25519PrivateKey.generate(), "EdDSA")), DPOP, TOKEN, "other_key",
    ),
    "jwk of somebody else": (
        lambda c: c.proof(header={"jwk": STRANGER.jwk}), DPOP, PROOF, "signature",
    ),
    # The signature
    "signed by somebody else": (lambda c: c.proof(by=STRANGER), DPOP, PROOF, "signature"),
    "a bit of the signature flipped": (lambda c: flipped(c.proof()), DPOP, PROOF, "signature"),
    "the signature cut": (lambda c: c.proof()[:-4], DPOP, PROOF, "signature"),
    "the signature left out": (lambda c: c.proof().rpartition(".")[0] + ".", DPOP, PROOF, "signature"),
    "the signature in DER": (
        lambda c: c.raw(
            json.dumps(c.claims()).encode(),
            sign=lambda message: c.key.private.sign(message, ec.ECDSA(hashes.SHA256())),
        ),
        DPOP, PROOF, "signature",
    ),
    "other claims under the old signature": (another_payload, DPOP, PROOF, "signature"),
    "a critical extension": (
        lambda c: c.proof(header={"crit": ["exp"], "exp": 1}), DPOP, PROOF, "signature",
    ),
    "a critical extension that changes nothing": (
        lambda c: c.proof(header={"crit": ["b64"], "b64": True}), DPOP, PROOF, "signature",
    ),
    "an unencoded payload": (
        lambda c: c.proof(header={"crit": ["b64"], "b64": False}), DPOP, PROOF, "signature",
    ),
    # The claims
    "claims no JSON": (lambda c: c.raw(b"jti=1"), DPOP, PROOF, "signature"),
    "claims not UTF-8": (lambda c: c.raw(b'{"jti": "\xff"}'), DPOP, PROOF, "signature"),
    "claims a list": (lambda c: c.raw(b"[]"), DPOP, PROOF, "signature"),
    "claims a number": (lambda c: c.raw(b"1"), DPOP, PROOF, "signature"),
    "claims nothing": (lambda c: c.raw(b"{}"), DPOP, PROOF, "jti"),
    "jti missing": (lambda c: c.proof(jti=...), DPOP, PROOF, "jti"),
    "jti empty": (lambda c: c.proof(jti=""), DPOP, PROOF, "jti"),
    "jti a number": (lambda c: c.proof(jti=7), DPOP, PROOF, "jti"),
    "jti too long": (lambda c: c.proof(jti="x" * 257), DPOP, PROOF, "jti"),
    "htm missing": (lambda c: c.proof(htm=...), DPOP, PROOF, "htm"),
    "htm another": (lambda c: c.proof(htm="POST"), DPOP, PROOF, "htm"),
    "htm in small letters": (lambda c: c.proof(htm="get"), DPOP, PROOF, "htm"),
    "htm a list": (lambda c: c.proof(htm=["GET"]), DPOP, PROOF, "htm"),
    "htu missing": (lambda c: c.proof(htu=...), DPOP, PROOF, "htu"),
    "htu another path": (lambda c: c.proof(htu=SITE + "/api/sessions"), DPOP, PROOF, "htu"),
    "htu below it": (lambda c: c.proof(htu=ME + "/x"), DPOP, PROOF, "htu"),
    "htu above it": (lambda c: c.proof(htu=SITE), DPOP, PROOF, "htu"),
    "htu with a slash more": (lambda c: c.proof(htu=ME + "/"), DPOP, PROOF, "htu"),
    "htu in capitals": (lambda c: c.proof(htu=SITE + "/API/ME"), DPOP, PROOF, "htu"),
    "htu with dots": (lambda c: c.proof(htu=SITE + "/api/x/../me"), DPOP, PROOF, "htu"),
    "htu of another host": (
        lambda c: c.proof(htu="http://stranger.example/api/me"), DPOP, PROOF, "htu",
    ),
    "htu of a host that begins like ours": (
        lambda c: c.proof(htu="http://testserver.stranger.example/api/me"), DPOP, PROOF, "htu",
    ),
    "htu with a name before the host": (
        lambda c: c.proof(htu="http://somebody@testserver/api/me"), DPOP, PROOF, "htu",
    ),
    "htu of another scheme": (
        lambda c: c.proof(htu="https://testserver/api/me"), DPOP, PROOF, "htu",
    ),
    "htu of another port": (
        lambda c: c.proof(htu="http://testserver:8080/api/me"), DPOP, PROOF, "htu",
    ),
    "htu with a port that is none": (
        lambda c: c.proof(htu="http://testserver:x/api/me"), DPOP, PROOF, "htu",
    ),
    "htu a path": (lambda c: c.proof(htu="/api/me"), DPOP, PROOF, "htu"),
    "htu a number": (lambda c: c.proof(htu=7), DPOP, PROOF, "htu"),
    "htu not ASCII": (lambda c: c.proof(htu=ME + "#ä"), DPOP, PROOF, "htu"),
    "htu no host": (lambda c: c.proof(htu="http://[/api/me"), DPOP, PROOF, "htu"),
    "iat missing": (lambda c: c.proof(iat=...), DPOP, PROOF, "iat"),
    "iat text": (lambda c: c.proof(iat=str(int(time.time()))), DPOP, PROOF, "iat"),
    "iat true": (lambda c: c.proof(iat=True), DPOP, PROOF, "iat"),
    "iat null": (lambda c: c.proof(iat=None), DPOP, PROOF, "iat"),
    "iat too old": (lambda c: c.proof(iat=int(time.time()) - 62), DPOP, PROOF, "iat"),
    "iat in the future": (lambda c: c.proof(iat=int(time.time()) + 62), DPOP, PROOF, "iat"),
    "iat in milliseconds": (lambda c: c.proof(iat=int(time.time() * 1000)), DPOP, PROOF, "iat"),
    "iat negative": (lambda c: c.proof(iat=-1), DPOP, PROOF, "iat"),
    "iat no number": (lambda c: c.proof(iat=float("nan")), DPOP, PROOF, "iat"),
    "iat without end": (lambda c: c.proof(iat=float("inf")), DPOP, PROOF, "iat"),
    "iat beyond all numbers": (lambda c: c.proof(iat=10**400), DPOP, PROOF, "iat"),
    "ath missing": (lambda c: c.proof(ath=...), DPOP, PROOF, "ath"),
    "ath null": (lambda c: c.proof(ath=None), DPOP, PROOF, "ath"),
    "ath of another token": (lambda c: c.proof(ath=ath("another")), DPOP, PROOF, "ath"),
    "ath of the refresh token": (lambda c: c.proof(ath=ath(c.refresh)), DPOP, PROOF, "ath"),
    "ath with padding": (lambda c: c.proof(ath=ath(c.token) + "="), DPOP, PROOF, "ath"),
    "ath in hexadecimal": (
        lambda c: c.proof(ath=hashlib.sha256(c.token.encode()).hexdigest()), DPOP, PROOF, "ath",
    ),
    "ath in plain base64": (
        lambda c: c.proof(ath=b64encode(hashlib.sha256(c.token.encode()).digest()).decode()),
        DPOP, PROOF, "ath",
    ),
    "ath the token itself": (lambda c: c.proof(ath=c.token), DPOP, PROOF, "ath"),
}  # fmt: skip

# What only whoever has no key sends: the owner is told. All else comes from a client with a fault.
COPIES = {"proof_missing", "bearer", "other_key", "signature"}


@pytest.fixture
def phone(alice):
    return DPoPDevice().sign_in(alice.email)


def ask(phone, proof, scheme):
    headers = {} if proof is None else {"HTTP_DPOP": proof}
    return Device().get("/api/me", HTTP_AUTHORIZATION=f"{scheme} {phone.access}", **headers)


def test_there_are_enough_of_them():
    assert len(WRONG) >= 100


@pytest.mark.parametrize("name", WRONG)
def test_S_RFC9449_a_wrong_proof_is_refused_with_its_error(phone, name):
    make, scheme, (code, error), reason = WRONG[name]
    used = UsedProof.objects.count()
    answer = ask(phone, make(Case(phone)), scheme)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    challenge = answer["WWW-Authenticate"]
    assert challenge.startswith(f'DPoP error="{error}", error_description="{reason}')
    assert challenge.endswith(', algs="ES256 Ed25519 EdDSA RS256"')
    # Nothing is kept of what is refused, and its owner is told of a copy alone.
    assert UsedProof.objects.count() == used
    told = Activity.objects.filter(kind="binding.failed").values_list("data", flat=True)
    expected = [{"binding": "dpop", "reason": reason}] if reason in COPIES else []
    assert list(told) == expected
    assert phone.get("/api/me").status_code == 200, "who has the key stays signed in"


def test_S_RFC9449_a_proof_is_good_once(phone):
    proof = Case(phone).proof()
    assert ask(phone, proof, DPOP).status_code == 200
    again = ask(phone, proof, DPOP)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")
    assert 'error_description="jti_used"' in again["WWW-Authenticate"]
    # The same jti under another key is another proof, and another jti under this one.
    assert ask(phone, Case(phone).proof(), DPOP).status_code == 200


# name: the changes that make a proof of a request without an access token wrong
AT_THE_TOKEN_ENDPOINT = {
    "typ": (lambda key, url: key.sign(key.claims("POST", url), {"typ": "JWT", "jwk": key.jwk})),
    "no jwk": (lambda key, url: key.sign(key.claims("POST", url), {"typ": "dpop+jwt"})),
    "signed by somebody else": (
        lambda key, url: STRANGER.sign(key.claims("POST", url), {"typ": "dpop+jwt", "jwk": key.jwk})
    ),
    "htm": lambda key, url: key.proof("GET", url),
    "htu": lambda key, url: key.proof("POST", url + "/elsewhere"),
    "iat": lambda key, url: key.proof("POST", url, iat=int(time.time()) - 3600),
    "jti": lambda key, url: key.proof("POST", url, jti=...),
    "two": lambda key, url: f"{key.proof('POST', url)},{key.proof('POST', url)}",
    "undefined": lambda key, url: "undefined",
}


@pytest.mark.parametrize("name", AT_THE_TOKEN_ENDPOINT)
@pytest.mark.parametrize("path", ["/api/login", "/api/token", "/api/register"])
def test_S_RFC9449_nobody_signs_in_with_a_wrong_proof(alice, path, name):
    proof = AT_THE_TOKEN_ENDPOINT[name](Key(), SITE + path)
    email = "new@example.org" if path == "/api/register" else alice.email
    answer = Device().post(path, {"email": email, "password": PASSWORD}, HTTP_DPOP=proof)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_dpop_proof")
    assert not DeviceSession.objects.exists() and not UsedProof.objects.exists()


@pytest.mark.parametrize("name", [*AT_THE_TOKEN_ENDPOINT, "none", "other key"])
def test_S_RFC9449_nobody_refreshes_with_a_wrong_proof(phone, name):
    url = SITE + "/api/token/refresh"
    make = {
        **AT_THE_TOKEN_ENDPOINT,
        "none": lambda key, url: "",
        "other key": lambda key, url: STRANGER.proof("POST", url),
    }[name]
    body = {"refresh": phone.refresh_token}
    answer = Device().post("/api/token/refresh", body, HTTP_DPOP=make(phone.key, url))
    is_copy = name in ("none", "other key")
    assert (answer.status_code, answer.json()["code"]) == (
        (401, "token_not_valid") if is_copy else (400, "invalid_dpop_proof")
    )
    assert DeviceSession.objects.get().generation == 0
    phone.rotate()
