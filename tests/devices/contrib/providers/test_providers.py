"""What an identity provider tells ends the sessions that it names, and nothing else does."""

import json
import threading
import time
from datetime import timedelta
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from types import SimpleNamespace

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone
from jwt.utils import base64url_decode as base64_decode

from devices.checks.keys import check_providers
from devices.contrib.providers import polling, trust
from devices.contrib.providers.sessions import digest_of, remember
from devices.core import clocks, sessions
from devices.core.clients.client import Client
from devices.core.keys import keyring
from devices.core.keys.key import Key, generate
from devices.models import DeviceSession, KeyState, RevokeReason
from tests.forge import base64, signed
from tests.keys import rotate

GOOGLE, OKTA = "https://accounts.google.com/", "https://example.okta.com"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


class Issuer:
    """A provider with keys of its own."""

    def __init__(self, url):
        self.url, self.asked = url, 0
        self.keys = [generate("ES256", KeyState.SIGNING)]

    def jwks(self):
        self.asked += 1
        return [key.public_jwk for key in self.keys]

    def sign(self, typ="secevent+jwt", key=None, **claims):
        claims = {
            "iss": self.url,
            "aud": "our-client",
            "iat": int(time.time()),
            "jti": "756E6971",
            **claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return (key or self.keys[0]).encode(claims, typ)


@pytest.fixture
def google():
    return Issuer(GOOGLE)


@pytest.fixture
def okta():
    return Issuer(OKTA)


@pytest.fixture(autouse=True)
def _providers(settings, monkeypatch, db, google, okta):
    settings.ROOT_URLCONF = "tests.devices.contrib.providers.urls"
    settings.DEVICES = {
        **settings.DEVICES,
        "PROVIDERS": {
            "google": {
                "issuer": [GOOGLE, GOOGLE.rstrip("/")],
                "audience": ["our-client"],
                "jwks_url": "google",
            },
            "okta": {"issuer": OKTA, "audience": "our-client", "jwks_url": "okta"},
        },
        "PROVIDER_PEOPLE": "devices.contrib.providers.people.by_allauth",
    }
    issuers = {"google": google, "okta": okta}
    monkeypatch.setattr(trust, "fetch", lambda url: issuers[url].jwks())
    trust.reset()


@pytest.fixture
def signed_in(alice):
    """Alice is signed in by Google, by Okta, and by her password."""
    for provider in ("google", "okta"):
        SocialAccount.objects.create(
            user=alice,
            provider=provider,
            uid=f"alice at {provider}",
            extra_data={"id_token": {"sid": f"session at {provider}"}},
        )
    EmailAddress.objects.update_or_create(
        user=alice, email=alice.email, defaults={"verified": True, "primary": True}
    )
    return {method: begin(alice, method) for method in ("google", "okta", "password")}


def begin(user, method):
    session = sessions.start(user, Client("192.0.2.1", method), method=method)
    # A while ago.
    DeviceSession.objects.filter(pk=session.pk).update(
        created_at=timezone.now() - timedelta(minutes=10)
    )
    return session


def push(client, text, content_type="application/secevent+jwt"):
    return client.post("/providers/events", text, content_type=content_type)


def tell_logout(client, text):
    return client.post(
        "/providers/logout",
        f"logout_token={text}",
        content_type="application/x-www-form-urlencoded",
    )


def active():
    return set(DeviceSession.objects.active().values_list("login_method", flat=True))


ALL = {"google", "okta", "password"}

# As these providers send them: Google's RISC from before RFC 9493; SSF 1.0; Okta's, with the subject in the
# event; Entra's and others', by address or by a person among other members.
FORMS = {
    "google": {
        "events": {
            f"{RISC}sessions-revoked": {
                "subject": {"subject_type": "iss-sub", "iss": GOOGLE, "sub": "alice at google"}
            }
        }
    },
    "google, account disabled": {
        "events": {
            f"{RISC}account-disabled": {
                "subject": {"subject_type": "iss-sub", "iss": GOOGLE, "sub": "alice at google"},
                "reason": "hijacking",
            }
        }
    },
    "ssf": {
        "sub_id": {"format": "iss_sub", "iss": GOOGLE, "sub": "alice at google"},
        "events": {f"{CAEP}session-revoked": {"event_timestamp": 1615304991}},
    },
    "complex": {
        "sub_id": {
            "format": "complex",
            "user": {"format": "iss_sub", "iss": GOOGLE, "sub": "alice at google"},
            "tenant": {"format": "opaque", "id": "123456789"},
        },
        "events": {f"{CAEP}session-revoked": {}},
    },
    "complex without the word": {
        "events": {
            f"{CAEP}session-revoked": {
                "subject": {"user": {"format": "email", "email": "ALICE@example.org"}}
            }
        }
    },
    "session": {
        "sub_id": {"format": "opaque", "id": "session at google"},
        "events": {f"{CAEP}session-revoked": {}},
    },
}


@pytest.mark.parametrize("claims", FORMS.values(), ids=FORMS)
def test_S14_a_providers_event_ends_the_sessions_that_it_names(client, signed_in, google, claims):
    answer = push(client, google.sign(**claims))
    assert (answer.status_code, answer.content) == (202, b"")
    assert active() == ALL - {"google"}
    ended = DeviceSession.objects.get(pk=signed_in["google"].pk)
    assert ended.revoke_reason == RevokeReason.PROVIDER


def test_S14_a_provider_ends_no_session_that_another_began(client, signed_in, okta):
    subject = {"format": "email", "email": "alice@example.org"}
    push(client, okta.sign(sub_id=subject, events={f"{CAEP}session-revoked": {}}))
    assert active() == ALL - {"okta"}


NOBODY = [
    {"format": "iss_sub", "iss": GOOGLE, "sub": "mallory"},
    {"format": "iss_sub", "sub": ""},
    {"format": "iss_sub", "sub": 7},
    {"format": "email", "email": "nobody@example.org"},
    {"format": "opaque", "id": "session at okta"},
    {"format": "complex", "device": {"format": "opaque", "id": "x"}},
    {"format": "complex", "user": {"user": {"format": "email", "email": "alice@example.org"}}},
    {"user": {}},
    {},
    "alice",
    None,
]


@pytest.mark.parametrize("subject", NOBODY, ids=str)
def test_an_event_about_nobody_we_know_ends_nothing(client, signed_in, google, subject):
    text = google.sign(sub_id=subject, events={f"{CAEP}session-revoked": {}})
    assert push(client, text).status_code == 202
    assert active() == ALL


def test_other_events_end_nothing(client, signed_in, google):
    names = (f"{RISC}account-enabled", f"{CAEP}credential-change", "urn:x")
    for name in names:
        assert push(client, google.sign(**FORMS["ssf"] | {"events": {name: {}}})).status_code == 202
    assert active() == ALL


def test_an_address_that_was_not_verified_names_nobody(client, signed_in, google):
    EmailAddress.objects.update(verified=False)
    push(client, google.sign(**FORMS["complex without the word"]))
    assert active() == ALL


def test_S14_a_replayed_event_ends_nothing_that_began_since(client, signed_in, google, alice):
    text = google.sign(**FORMS["ssf"], iat=int(time.time()) - 300)
    assert push(client, text).status_code == 202
    assert active() == ALL - {"google"}
    sessions.start(alice, Client("192.0.2.1", "again"), method="google")
    assert push(client, text).status_code == 202
    assert active() == ALL


def test_S14_an_event_of_the_future_is_refused(client, signed_in, google):
    text = google.sign(**FORMS["ssf"], iat=int(time.time()) + 3600)
    assert push(client, text).status_code == 400
    assert active() == ALL


# Who is not believed


def refused(client, text, code):
    answer = push(client, text)
    assert (answer.status_code, answer.json()["err"]) == (400, code), answer.content
    assert active() == ALL


def test_S14_a_foreign_event_is_refused(client, signed_in, google, okta):
    refused(client, google.sign(**FORMS["ssf"], iss="https://elsewhere.test"), "invalid_issuer")
    refused(client, google.sign(**FORMS["ssf"], iss=None), "invalid_issuer")
    refused(client, google.sign(**FORMS["ssf"], aud="another client"), "invalid_audience")
    refused(client, google.sign(**FORMS["ssf"], aud=None), "invalid_request")
    # Another provider's key, under its own name and under the right one.
    refused(client, google.sign(**FORMS["ssf"], key=okta.keys[0]), "invalid_key")
    theirs = okta.keys[0]
    named = Key(google.keys[0].kid, "ES256", KeyState.SIGNING, theirs.verifying, theirs.signing)
    refused(client, google.sign(**FORMS["ssf"], key=named), "invalid_key")


def test_S14_no_algorithm_is_confused_with_another(client, signed_in, google, monkeypatch):
    """`none`, a secret made of the public key, and an algorithm of another kind of key."""
    claims = {
        "iss": GOOGLE,
        "aud": "our-client",
        "iat": int(time.time()),
        "jti": "x",
        **FORMS["ssf"],
    }
    kid = google.keys[0].kid
    head = {"typ": "secevent+jwt", "kid": kid}
    refused(client, jwt.encode(claims, None, "none", head), "invalid_key")
    secret = json.dumps(google.keys[0].public_jwk)
    refused(client, signed(claims, {**head, "alg": "HS256"}, secret), "invalid_key")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    refused(client, jwt.encode(claims, other, "RS256", head), "invalid_key")
    # A secret that the provider publishes by mistake.
    shared = {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "shared", "alg": "HS256"}
    published = [google.keys[0].public_jwk, shared]
    monkeypatch.setattr(trust, "fetch", lambda url: published)
    trust.reset()
    text = signed(claims, {**head, "kid": "shared", "alg": "HS256"}, base64_decode(shared["k"]))
    refused(client, text, "invalid_key")
    # A key that the sender brings along.
    for member in ("jwk", "jku", "x5u"):
        own = {**head, member: json.loads(secret) if member == "jwk" else "https://x.test/jwks"}
        refused(client, jwt.encode(claims, other, "RS256", own), "invalid_key")
    refused(client, jwt.encode(claims, other, "RS256", {**head, "kid": "x"}), "invalid_key")


# As providers sign that were run, such as oidc-provider 9: their keys need not say what they are for.
KEY_OF = {
    "RS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "PS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", trust.ALGORITHMS)
def test_a_provider_signs_by_any_algorithm_that_its_key_is_good_for(
    client, signed_in, google, monkeypatch, algorithm
):
    key = next(make() for start, make in KEY_OF.items() if algorithm.startswith(start))
    signer = jwt.PyJWS()
    signer.register_algorithm("Ed25519", signer.get_algorithm_by_name("EdDSA"))
    public = signer.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    public |= {"kid": "theirs", "use": "sig"}
    payload = jwt.decode(google.sign(**FORMS["ssf"]), options={"verify_signature": False})

    def sign(**head):
        head = {"typ": "secevent+jwt", **head}
        return signer.encode(json.dumps(payload).encode(), key, algorithm, head)

    def publish(*keys):
        monkeypatch.setattr(trust, "fetch", lambda url: list(keys))
        trust.reset()

    named, nameless = sign(kid="theirs"), sign()
    other = generate("ES256" if algorithm != "ES256" else "RS256", KeyState.SIGNING).public_jwk
    # For another purpose or algorithm; or one of two, and not named.
    for keys, text in (
        ([{**public, "use": "enc"}], named),
        ([{**public, "alg": "ES256K"}], named),
        ([{**public, "alg": ["RS256"]}], named),
        ([public, {**public, "kid": "second"}], nameless),
        ([other, {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "theirs"}], named),
    ):
        publish(*keys)
        refused(client, text, "invalid_key")
    for keys, text in (
        ([public], named),
        ([other, {**public, "alg": algorithm}], named),
        ([other, public], nameless),
    ):
        publish(*keys)
        assert push(client, text).status_code == 202, text
    assert active() == ALL - {"google"}


def test_S14_a_token_of_another_kind_is_no_event(client, signed_in, google):
    for typ in ("JWT", "at+jwt", "logout+jwt", ""):
        refused(client, google.sign(typ, **FORMS["ssf"]), "invalid_request")
    text = google.sign("application/secevent+jwt", **FORMS["ssf"])
    assert push(client, text).status_code == 202


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", "é", "x" * 40_000, "\0", "e30.e30.e30"], ids=ascii
)
def test_what_is_no_token_is_refused(client, signed_in, text):
    refused(client, text, "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"events": None},
        {"events": {}},
        {"events": []},
        {"events": {"x": 1}},
        {"iat": None},
        {"iat": "x"},
        {"jti": None},
    ],
    ids=str,
)
def test_claims_that_are_not_in_order_are_refused(client, signed_in, google, changes):
    refused(client, google.sign(**{**FORMS["ssf"], **changes}), "invalid_request")


def test_it_is_pushed_as_what_it_is(client, signed_in, google):
    answer = push(client, google.sign(**FORMS["ssf"]), "application/json")
    assert (answer.status_code, answer.json()["err"]) == (400, "invalid_request")
    assert client.get("/providers/events").status_code == 405
    assert client.get("/providers/logout").status_code == 405
    assert active() == ALL


def test_strangers_have_the_keys_read_no_more_than_twice_a_minute(
    client, signed_in, google, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(20):
        push(client, google.sign(**FORMS["ssf"], key=generate("ES256", KeyState.SIGNING)))
    assert google.asked == 2
    # A new key is known soon, and one that was taken away is not.
    old = google.keys[0]
    google.keys = [generate("ES256", KeyState.SIGNING)]
    now[0] += trust.RETRY + 1
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202
    assert google.asked == 3
    assert push(client, google.sign(**FORMS["ssf"], key=old)).status_code == 400
    assert google.asked == 3


def test_a_logout_by_a_new_key_is_not_lost_though_the_keys_were_just_read(
    client, signed_in, google, monkeypatch
):
    """A provider that is started anew with other keys sends it once."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert push(client, google.sign(sub_id={}, events={"urn:x": {}})).status_code == 202
    google.keys = [generate("ES256", KeyState.SIGNING)]
    now[0] += 5
    assert tell_logout(client, logout_token(google)).status_code == 200
    assert active() == ALL - {"google"}


def test_a_machine_that_wakes_up_reads_the_keys_anew(client, signed_in, google, monkeypatch):
    """It has slept while a key was withdrawn, and its monotonic clock stood still."""
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202
    old = google.keys[0]
    google.keys = [generate("ES256", KeyState.SIGNING)]
    at, woken = time.monotonic(), time.time() + trust.FRESH
    signed = google.sign(**FORMS["ssf"], key=old)
    monkeypatch.setattr(clocks, "time", SimpleNamespace(monotonic=lambda: at, time=lambda: woken))
    assert push(client, signed).json()["err"] == "invalid_key"


def test_keys_that_cannot_be_read_anew_count_for_a_day(client, signed_in, google, monkeypatch):
    """Whoever holds a key that was withdrawn may also keep us from hearing of it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202

    def away(url):
        raise OSError

    monkeypatch.setattr(trust, "fetch", away)
    now[0] += trust.LONGEST - 1
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202
    now[0] += 2
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 503
    monkeypatch.setattr(trust, "fetch", lambda url: google.jwks())
    now[0] += trust.RETRY
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202


def test_an_address_that_fails_too_often_waits_and_a_provider_does_not(
    client, signed_in, google, settings
):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 3}
    statuses = [push(client, "x").status_code for _ in range(5)]
    assert statuses[0] == 400
    assert statuses[-1] == 429
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202


@pytest.mark.parametrize(
    "error",
    [OSError, IncompleteRead(b""), UnicodeDecodeError("utf-8", b"", 0, 1, ""), jwt.PyJWTError],
)
def test_while_the_keys_cannot_be_read_the_provider_comes_again(
    client, signed_in, google, monkeypatch, error
):
    def away(url):
        raise error

    monkeypatch.setattr(trust, "fetch", away)
    answer = push(client, google.sign(**FORMS["ssf"]))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert active() == ALL


def test_strangers_do_not_have_a_provider_asked_that_is_away(
    client, signed_in, google, monkeypatch
):
    """Anybody may name an issuer. Else each request would wait for an answer that does not come."""
    now, asked = [1000.0], []

    def away(url):
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(trust, "fetch", away)
    assert [push(client, google.sign(**FORMS["ssf"])).status_code for _ in range(5)] == [503] * 5
    assert len(asked) == 1
    now[0] += trust.RETRY + 1
    monkeypatch.setattr(trust, "fetch", lambda url: google.jwks())
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202


def test_who_comes_while_keys_are_read_does_not_wait_for_them(
    client, signed_in, google, monkeypatch
):
    answers = []

    def slowly(url):
        answers.append(push(client, google.sign(**FORMS["ssf"])).status_code)
        return google.jwks()

    monkeypatch.setattr(trust, "fetch", slowly)
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202
    assert answers == [503]
    # Keys that are known count meanwhile; one that is not known yet may be among those that are read.
    now = [time.monotonic() + trust.FRESH + 1]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    google.keys = [*google.keys, generate("ES256", KeyState.SIGNING)]
    new = google.sign(**FORMS["ssf"], key=google.keys[1])

    def read_slowly(url):
        answers.extend(
            push(client, text).status_code for text in (google.sign(**FORMS["ssf"]), new)
        )
        return google.jwks()

    monkeypatch.setattr(trust, "fetch", read_slowly)
    assert push(client, google.sign(**FORMS["ssf"])).status_code == 202
    assert answers == [503, 202, 503]
    assert push(client, new).status_code == 202


# OpenID Connect Back-Channel Logout 1.0


def logout_token(issuer, typ="logout+jwt", **changes):
    claims = {"sub": "alice at google", "events": LOGOUT, "exp": int(time.time()) + 120}
    return issuer.sign(typ, **{**claims, **changes})


@pytest.mark.parametrize("typ", ["logout+jwt", "JWT"])
def test_S19_a_logout_at_the_provider_is_one_here(client, signed_in, google, typ):
    answer = tell_logout(client, logout_token(google, typ))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert active() == ALL - {"google"}


def test_S19_a_logout_of_one_session_is_known_by_it(client, signed_in, google):
    tell_logout(client, logout_token(google, sub=None, sid="session of somebody else"))
    assert active() == ALL
    tell_logout(client, logout_token(google, sub=None, sid="session at google"))
    assert active() == ALL - {"google"}


@pytest.fixture
def at_work_and_at_home(alice, signed_in):
    """Alice signed in with Google in two browsers more; which of them at which session there is known."""
    browsers = {name: begin(alice, "google") for name in ("work", "home")}
    for name, session in browsers.items():
        remember(session, name)
    return browsers


def is_active(session):
    return DeviceSession.objects.active().filter(pk=session.pk).exists()


@pytest.mark.parametrize("sub", ["alice at google", None])
def test_S19_a_logout_at_the_provider_ends_the_session_that_it_names_alone(
    client, signed_in, at_work_and_at_home, google, sub
):
    assert tell_logout(client, logout_token(google, sub=sub, sid="work")).status_code == 200
    work, home = at_work_and_at_home.values()
    assert (is_active(work), is_active(home)) == (False, True)
    # With which session there it began is not known, so that it may be this one.
    assert is_active(signed_in["google"]) is (sub is None)
    assert active() == ALL


def test_S19_a_logout_without_a_session_ends_all_of_the_person(
    client, signed_in, at_work_and_at_home, google
):
    tell_logout(client, logout_token(google))
    assert active() == ALL - {"google"}


def test_S19_another_provider_ends_no_session_of_the_same_name(
    client, signed_in, at_work_and_at_home, okta
):
    tell_logout(client, logout_token(okta, sub=None, sid="work"))
    assert all(is_active(each) for each in at_work_and_at_home.values())


def test_S19_a_logout_counts_though_the_clock_of_the_provider_is_slow(
    client, signed_in, at_work_and_at_home, google
):
    work = at_work_and_at_home["work"]
    DeviceSession.objects.filter(pk=work.pk).update(created_at=timezone.now())
    late = int(time.time()) - 30
    tell_logout(client, logout_token(google, iat=late))
    assert is_active(work)
    tell_logout(client, logout_token(google, iat=late - 60, sid="work"))
    assert is_active(work)
    tell_logout(client, logout_token(google, iat=late, sid="work"))
    assert not is_active(work)


@pytest.mark.parametrize(
    ("extra_data", "remembered"),
    [
        ({"id_token": {"sid": "x"}, "userinfo": {"sub": "alice"}}, "x"),
        ({"sid": "x", "sub": "alice"}, "x"),
        ({"id_token": {"sid": "x" * 1000}}, "x" * 1000),
        ({"id_token": {"sid": 7}}, None),
        ({"id_token": {"sid": ""}}, None),
        ({"id_token": None}, None),
        ([], None),
    ],
    ids=str,
)
def test_the_session_at_the_provider_is_remembered_at_a_login_by_allauth(
    alice, extra_data, remembered, django_capture_on_commit_callbacks
):
    SocialAccount.objects.create(user=alice, provider="google", uid="1", extra_data=extra_data)
    SocialAccount.objects.create(user=alice, provider="okta", uid="1", extra_data={"sid": "y"})
    with django_capture_on_commit_callbacks(execute=True):
        session = sessions.start(alice, Client("192.0.2.1", "x"), method="google")
        sessions.start(alice, Client("192.0.2.1", "y"), method="password")
    noted = DeviceSession.objects.exclude(provider_sid="")
    found = dict(noted.values_list("pk", "provider_sid"))
    assert found == ({session.pk: digest_of(remembered)} if remembered else {})


def test_an_app_that_signed_in_by_its_id_token_is_known_by_its_session(client, signed_in, google):
    SocialAccount.objects.filter(provider="google").update(extra_data={"sid": "of the app"})
    tell_logout(client, logout_token(google, sub=None, sid="of the app"))
    assert active() == ALL - {"google"}


@pytest.mark.parametrize(
    "changes",
    [
        {"events": None},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
        {"events": {f"{CAEP}session-revoked": {}}},
        {"nonce": "x"},
        {"exp": None},
        {"exp": 1},
        {"sub": None},
        {"sub": None, "sid": 7},
        {"aud": "another client"},
        {"iss": OKTA},
        {"jti": None},
    ],
    ids=str,
)
def test_S19_what_is_no_logout_token_is_refused(client, signed_in, google, changes):
    answer = tell_logout(client, logout_token(google, **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert active() == ALL


def test_S19_a_security_event_is_no_logout_nor_the_other_way_round(client, signed_in, google):
    assert tell_logout(client, google.sign(**FORMS["ssf"], exp=2**40)).status_code == 400
    assert push(client, logout_token(google)).status_code == 400
    assert active() == ALL


def test_without_providers_nobody_is_believed(client, signed_in, google, settings):
    settings.DEVICES = {
        name: value for name, value in settings.DEVICES.items() if not name.startswith("PROVIDER")
    }
    refused(client, google.sign(**FORMS["ssf"]), "invalid_issuer")


# Our own events, read by ourselves: one site as the provider of another


def test_S14_what_the_transmitter_says_is_what_the_receiver_takes(
    client, signed_in, settings, google
):
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": "database"}
    keyring.reset()
    rotate()
    rotate()
    ours = keyring.current()
    google.keys = [ours.signing]
    subject = {
        "format": "complex",
        "user": {"format": "iss_sub", "iss": GOOGLE, "sub": "alice at google"},
        "session": {"format": "opaque", "id": "x"},
    }
    assert (
        push(client, google.sign(sub_id=subject, events={f"{CAEP}session-revoked": {}})).status_code
        == 202
    )
    assert active() == ALL - {"google"}
    keyring.reset()


# Numbers that become dates, text that no database holds, and what nests too deeply: none of them is a 500

# As JSON, since Python would not write some of them.
NO_TIMES = [
    "-1e400", "1e400", "NaN", "1e300", "-1e300", "-1" + "0" * 30, "1" + "0" * 30, "9" * 5000,
    "253402300800", "-62135596801", "true", '"1700000000"', "[]", "{}", "null",
]  # fmt: skip


def raw(issuer, name, value, typ="secevent+jwt", **claims):
    """A token well signed by the provider, in which one claim is what JSON has, and Python may not."""
    said = {
        "iss": issuer.url,
        "aud": "our-client",
        "iat": int(time.time()),
        "jti": "756E6971",
        **claims,
        name: "@",
    }
    payload = json.dumps(said).replace('"@"', value).encode()
    key = issuer.keys[0]
    return jwt.PyJWS().encode(payload, key.signing, "ES256", {"kid": key.kid, "typ": typ})


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
def test_S14_a_number_that_is_no_time_is_refused(client, signed_in, google, name, value):
    refused(client, raw(google, name, value, **FORMS["ssf"]), "invalid_request")
    token = raw(google, name, value, "logout+jwt", sub="alice at google", events=LOGOUT, exp=2**31)
    answer = tell_logout(client, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert active() == ALL


def test_what_nests_too_deeply_is_no_fault_of_ours(client, signed_in, google):
    deep = "[" * 6_000 + "]" * 6_000
    head, claims = (base64(text.encode()).decode() for text in (f'{{"typ": {deep}}}', deep))
    for text in (f"{head}.e30.e30", f"e30.{claims}.e30", f"{head}.{claims}.e30"):
        refused(client, text, "invalid_request")
        assert tell_logout(client, text).status_code == 400
    # How deep Python reads differs by its release. What a provider has signed may pass.
    assert push(client, raw(google, "x", deep, **FORMS["ssf"])).status_code in (202, 400)


@pytest.mark.parametrize("name", ["\0", "\ud800", "x\0y"], ids=ascii)
def test_S14_a_name_that_no_database_holds_names_nobody(client, signed_in, google, name):
    for subject in (
        {"format": "iss_sub", "iss": GOOGLE, "sub": name},
        {"format": "email", "email": name},
        {"format": "opaque", "id": name},
    ):
        text = google.sign(sub_id=subject, events={f"{CAEP}session-revoked": {}})
        refused(client, text, "invalid_request")
    for who in ({"sub": name}, {"sub": None, "sid": name}):
        assert tell_logout(client, logout_token(google, **who)).status_code == 400
    assert active() == ALL


# Polling (RFC 8936)


class Transmitter:
    """A provider that holds its events until it is asked."""

    def __init__(self, *texts):
        self.held = {f"jti {i}": text for i, text in enumerate(texts)}
        self.questions = []

    def ask(self, provider, body):
        self.questions.append(body)
        for jti in [*body["ack"], *body["setErrs"]]:
            self.held.pop(jti, None)
        first = dict(list(self.held.items())[: body["maxEvents"]])
        return {"sets": first, "moreAvailable": len(first) < len(self.held)}


@pytest.fixture
def polled(settings, monkeypatch):
    """polled(texts): Okta is polled, and holds these."""
    providers = settings.DEVICES["PROVIDERS"]
    place = {"url": "https://example.okta.com/poll", "authorization": "Bearer of ours"}
    okta = {**providers["okta"], "poll": place}
    settings.DEVICES = {**settings.DEVICES, "PROVIDERS": {**providers, "okta": okta}}

    def hold(*texts):
        transmitter = Transmitter(*texts)
        monkeypatch.setattr(polling, "ask", transmitter.ask)
        return transmitter

    return hold


def poll():
    output = StringIO()
    call_command("poll_providers", stdout=output, stderr=output)
    return output.getvalue()


SUBJECT = {"format": "iss_sub", "iss": OKTA, "sub": "alice at okta"}
ENDED = {"sub_id": SUBJECT, "events": {f"{CAEP}session-revoked": {}}}


def test_S14_polled_events_end_the_sessions_that_they_name_and_are_acknowledged(
    signed_in, okta, polled
):
    other = {"events": {f"{CAEP}credential-change": {}}}
    transmitter = polled(*[okta.sign(**ENDED | other)] * 150, okta.sign(**ENDED))
    assert poll() == "okta: 1 sessions ended\n"
    assert active() == ALL - {"okta"}
    assert transmitter.held == {}
    assert [len(each["ack"]) for each in transmitter.questions] == [0, 100, 51]
    assert all(each["returnImmediately"] for each in transmitter.questions)
    # They come again, as where the answer was lost, and find nothing to end.
    polled(okta.sign(**ENDED))
    assert poll() == "okta: 0 sessions ended\n"


def test_S14_a_polled_event_that_is_not_believed_ends_nothing_and_is_reported(
    signed_in, okta, google, polled
):
    transmitter = polled(
        okta.sign(**ENDED, key=google.keys[0]),
        # Good, and of another provider: its own door is for that.
        google.sign(**FORMS["ssf"]),
        okta.sign(**ENDED, aud="another client"),
        okta.sign("JWT", **ENDED),
        "x",
        raw(okta, "iat", "-1" + "0" * 30, **ENDED),
    )
    assert poll() == "okta: 0 sessions ended\n"
    assert active() == ALL
    reported = transmitter.questions[-1]["setErrs"]
    assert [each["err"] for each in reported.values()] == [
        "invalid_key",
        "invalid_issuer",
        "invalid_audience",
        "invalid_request",
        "invalid_request",
        "invalid_request",
    ]


def test_a_polled_event_is_taken_for_each_tenant(signed_in, okta, polled, monkeypatch):
    """It is acknowledged, and so does not come again for the next one."""
    polled(okta.sign(**ENDED))
    within = []

    def each_schema():
        for schema in ("red", "blue"):
            within.append(schema)
            yield schema

    monkeypatch.setattr(polling.database, "each_schema", each_schema)
    assert poll() == "okta: 1 sessions ended\n"
    assert within == ["red", "blue"]


def test_a_provider_that_repeats_itself_is_not_asked_for_ever(okta, polled, monkeypatch):
    transmitter = polled()
    held = {"sets": {"x": okta.sign(**ENDED)}}
    monkeypatch.setattr(polling, "ask", lambda *args: transmitter.questions.append(args) or held)
    poll()
    assert len(transmitter.questions) == polling.ROUNDS


@pytest.mark.parametrize(
    "said", [None, [], {}, {"sets": []}, {"sets": {"x": 1}}, {"sets": {"x": None}}], ids=str
)
def test_an_answer_without_events_is_said(polled, monkeypatch, said):
    polled()
    monkeypatch.setattr(polling, "ask", lambda *args: said)
    with pytest.raises(CommandError, match="okta"):
        poll()


class _Site(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *args):
        """Not into the output of the tests."""


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_S14_the_secret_goes_to_the_provider_alone(site, monkeypatch):
    given = {
        "url": f"http://127.0.0.1:{site.server_port}/poll",
        "authorization": lambda: "Bearer of ours",
    }
    provider = trust.Provider("okta", (OKTA,), ("our-client",), "okta", given)
    site.answer = (200, b'{"sets": {}}')
    assert polling.ask(provider, {}) == {"sets": {}}
    monkeypatch.setattr(polling, "LONGEST", 100)
    for answer in (
        (302, b""),
        (307, b""),
        (401, b"{}"),
        (500, b""),
        (200, b""),
        (200, b"x"),
        (200, b"[" * 50 + b"]" * 51),
        (200, b'"' + b"x" * 100 + b'"'),
        (200, b"\xff"),
    ):
        site.answer = answer
        with pytest.raises(polling.Away) as away:
            polling.ask(provider, {})
        # An answer that is an error holds its connection until it is closed.
        assert getattr(away.value.__cause__, "closed", True)
    assert set(site.asked) == {("/poll", "Bearer of ours")}
    site.server_close()
    with pytest.raises(polling.Away):
        polling.ask(provider, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": None},
        {"audience": []},
        {"jwks_url": "http://example.okta.com"},
        {"jwks_url": "http://localhost.example.com"},
        {"jwks_url": "http://localhost@example.com/"},
        {"poll": "https://example.okta.com"},
        {"poll": {"url": "https://example.okta.com"}},
        {"poll": {"url": "http://example.okta.com", "authorization": "x"}},
        {"poll": {"url": "https://example.okta.com", "authorization": None}},
    ],
    ids=str,
)
def test_a_provider_that_is_not_whole_is_reported(settings, polled, changes):
    polled()
    providers = settings.DEVICES["PROVIDERS"]
    whole = {**providers["okta"], "jwks_url": "https://example.okta.com/keys"}
    for okta, expected in ((whole, []), ({**whole, **changes}, ["devices.E097"])):
        settings.DEVICES = {**settings.DEVICES, "PROVIDERS": {"okta": okta}}
        assert [each.id for each in check_providers()] == expected


def test_a_site_that_cannot_tell_sessions_at_providers_apart_is_told(settings):
    assert "devices.W170" not in {each.id for each in check_providers()}
    without = [name for name in settings.INSTALLED_APPS if name != "devices.contrib.providers"]
    with override_settings(INSTALLED_APPS=without):
        assert "devices.W170" in {each.id for each in check_providers()}
        settings.DEVICES = {**settings.DEVICES, "PROVIDERS": {}}
        assert not list(check_providers())


def test_a_provider_on_this_machine_needs_no_https(settings):
    okta = settings.DEVICES["PROVIDERS"]["okta"]
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        here = {**okta, "jwks_url": f"http://{host}/jwks"}
        settings.DEVICES = {**settings.DEVICES, "PROVIDERS": {"okta": here}}
        assert not list(check_providers())
