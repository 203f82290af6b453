"""Services follow what happens to sessions by streams of signed events (SSF 1.0, CAEP 1.0)."""

from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from jsonschema import Draft202012Validator

from devices.contrib.ssf import events, pending, streams
from devices.contrib.ssf.checks import check_settings
from devices.contrib.ssf.models import PendingEvent, RemovedSubject, Stream
from devices.core import erasure, sessions
from devices.core.clients.client import Client
from devices.core.keys import keyring
from devices.core.log import activity
from devices.core.notifications import outbox as mails
from devices.exceptions import TokenNotValid
from devices.models import DeviceSession, RevokeReason
from devices.shortcuts import authenticate
from tests.client import PASSWORD
from tests.test_services import basic

from .conftest import ISSUER
from .schemas import CAEP, CONFIGURATION, EVENTS, METADATA, SET


def valid(schema, value):
    Draft202012Validator(schema).validate(value)


def start(user):
    return sessions.start(user, Client("192.0.2.1", ""))


# The published examples (OpenID CAEP 1.0 §3, Shared Signals Framework 1.0 §3 to §8) without their prose.
def example(event, subject, **body):
    return {
        "iss": "https://idp.example.com/123456789/",
        "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
        "iat": 1615305159,
        "aud": "https://sp.example.com/caep",
        "txn": "8675309",
        "sub_id": subject,
        "events": {f"{CAEP}{event}": {"event_timestamp": 1615304991, **body}},
    }


JANE = {
    "format": "iss_sub",
    "iss": "https://idp.example.com/3456789/",
    "sub": "jane.smith@example.com",
}
OPAQUE = {"format": "opaque", "id": "dMTlD|1600802906337.16|16008.16"}
EXAMPLES = {
    "session by its id": example("session-revoked", OPAQUE),
    "session with its user": example(
        "session-revoked",
        {"format": "complex", "session": OPAQUE, "user": JANE},
        initiating_entity="policy",
    ),
    "credential": example(
        "credential-change", JANE, credential_type="fido2-roaming", change_type="create"
    ),
    "assurance": example(
        "assurance-level-change",
        JANE,
        namespace="NIST-AAL",
        current_level="nist-aal2",
        previous_level="nist-aal1",
        change_direction="increase",
    ),
    "compliance": example(
        "device-compliance-change",
        {"format": "complex", "device": JANE},
        current_status="not-compliant",
        previous_status="compliant",
    ),
}


@pytest.mark.parametrize("published", EXAMPLES.values(), ids=EXAMPLES)
def test_the_schemas_of_these_tests_take_what_the_specifications_print(published):
    valid(SET, published)


# A stream from its beginning to its end


def test_S14_a_stream_is_followed_from_discovery_to_deletion(reports, alice, client):
    found = client.get("/.well-known/ssf-configuration")
    assert found.headers["Content-Type"] == "application/json"
    metadata = found.json()
    valid(METADATA, metadata)
    assert metadata["issuer"] == ISSUER
    assert metadata["configuration_endpoint"] == f"{ISSUER}/ssf/stream"
    assert metadata["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"

    stream = reports.create(
        description="reports", events_requested=[events.SESSION_REVOKED, "urn:x"]
    )
    valid(CONFIGURATION, stream)
    assert stream["iss"] == ISSUER
    assert stream["aud"] == "reports"
    assert stream["events_delivered"] == [events.SESSION_REVOKED]
    assert stream["delivery"] == {
        "method": "urn:ietf:rfc:8936",
        "endpoint_url": f"{ISSUER}/ssf/poll?stream_id={stream['stream_id']}",
    }
    assert reports.ask("GET", "stream", stream_id=stream["stream_id"]).json() == stream
    assert reports.ask("GET", "stream").json() == [stream]
    status = reports.ask("GET", "status", stream_id=stream["stream_id"]).json()
    assert status == {"stream_id": stream["stream_id"], "status": "enabled"}

    asked = {"stream_id": stream["stream_id"], "state": "a word"}
    assert reports.ask("POST", "verification", asked).status_code == 204
    (verified,) = reports.drain(stream)
    valid(SET, verified)
    assert verified["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}
    assert verified["events"] == {events.VERIFICATION: {"state": "a word"}}

    session = start(alice)
    sessions.logout(session)
    (revoked,) = reports.drain(stream)
    valid(SET, revoked)
    assert revoked["sub_id"] == {
        "format": "complex",
        "user": {"format": "iss_sub", "iss": ISSUER, "sub": str(alice.pk)},
        "session": {"format": "opaque", "id": str(session.pk)},
    }
    (body,) = revoked["events"].values()
    assert body["initiating_entity"] == "user"
    assert body["reason_admin"] == {"en": "Signed out"}

    answer = reports.ask("DELETE", "stream", stream_id=stream["stream_id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert reports.ask("GET", "stream").json() == []
    assert reports.ask("GET", "stream", stream_id=stream["stream_id"]).status_code == 404
    sessions.logout(start(alice))
    assert not PendingEvent.objects.exists()


def test_each_kind_of_event_is_one_of_the_specification(reports, alice, settings, monkeypatch):
    stream = reports.create()
    assert set(stream["events_delivered"]) | {events.VERIFICATION} == set(EVENTS)
    session = start(alice)
    sessions.confirm(session, Client("192.0.2.1", ""), method="code", mfa=True)
    sessions.confirm(session, Client("192.0.2.1", ""), method="password")
    activity.record(session, "binding.lost", {"binding": "dbsc", "reason": "asked"})
    activity.record(session, "report.exported", {})
    sessions.change_password(alice, "another password 9", keep=session)
    mails.tell_method_added(alice.pk, "factor")
    mails.tell_method_added(alice.pk, "address")
    erasure.erase(alice)
    heard = reports.drain(stream)
    for claims in heard:
        valid(SET, claims)
    told = [next(iter(claims["events"].items())) for claims in heard]
    assert [kind.removeprefix(CAEP) for kind, _ in told] == [
        "assurance-level-change",
        "device-compliance-change",
        "credential-change",
        "credential-change",
        "session-revoked",
    ]
    assert [body.get("credential_type") for _, body in told] == [
        None,
        None,
        "password",
        "factor",
        None,
    ]
    assert told[-1][1]["initiating_entity"] == "system"
    # What came of one cause has one `txn` and one `jti` of its own.
    assert len({claims["txn"] for claims in heard}) == len({claims["jti"] for claims in heard}) == 5


def test_what_somebody_signed_in_with_is_told_when_it_is_gone(reports, alice, mallory):
    """A second factor and an account elsewhere, by whatever door. Recovery codes are no factor."""
    stream = reports.create()
    for kind in ("totp", "webauthn", "recovery_codes"):
        Authenticator.objects.create(user=alice, type=kind, data={})
    SocialAccount.objects.create(user=mallory, provider="google", uid="mallory")
    # Told of what was added by the mails about it.
    reports.drain(stream)
    Authenticator.objects.get(type="totp").delete()
    Authenticator.objects.filter(user=alice).delete()
    SocialAccount.objects.all().delete()
    heard = reports.drain(stream)
    for claims in heard:
        valid(SET, claims)
    told = [(claims["sub_id"]["sub"], *claims["events"].values()) for claims in heard]
    assert sorted(
        (sub, event["credential_type"], event["change_type"]) for sub, event in told
    ) == sorted(
        [(str(alice.pk), "factor", "revoke")] * 2 + [(str(mallory.pk), "identity", "revoke")]
    )


def test_a_factor_that_stays_after_all_is_told_to_nobody(reports, alice):
    stream = reports.create()
    factor = Authenticator.objects.create(user=alice, type="totp", data={})
    reports.drain(stream)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        factor.delete()
        raise ZeroDivisionError
    assert reports.drain(stream) == []


def test_every_reason_to_end_a_session_says_who_did_it(reports, alice):
    stream = reports.create()
    for reason in RevokeReason:
        sessions.revoke(start(alice), reason=reason)
    for claims in reports.drain(stream):
        valid(SET, claims)
    assert {events._initiator(reason) for reason in RevokeReason} == {
        "user",
        "admin",
        "policy",
        "system",
    }


def test_two_services_hear_the_same_and_each_its_own(reports, billing, alice):
    one, two = reports.create(), billing.create()
    sessions.logout(start(alice))
    (heard,), (other,) = reports.drain(one), billing.drain(two)
    assert (heard["aud"], other["aud"]) == ("reports", "billing")
    assert heard["txn"] == other["txn"]
    assert heard["jti"] != other["jti"]


# Polling (RFC 8936)


def test_S14_what_is_not_acknowledged_comes_again_and_then_no_more(reports, alice):
    stream = reports.create()
    sessions.logout(start(alice))
    first = reports.poll(stream)
    assert reports.poll(stream) == first
    assert reports.poll(stream, ack=list(first)) == {}
    assert not PendingEvent.objects.exists()


def test_S14_events_of_a_person_come_one_after_the_other(reports, alice, mallory):
    stream = reports.create()
    begun = [start(alice) for _ in range(3)]
    other = start(mallory)
    for session in [*begun, other]:
        sessions.logout(session)
    heard = []
    while found := reports.poll(stream, maxEvents=10):
        subs = [claims["sub_id"]["user"]["sub"] for claims in found.values()]
        assert len(set(subs)) == len(subs)
        heard += [claims["sub_id"]["session"]["id"] for claims in found.values()]
        reports.poll(stream, ack=list(found), maxEvents=0)
    mine = [str(session.pk) for session in begun]
    assert [each for each in heard if each in mine] == mine
    assert len(heard) == 4


def test_more_than_fits_into_an_answer_is_said_to_be_there(reports, make_user):
    stream = reports.create()
    for i in range(3):
        sessions.logout(start(make_user(f"{i}@example.org")))
    query = {"stream_id": stream["stream_id"]}
    answer = reports.ask(
        "POST", "poll", {"maxEvents": 2, "returnImmediately": True}, **query
    ).json()
    assert (len(answer["sets"]), answer["moreAvailable"]) == (2, True)
    answer = reports.ask("POST", "poll", {"ack": list(answer["sets"])}, **query).json()
    assert (len(answer["sets"]), answer["moreAvailable"]) == (1, False)


def test_a_poll_waits_for_what_comes(reports, alice, settings, monkeypatch):
    settings.DEVICES = {**settings.DEVICES, "FEED_WAIT": 5}
    stream = reports.create()
    session = start(alice)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            sessions.logout(session)

    monkeypatch.setattr("devices.contrib.ssf.views.time.sleep", sleep)
    assert len(reports.poll(stream, returnImmediately=False)) == 1
    assert len(slept) == 3


def test_what_a_service_cannot_read_is_logged_and_not_sent_again(reports, alice, caplog):
    stream = reports.create()
    sessions.logout(start(alice))
    (jti,) = reports.poll(stream)
    assert reports.poll(stream, setErrs={jti: {"err": "invalid_key", "description": "?"}}) == {}
    assert "could not read" in caplog.text


# Status, subjects, limits


def test_a_paused_stream_holds_events_and_a_disabled_one_drops_them(reports, alice):
    stream = reports.create()
    set_to = lambda status: reports.ask(  # noqa: E731
        "POST", "status", {"stream_id": stream["stream_id"], "status": status, "reason": "holiday"}
    )
    assert set_to("paused").json()["reason"] == "holiday"
    sessions.logout(start(alice))
    assert reports.poll(stream) == {}
    set_to("enabled")
    assert len(reports.poll(stream)) == 1
    set_to("disabled")
    sessions.logout(start(alice))
    set_to("enabled")
    assert reports.poll(stream) == {}
    assert set_to("asleep").status_code == 400


def test_a_removed_person_or_session_is_not_told_of_until_it_is_added(reports, alice, mallory):
    stream = reports.create()

    def subject(verb, value):
        body = {"stream_id": stream["stream_id"], "subject": value}
        return reports.ask("POST", f"subjects/{verb}", body).status_code

    person = events.of_user(alice.pk)
    assert subject("remove", person) == 204
    assert subject("remove", person) == 204
    sessions.logout(start(alice))
    sessions.logout(start(mallory))
    (heard,) = reports.drain(stream)
    assert heard["sub_id"]["user"]["sub"] == str(mallory.pk)
    assert subject("add", person) == 200
    one, two = start(alice), start(alice)
    assert subject("remove", {"format": "opaque", "id": str(one.pk)}) == 204
    sessions.logout(one)
    sessions.logout(two)
    (heard,) = reports.drain(stream)
    assert heard["sub_id"]["session"]["id"] == str(two.pk)
    for wrong in (None, {}, [], {"format": "email", "email": "a@b"}, {"format": "complex"},
                  {"format": "iss_sub", "iss": 1, "sub": "x"}, {**person, "more": "x"},
                  {"format": "complex", "user": "x"}, {"format": "opaque", "id": "x" * 300}):  # fmt: skip
        assert subject("remove", wrong) == 400, wrong
    assert RemovedSubject.objects.count() == 1


def test_a_stream_is_changed_in_part_or_whole(reports):
    stream = reports.create(description="one", events_requested=[events.SESSION_REVOKED])
    name = {"stream_id": stream["stream_id"]}
    changed = reports.ask(
        "PATCH", "stream", {**name, "description": "two", "aud": "reports"}
    ).json()
    assert changed == {**stream, "description": "two"}
    replaced = reports.ask("PUT", "stream", {**name, "description": "three"}).json()
    assert "events_requested" not in replaced
    assert replaced["events_delivered"] == list(events.SUPPORTED)
    for wrong in (
        {"aud": "billing"},
        {"iss": "https://elsewhere.test"},
        {"events_delivered": []},
        {"events_requested": "x"},
        {"events_requested": [1]},
        {"description": 1},
        {"description": "\0"},
        {"delivery": "x"},
        {"delivery": {"method": "urn:ietf:rfc:1149"}},
    ):
        assert reports.ask("PATCH", "stream", {**name, **wrong}).status_code == 400, wrong
    assert reports.ask("GET", "stream").json() == [replaced]


def test_streams_and_verifications_are_limited(reports, billing, clock):
    for _ in range(streams.MOST_STREAMS):
        stream = reports.create()
    assert reports.ask("POST", "stream", {}).status_code == 409
    billing.create()
    ask = lambda: reports.ask("POST", "verification", {"stream_id": stream["stream_id"]})  # noqa: E731
    assert ask().status_code == 204
    assert ask().status_code == 429
    clock.shift(stream["min_verification_interval"] + 1)
    assert ask().status_code == 204
    assert len(reports.drain(stream)) == 2


def test_what_nobody_takes_is_dropped_after_a_week(reports, alice, caplog):
    stream = reports.create()
    sessions.logout(start(alice))
    PendingEvent.objects.update(created_at=timezone.now() - pending.KEPT + timedelta(minutes=1))
    pending.purge()
    assert len(reports.poll(stream)) == 1
    PendingEvent.objects.update(created_at=timezone.now() - pending.KEPT)
    pending.purge()
    assert reports.poll(stream) == {}
    assert "were not accepted" in caplog.text


# Who may not


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_S14_a_stream_of_another_service_is_not_there(reports, billing, method):
    stream = reports.create()
    name = {"stream_id": stream["stream_id"]}
    answer = billing.ask(method, "stream", name if method in ("PATCH", "PUT") else None, **name)
    assert answer.status_code == 404
    assert reports.ask("GET", "stream").json() == [stream]


def test_S14_nothing_else_of_another_services_stream_is_there(reports, billing, alice):
    stream = reports.create()
    name = {"stream_id": stream["stream_id"]}
    person = {"subject": events.of_user(alice.pk)}
    assert billing.ask("GET", "stream").json() == []
    assert billing.ask("GET", "status", **name).status_code == 404
    for path, body in (
        ("status", {"status": "disabled"}),
        ("verification", {}),
        ("subjects/add", person),
        ("subjects/remove", person),
        ("poll", {}),
    ):
        assert billing.ask("POST", path, {**name, **body}).status_code == 404, path
    for wrong in ("", "x", "0" * 36, str(uuid4()), ["x"], None, 1):
        assert reports.ask("POST", "verification", {"stream_id": wrong}).status_code == 404, wrong


def test_S14_only_a_service_with_the_right_to_gets_in(reports, client):
    reports.name = "desk"
    answer = reports.ask("POST", "stream", {})
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    assert client.post("/ssf/stream", {}, content_type="application/json").status_code == 401
    answer = client.post("/ssf/stream", {"client_id": "reports", "client_secret": "x"})
    assert answer.status_code == 401
    assert not Stream.objects.exists()


def test_a_service_that_lost_its_right_is_told_nothing(reports, billing, alice, settings):
    reports.create()
    stream = billing.create()
    clients = {"billing": settings.DEVICES["SERVICE_CLIENTS"]["billing"]}
    settings.DEVICES = {**settings.DEVICES, "SERVICE_CLIENTS": clients}
    sessions.logout(start(alice))
    assert str(PendingEvent.objects.get().stream_id) == stream["stream_id"]


@pytest.mark.parametrize("body", [b"[]", b"x", b'{"a": 1, "a": 2}', b"\xff", b'"x"', b"[" * 99])
def test_what_is_no_object_is_refused(reports, client, body):
    header = {"HTTP_AUTHORIZATION": basic()}
    answer = client.post("/ssf/stream", body, content_type="application/json", **header)
    assert answer.status_code == 400


@pytest.mark.parametrize("nul", ["\0", "x\0y"], ids=ascii)
def test_text_that_no_database_holds_is_refused(reports, nul):
    stream = reports.create()
    name = {"stream_id": stream["stream_id"]}
    for path, body in (
        ("verification", {"state": nul}),
        ("status", {"status": "paused", "reason": nul}),
        ("subjects/remove", {"subject": {"format": "opaque", "id": nul}}),
        ("subjects/add", {"subject": {"format": "iss_sub", "iss": ISSUER, "sub": nul}}),
    ):
        answer = reports.ask("POST", path, {**name, **body})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), path
    for values in (
        {"description": nul},
        {"events_requested": [nul]},
        {"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": nul}},
    ):
        assert reports.ask("PATCH", "stream", {**name, **values}).status_code == 400, values
    assert reports.ask("GET", "stream").json() == [stream]
    assert reports.poll(stream, ack=[nul], setErrs={nul: nul}) == {}


def test_another_method_is_refused(reports):
    answer = reports.ask("PUT", "status", {})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_S14_an_event_is_no_access_token(reports, alice):
    stream = reports.create()
    sessions.logout(start(alice))
    answer = reports.ask(
        "POST", "poll", {"returnImmediately": True}, stream_id=stream["stream_id"]
    ).json()
    (text,) = answer["sets"].values()
    with pytest.raises(TokenNotValid):
        authenticate(text)
    # Nor is an access token an event: its type is another.
    assert jwt.get_unverified_header(text)["typ"] == pending.TYPE


# What it costs, and where it is off


def test_without_a_service_that_may_nothing_is_asked_of_the_database(alice, settings, db):
    session = start(alice)
    with CaptureQueriesContext(connection) as sent:
        sessions.logout(session)
    before = len(sent)
    assert not [query for query in sent if "devices_ssf" in query["sql"]]
    settings.DEVICES = {
        **settings.DEVICES,
        "SERVICE_CLIENTS": {"reports": {"secret": "x", "may": ["ssf"]}},
    }
    session = start(alice)
    with CaptureQueriesContext(connection) as sent:
        sessions.logout(session)
    # Who may, and has no stream: one query to see that.
    assert len(sent) == before + 1


def test_what_is_rolled_back_is_told_to_nobody(reports, alice):
    reports.create()
    session = start(alice)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        sessions.logout(session)
        raise ZeroDivisionError
    assert DeviceSession.objects.active().filter(pk=session.pk).exists()
    assert not PendingEvent.objects.exists()


def test_the_checks_say_what_is_missing(ssf, settings):
    assert check_settings() == []
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": "devices"}
    devices = {name: value for name, value in settings.DEVICES.items() if name != "SIGNING_KEYS"}
    settings.DEVICES = devices
    assert [each.id for each in check_settings()] == ["devices.E140", "devices.E141"]
    settings.DEVICES = {**devices, "SERVICE_CLIENTS": {}}
    assert check_settings() == []


def test_without_an_issuer_or_a_key_the_answer_says_so(reports, settings, client, alice):
    stream = reports.create()
    sessions.logout(start(alice))
    settings.DEVICES = {**settings.DEVICES, "SIGNING_KEYS": None}
    keyring.reset()
    query = {"stream_id": stream["stream_id"]}
    answer = reports.ask("POST", "poll", {"returnImmediately": True}, **query)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert client.get("/.well-known/ssf-configuration/below").status_code == 404
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": f"{ISSUER}/below"}
    found = client.get("/.well-known/ssf-configuration/below").json()
    assert found["issuer"] == f"{ISSUER}/below"
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": "devices"}
    assert client.get("/.well-known/ssf-configuration").status_code == 404


def test_a_login_is_not_told_and_costs_nothing_more(reports, alice, sign_in):
    reports.create()
    with CaptureQueriesContext(connection) as sent:
        sign_in(alice, password=PASSWORD)
    assert not [query for query in sent if "devices_ssf" in query["sql"]]
    assert not PendingEvent.objects.exists()
