"""What other services learn of a token, from itself (RFC 9068) or by asking (RFC 7662); how they end it."""

import json
from base64 import b64encode
from datetime import timedelta
from io import StringIO
from urllib.parse import quote, urlencode

import jwt
import pytest
from django.core import signing
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from devices.core import service_clients, sessions, tokens
from devices.core.clients.client import Client
from devices.core.keys import keyring
from devices.core.log.security_log import Event
from devices.exceptions import TokenNotValid
from devices.models import Activity, DeviceSession, RevokeReason
from devices.shortcuts import authenticate
from tests.client import Device
from tests.dpop import DPoPDevice
from tests.forge import claims_of, signed, with_claims
from tests.keys import rotate

FORM = "application/x-www-form-urlencoded"
# The names of the tests are made of them, and each process of a run has to come to the same.
SECRET, OLD = "a secret of reports and desk", "an earlier one"
DIGEST, OLD_DIGEST = map(service_clients.digest, (SECRET, OLD))
CLIENTS = {
    "reports": {"secret": [OLD_DIGEST, DIGEST], "may": ["introspect"]},
    "desk": {"secret": DIGEST, "may": ["revoke"]},
}


@pytest.fixture(autouse=True)
def _clients(settings):
    settings.DEVICES = {**settings.DEVICES, "SERVICE_CLIENTS": CLIENTS}
    keyring.reset()
    yield
    keyring.reset()


@pytest.fixture
def rfc9068(settings):
    settings.DEVICES = {
        **settings.DEVICES,
        "ACCESS_TOKEN_FORMAT": "rfc9068",
        "CLIENT_ID": "web",
    }


def basic(name="reports", secret=SECRET):
    return "Basic " + b64encode(f"{quote(name)}:{quote(secret)}".encode()).decode()


def ask(client, path="introspect", body=None, *, auth=None, content_type=FORM, **fields):
    body = urlencode(fields) if body is None else body
    headers = {} if auth == "" else {"HTTP_AUTHORIZATION": auth or basic()}
    return client.post(f"/oauth/{path}", body, content_type=content_type, **headers)


def inactive(answer):
    return answer.status_code == 200 and answer.json() == {"active": False}


# RFC 9068


def test_S11_an_access_token_says_what_rfc_9068_asks_for(rfc9068, alice, sign_in):
    phone = sign_in(alice)
    session = DeviceSession.objects.get()
    assert jwt.get_unverified_header(phone.access) == {"alg": "HS256", "typ": "at+jwt"}
    claims = claims_of(phone.access)
    assert claims["iss"] == "devices"
    assert claims["aud"] == "devices-api"
    assert claims["sub"] == claims["user_id"] == str(alice.pk)
    assert claims["client_id"] == "web"
    assert claims["sid"] == claims["session_id"] == str(session.pk)
    assert claims["auth_time"] == int(session.authenticated_at.timestamp())
    assert (claims["acr"], claims["amr"]) == ("1fa", ["pwd"])
    assert {"exp", "iat", "jti"} <= set(claims)
    # A refresh token is for us alone.
    assert jwt.get_unverified_header(phone.refresh_token)["typ"] == "JWT"
    assert "amr" not in claims_of(phone.refresh_token)
    assert phone.is_in() and phone.rotate().is_in()


def test_S11_the_type_is_said_by_each_key(rfc9068, settings, alice, sign_in):
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": "database"}
    rotate()
    rotate()
    header = jwt.get_unverified_header(sign_in(alice).access)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")


def test_S11_two_factors_and_other_ways_are_told(rfc9068, alice):
    session = sessions.start(alice, Client("192.0.2.1", ""), method="google", mfa=True)
    claims = claims_of(tokens.issue(session).access)
    assert (claims["acr"], claims["amr"]) == ("2fa", ["mfa"])
    session = sessions.start(alice, Client("192.0.2.1", ""), method="passkey")
    assert claims_of(tokens.issue(session).access)["amr"] == ["pop"]


def test_S23_who_acts_for_somebody_has_proved_nothing_of_theirs(rfc9068, alice, make_user):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    origin = sessions.start(root, Client("192.0.2.1", ""), mfa=True)
    acting = sessions.start(alice, Client("192.0.2.1", ""))
    DeviceSession.objects.filter(pk=acting.pk).update(
        impersonator=root, impersonator_session_id=origin.pk
    )
    claims = claims_of(tokens.issue(DeviceSession.objects.get(pk=acting.pk)).access)
    assert claims["act"] == {"sub": str(root.pk), "sid": str(origin.pk)}
    assert not {"acr", "amr", "auth_time"} & set(claims)


def test_S11_a_change_of_format_refuses_nobody(settings, alice, sign_in):
    before = sign_in(alice)
    settings.DEVICES = {**settings.DEVICES, "ACCESS_TOKEN_FORMAT": "rfc9068"}
    after = sign_in(alice)
    assert before.is_in() and after.is_in()
    settings.DEVICES = {**settings.DEVICES, "ACCESS_TOKEN_FORMAT": "simplejwt"}
    assert after.is_in() and after.rotate().is_in()


# RFC 8414


def test_the_metadata_says_where_to_ask(settings, client, db):
    path = "/.well-known/oauth-authorization-server"
    # The issuer of the site is no URL unless it is told one.
    assert client.get(path).status_code == 404
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": "https://devices.test"}
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    methods = ["client_secret_basic", "client_secret_post"]
    assert answer.json() == {
        "issuer": "https://devices.test",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint": "https://devices.test/oauth/token",
        "token_endpoint_auth_methods_supported": methods,
        "scopes_supported": ["ssf.read", "ssf.manage"],
        "jwks_uri": "https://devices.test/.well-known/jwks.json",
        "introspection_endpoint": "https://devices.test/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": "https://devices.test/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
    }
    assert client.get(f"{path}/below").status_code == 404


def test_an_issuer_with_a_path_is_asked_for_by_it(settings, client, db):
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": "https://devices.test/below"}
    path = "/.well-known/oauth-authorization-server"
    assert client.get(path).status_code == 404
    assert client.get(f"{path}/below").json()["issuer"] == "https://devices.test/below"


# RFC 7662


def test_several_blanks_may_stand_behind_the_scheme(alice, sign_in, client):
    # RFC 9110, 11.4
    answer = ask(client, auth=basic().replace(" ", "  "), token=sign_in(alice).access)
    assert answer.status_code == 200 and answer.json()["active"]


def test_S10_an_active_token_says_whose_it_is(alice, sign_in, client):
    phone = sign_in(alice)
    answer = ask(client, token=phone.access, token_type_hint="access_token")
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    said = answer.json()
    assert said.pop("active") is True
    assert said.pop("token_type") == "Bearer"
    assert said.pop("sid") == phone.session_id
    assert said.pop("sub") == str(alice.pk)
    assert said.pop("client_id") == "first-party"
    claims = claims_of(phone.access)
    assert said == {name: value for name, value in claims.items() if name != "token_type"}


def test_S10_an_inactive_token_says_nothing(alice, sign_in, client, clock):
    phone, other = sign_in(alice), sign_in(alice)
    assert inactive(ask(client, token="junk"))
    assert inactive(ask(client, token=phone.access + "x"))
    assert inactive(ask(client, token="a" * 100_000))
    assert inactive(ask(client, token="\0"))
    assert inactive(ask(client, token=with_claims(phone.access, exp="x")))
    # Whoever takes what is active for a bearer token shall not take this one.
    assert inactive(ask(client, token=phone.refresh_token))
    assert inactive(ask(client, token=phone.refresh_token, token_type_hint="refresh_token"))
    phone.post("/api/logout")
    assert inactive(ask(client, token=phone.access))
    clock.shift(306)
    assert inactive(ask(client, token=other.access))


def test_S10_a_session_that_was_only_asked_about_was_not_active(alice, sign_in, client):
    phone = sign_in(alice)
    before = timezone.now() - timedelta(hours=1)
    DeviceSession.objects.update(last_active=before)
    assert ask(client, token=phone.access).json()["active"]
    assert DeviceSession.objects.get().last_active == before


def test_S10_what_is_asked_is_asked_of_the_database(alice, sign_in, client, settings):
    settings.DEVICES = {**settings.DEVICES, "LIVENESS": "cached"}
    phone = sign_in(alice)
    assert ask(client, token=phone.access).json()["active"]
    DeviceSession.objects.update(revoked_at=timezone.now(), revoke_reason=RevokeReason.ADMIN)
    assert inactive(ask(client, token=phone.access))


# Who may ask


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_a_service_shows_its_secret_in_a_header_or_in_the_form(alice, sign_in, client, secret):
    token = sign_in(alice).access
    assert ask(client, token=token, auth=basic(secret=secret)).json()["active"]
    form = {"client_id": "reports", "client_secret": secret, "token": token}
    assert ask(client, auth="", **form).json()["active"]


@pytest.mark.parametrize(
    "auth",
    [
        "",
        basic(secret="wrong"),
        basic(secret=DIGEST),
        basic(secret=""),
        basic("nobody"),
        basic(""),
        basic("\0"),
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"\xff\xfe").decode(),
        "Basic " + b64encode(b"reports").decode(),
        "Bearer x",
        "Basic " + "A" * 100_000,
    ],
)
def test_who_is_no_service_learns_nothing(alice, sign_in, client, auth):
    phone = sign_in(alice)
    for path in ("introspect", "revoke"):
        answer = ask(client, path, token=phone.access, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert "no-store" in answer.headers["Cache-Control"]
    assert phone.is_in()


def test_a_person_is_no_service(alice, sign_in, client):
    phone = sign_in(alice)
    answer = ask(client, token=phone.access, auth=f"Bearer {phone.access}")
    assert answer.status_code == 401


def test_a_service_may_do_what_it_was_given(alice, sign_in, client):
    phone = sign_in(alice)
    answer = ask(client, "revoke", token=phone.access)
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    answer = ask(client, token=phone.access, auth=basic("desk"))
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    assert phone.is_in()


def test_who_is_refused_is_logged_by_a_name_that_exists(alice, sign_in, client, security_lines):
    token = sign_in(alice).access
    ask(client, token=token, auth=basic(secret="wrong"))
    ask(client, token=token, auth=basic("what nobody is called"))
    lines = security_lines.of(Event.SERVICE_REFUSED)
    assert [(line["service"], line["level"], line["outcome"]) for line in lines] == [
        ("reports", "WARNING", "failure"),
        ("", "WARNING", "failure"),
    ]


def test_A30_failures_are_limited_and_lock_no_service_out(alice, sign_in, client, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 3}
    token = sign_in(alice).access
    answers = [ask(client, token=token, auth=basic(secret="wrong")) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    assert answers[-1].json()["error"] == "slow_down"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert ask(client, token=token).json()["active"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("token=a&token=b", FORM, 400),
        ("", FORM, 400),
        ("token=", FORM, 400),
        ("&".join(f"a{i}=1" for i in range(99)), FORM, 400),
        (b"token=\xff\xfe", FORM, 400),
        ('{"token": "a"}', "application/json", 400),
        ("token=a", "", 400),
        ("token=" + "a" * 300_000, FORM, 413),
        ("token=a&client_secret=b", FORM, 400),
        ("token=%ff", FORM, 200),
        ("token=a&unknown=b", FORM, 200),
    ],
)
def test_A43_odd_forms_are_an_error_of_the_caller(db, client, body, content_type, status):
    answer = ask(client, body=body, content_type=content_type)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head", "options"])
def test_nothing_but_a_post_is_answered(db, client, method):
    for path in ("introspect", "revoke"):
        answer = getattr(client, method)(f"/oauth/{path}?token=a")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"


def test_V16_5_2_without_a_database_nobody_is_told_anything(alice, sign_in, client, monkeypatch):
    token = sign_in(alice).access

    def away(*args, **kwargs):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("devices.core.statements.Select.run", away)
    answer = ask(client, token=token)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


# RFC 7009


@pytest.mark.parametrize("kind", ["access", "refresh_token"])
def test_S09_a_service_ends_a_session_by_any_of_its_tokens(alice, sign_in, client, kind):
    phone, other = sign_in(alice), sign_in(alice)
    answer = ask(client, "revoke", token=getattr(phone, kind), auth=basic("desk"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert not phone.is_in()
    assert phone.refresh().status_code == 401
    assert other.is_in()
    assert DeviceSession.objects.get(pk=phone.session_id).revoke_reason == RevokeReason.LOGOUT


def test_S09_revoking_answers_the_same_to_any_token(alice, sign_in, client):
    phone = sign_in(alice)
    first = ask(client, "revoke", token=phone.access, auth=basic("desk"))
    forged = signed(claims_of(phone.access), key="of somebody else")
    for token in (phone.access, phone.refresh_token, "junk", forged, "\0", "a" * 9000):
        answer = ask(client, "revoke", token=token, auth=basic("desk"))
        assert (answer.status_code, answer.content) == (first.status_code, first.content)


def test_S09_a_used_up_refresh_token_is_a_copy_here_too(alice, sign_in, client):
    phone = sign_in(alice)
    old = phone.refresh_token
    phone.rotate()
    assert phone.is_in()
    phone.rotate()
    ask(client, "revoke", token=old, auth=basic("desk"))
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.REUSE


# The command


def test_the_command_makes_a_line_that_admits_the_service(settings, alice, sign_in, client):
    out = StringIO()
    call_command("service_client", "billing", "--may", "introspect", "revoke", stdout=out)
    text = out.getvalue()
    secret = text.split("client_secret: ")[1].split()[0]
    line = text.split('"SERVICE_CLIENTS": ')[1]
    assert secret not in line
    settings.DEVICES = {**settings.DEVICES, "SERVICE_CLIENTS": eval(line)}
    token = sign_in(alice).access
    assert ask(client, token=token, auth=basic("billing", secret)).json()["active"]
    assert Device().get("/api/me").status_code == 401


# Tokens that are bound to a key (RFC 9449 §6.2)


def test_S_RFC9449_6_2_a_service_is_told_of_the_key_and_asked_for_no_proof(alice, client):
    phone = DPoPDevice().sign_in(alice.email)
    told = ask(client, token=phone.access).json()
    session = DeviceSession.objects.get()
    assert (told["active"], told["token_type"]) == (True, "DPoP")
    assert told["cnf"] == {"jkt": session.binding_key}
    # Nobody is told of a copy: the service has the token from its owner.
    assert not Activity.objects.filter(kind="binding.failed").exists()
    assert phone.is_in()


@pytest.mark.parametrize("kind", ["access", "refresh_token"])
def test_a_service_ends_a_session_that_is_bound_to_a_key(alice, client, kind):
    phone = DPoPDevice().sign_in(alice.email)
    answer = ask(client, "revoke", auth=basic("desk"), token=getattr(phone, kind))
    assert answer.status_code == 200
    assert not phone.is_in()


# RFC 6749 §4.4: access tokens for services, which the streams of Shared Signals take


@pytest.fixture
def signals(settings, db):
    settings.ROOT_URLCONF = "tests.devices.contrib.ssf.urls"
    clients = {**CLIENTS, "signals": {"secret": [OLD_DIGEST, DIGEST], "may": ["ssf"]}}
    settings.DEVICES = {**settings.DEVICES, "SERVICE_CLIENTS": clients}
    return settings


def grant(client, name="signals", secret=SECRET, **fields):
    fields = {"grant_type": "client_credentials", **fields}
    return ask(client, "token", auth=basic(name, secret), **fields)


def bearer(client, **fields):
    return {"HTTP_AUTHORIZATION": f"Bearer {grant(client, **fields).json()['access_token']}"}


def streams(client, header, method="GET", path="stream", body=None):
    return client.generic(
        method, f"/ssf/{path}", json.dumps(body or {}), content_type="application/json", **header
    )


def test_a_service_gets_a_token_of_its_own_and_manages_its_streams(signals, client):
    answer = grant(client)
    assert "no-store" in answer.headers["Cache-Control"]
    said = answer.json()
    assert said.pop("access_token")
    assert said == {"token_type": "Bearer", "expires_in": 600, "scope": "ssf.manage ssf.read"}
    header = bearer(client)
    made = streams(client, header, "POST")
    assert made.status_code == 201
    assert made.json()["aud"] == "signals"
    assert streams(client, header).json() == [made.json()]
    # The secret in the form does as well.
    fields = {"client_id": "signals", "client_secret": SECRET}
    body = urlencode({"grant_type": "client_credentials", **fields})
    assert ask(client, "token", body, auth="").status_code == 200
    signals.SIMPLE_JWT = {**signals.SIMPLE_JWT, "ISSUER": "https://devices.test"}
    schemes = client.get("/.well-known/ssf-configuration").json()["authorization_schemes"]
    assert schemes == [{"spec_urn": "urn:ietf:rfc:6749"}, {"spec_urn": "urn:ietf:rfc:7617"}]


def test_a_token_to_read_reads_and_changes_nothing(signals, client):
    stream = streams(client, bearer(client, scope="ssf.manage"), "POST").json()
    name = {"stream_id": stream["stream_id"]}
    header = bearer(client, scope="ssf.read")
    assert streams(client, header).json() == [stream]
    assert (
        streams(client, header, path=f"status?stream_id={stream['stream_id']}").status_code == 200
    )
    assert streams(client, header, "POST", "poll", {**name, "returnImmediately": True}).json() == {
        "sets": {},
        "moreAvailable": False,
    }
    for method, path, body in (
        ("POST", "stream", {}),
        ("PATCH", "stream", {**name, "description": "x"}),
        ("PUT", "stream", name),
        ("DELETE", f"stream?stream_id={stream['stream_id']}", None),
        ("POST", "status", {**name, "status": "disabled"}),
        ("POST", "verification", name),
        ("POST", "subjects/remove", {**name, "subject": {"format": "opaque", "id": "x"}}),
        ("POST", "subjects/add", {**name, "subject": {"format": "opaque", "id": "x"}}),
    ):
        answer = streams(client, header, method, path, body)
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert streams(client, header).json() == [stream]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"scope": "ssf.read admin"}, "invalid_scope"),
        ({"scope": "ssf.READ"}, "invalid_scope"),
        ({"name": "desk"}, "unauthorized_client"),
        ({"name": "desk", "scope": "ssf.manage"}, "unauthorized_client"),
    ],
    ids=str,
)
def test_a_service_gets_no_more_than_its_scopes(signals, client, fields, error):
    answer = grant(client, **fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_who_gives_no_secret_gets_no_token(signals, client):
    for answer in (
        grant(client, secret="wrong"),
        grant(client, name="nobody"),
        ask(client, "token", auth="", grant_type="client_credentials", client_id="signals"),
        client.post("/oauth/token", {"grant_type": "client_credentials"}, content_type=FORM),
    ):
        assert answer.status_code in (400, 401)
        assert "access_token" not in answer.json()
    assert client.get("/oauth/token").status_code == 405
    assert ask(client, "token", auth=basic("signals")).json()["error"] == "invalid_request"


def good(client, header):
    answer = streams(client, header)
    if answer.status_code == 200:
        return True
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    return False


def test_a_token_is_good_for_ten_minutes(signals, client, clock):
    header = bearer(client)
    clock.shift(599)
    assert good(client, header)
    clock.shift(2)
    assert not good(client, header)


def test_a_token_ends_with_its_secret(signals, client):
    """Of two secrets while they change, the one it came by."""
    before, after = bearer(client, secret=OLD), bearer(client)
    assert good(client, before) and good(client, after)
    clients = {**CLIENTS, "signals": {"secret": DIGEST, "may": ["ssf"]}}
    signals.DEVICES = {**signals.DEVICES, "SERVICE_CLIENTS": clients}
    assert not good(client, before)
    assert good(client, after)
    signals.DEVICES = {**signals.DEVICES, "SERVICE_CLIENTS": CLIENTS}
    assert not good(client, after)


def test_a_token_ends_with_its_permission(signals, client):
    header = bearer(client)
    clients = {**CLIENTS, "signals": {"secret": DIGEST, "may": ["introspect"]}}
    signals.DEVICES = {**signals.DEVICES, "SERVICE_CLIENTS": clients}
    assert streams(client, header).status_code == 403


def test_a_token_that_never_was_is_counted_and_an_old_one_is_not(
    signals, client, clock, alice, sign_in
):
    signals.DEVICES = {**signals.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 8}
    mine = grant(client).json()["access_token"]
    value, time, signature = mine.split(":")
    phone = sign_in(alice)
    for forged in (
        "",
        "x",
        f"{value}:{time}:{signature[:-1]}",
        f"{value}:1zzzzz:{signature}",
        signing.dumps(["signals", "x", ["ssf.manage"]], salt="another", key="y" * 50),
        phone.access,
    ):
        assert not good(client, {"HTTP_AUTHORIZATION": f"Bearer {forged}"})
    clock.shift(601)
    for _ in range(20):
        assert not good(client, {"HTTP_AUTHORIZATION": f"Bearer {mine}"})
    statuses = [streams(client, {"HTTP_AUTHORIZATION": "Bearer x"}).status_code for _ in range(10)]
    assert statuses[-1] == 429
    # A good one is let in all the same.
    assert good(client, bearer(client))


def test_a_services_token_opens_nothing_else(signals, client, alice):
    header = bearer(client)
    for path in ("introspect", "revoke", "token", "feed"):
        assert (
            client.post(f"/oauth/{path}", "token=x", content_type=FORM, **header).status_code == 401
        )
    assert client.get("/api/me", **header).status_code == 401
    text = header["HTTP_AUTHORIZATION"].partition(" ")[2]
    assert inactive(ask(client, token=text))
    with pytest.raises(TokenNotValid):
        authenticate(text)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/.well-known/jwks.json"),
        ("get", "/.well-known/oauth-authorization-server"),
        ("post", "/oauth/introspect"),
        ("post", "/oauth/revoke"),
    ],
)
def test_machines_call_a_host_of_the_site(client, settings, method, path):
    """As docs/services.md says: an internal name is one of ALLOWED_HOSTS, or refused."""
    inside = {"Host": "devices.default.svc"}
    settings.ALLOWED_HOSTS = ["testserver"]
    refused = getattr(client, method)(path, headers=inside)
    assert refused.status_code == 400
    settings.ALLOWED_HOSTS = ["devices.default.svc"]
    answer = getattr(client, method)(path, headers=inside)
    # Not there, or asked without a token: what the endpoint itself says.
    assert answer.content != refused.content
