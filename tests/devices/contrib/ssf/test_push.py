"""Events that are pushed (RFC 8935): each once and in order, to nobody but the service, over TLS only."""

import os
import random
import threading
from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from devices.contrib.ssf import endpoint, pending, push
from devices.contrib.ssf.endpoint import Away, Endpoint, Forbidden, is_allowed, is_public
from devices.contrib.ssf.models import PendingEvent, Stream
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.notifications import worker
from devices.models import DeviceSession, RevokeReason

from .conftest import published, read

PUSH = "urn:ietf:rfc:8935"


def start(user):
    return sessions.start(user, Client("192.0.2.1", ""))


# `make races` plays a thousand.
EVENTS = 1000 if "RACE_ROUNDS" in os.environ else 200


@pytest.fixture
def allowed(ssf, settings, receiver):
    clients = settings.DEVICES["SERVICE_CLIENTS"]
    reports = {**clients["reports"], "push": [receiver.url]}
    settings.DEVICES = {**settings.DEVICES, "SERVICE_CLIENTS": {**clients, "reports": reports}}


@pytest.fixture
def stream(allowed, reports, receiver):
    return reports.create(
        delivery={
            "method": PUSH,
            "endpoint_url": receiver.url,
            "authorization_header": "Bearer of the receiver",
        }
    )


def deliver(stream):
    """As the worker does, again and again, until nothing is left."""
    for _ in range(100_000):
        Stream.objects.update(due_at=timezone.now())
        if push.push(stream["stream_id"]) is None:
            return
    raise AssertionError("it has no end")


def heard(receiver):
    keys = published()
    return [read(text, "reports", keys) for text in receiver.taken]


def test_S14_a_stream_is_pushed_from_its_verification_on(stream, reports, receiver, alice):
    assert stream["delivery"] == {"method": PUSH, "endpoint_url": receiver.url}
    reports.ask("POST", "verification", {"stream_id": stream["stream_id"], "state": "x"})
    sessions.logout(start(alice))
    deliver(stream)
    assert [next(iter(each["events"])).rsplit("/", 1)[1] for each in heard(receiver)] == [
        "verification",
        "session-revoked",
    ]
    (_, sent), _ = receiver.requests
    assert sent["Authorization"] == "Bearer of the receiver"
    assert sent["Content-Type"] == "application/secevent+jwt"
    # It is kept encrypted, and told to nobody.
    assert "receiver" not in Stream.objects.get().authorization
    assert not PendingEvent.objects.exists()
    assert reports.ask("POST", "poll", {}, stream_id=stream["stream_id"]).status_code == 400


def test_S14_revocations_come_once_and_in_order_over_a_service_that_fails_half_the_time(
    stream, receiver, make_user, bystanders
):
    """Before it took an event, after it did (the answer is lost), or by refusing it."""
    people = [make_user(f"{i}@example.org") for i in range(20)]
    ended = defaultdict(list)
    for person in people:
        bystanders(person, EVENTS // len(people))
    rows = list(DeviceSession.objects.select_related("user"))
    random.Random(7).shuffle(rows)
    for session in rows:
        sessions.revoke(session, reason=RevokeReason.ADMIN)
        ended[str(session.user_id)].append(str(session.pk))
    assert PendingEvent.objects.count() == EVENTS
    receiver.fails_half_the_time(seed=20)
    deliver(stream)
    failed = len(receiver.requests) - EVENTS
    assert failed > EVENTS * 0.7, "it failed too seldom to show anything"
    took = defaultdict(list)
    seen = set()
    for claims in heard(receiver):
        if claims["jti"] not in seen:
            seen.add(claims["jti"])
            subject = claims["sub_id"]
            took[subject["user"]["sub"]].append(subject["session"]["id"])
    assert took == ended
    assert len(seen) == EVENTS
    # Told again only if the answer was lost, and then as the same event.
    assert not PendingEvent.objects.exists()


def test_nothing_of_a_person_overtakes_what_could_not_be_delivered(
    clock, stream, receiver, alice, mallory, monkeypatch
):
    monkeypatch.setattr(push, "FIRST_WAIT", timedelta(seconds=10))
    one, two, other = start(alice), start(alice), start(mallory)
    for session in (one, two, other):
        sessions.logout(session)
    answers = iter(["500", "take"])
    receiver.answers = lambda: next(answers)
    assert push.push(stream["stream_id"]) == timedelta(seconds=10)
    assert [each["sub_id"]["session"]["id"] for each in heard(receiver)] == [str(other.pk)]
    receiver.answers = lambda: "take"
    assert push.push(stream["stream_id"]) == timedelta(seconds=10)
    assert len(receiver.requests) == 2
    clock.shift(11)
    assert push.push(stream["stream_id"]) is None
    assert [each["sub_id"]["session"]["id"] for each in heard(receiver)] == [
        str(session.pk) for session in (other, one, two)
    ]


def test_a_service_that_is_away_is_asked_ever_less_often(
    clock, stream, receiver, alice, monkeypatch
):
    monkeypatch.setattr(push, "FIRST_WAIT", timedelta(seconds=1))
    sessions.logout(start(alice))
    receiver.answers = lambda: "drop"
    waits = []
    for _ in range(12):
        wait = push.push(stream["stream_id"])
        waits.append(wait.total_seconds())
        assert push.push(stream["stream_id"]) is None
        clock.shift(wait)
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == push.LONGEST_WAIT.total_seconds()
    receiver.answers = lambda: "take"
    assert push.push(stream["stream_id"]) is None
    assert len(receiver.taken) == 1
    assert Stream.objects.get().failures == 0


def test_no_redirect_is_followed(stream, receiver, alice):
    sessions.logout(start(alice))
    receiver.answers = lambda: "302"
    assert push.push(stream["stream_id"]) is not None
    assert len(receiver.requests) == 1
    assert PendingEvent.objects.get().attempts == 1


def test_a_stream_that_is_paused_while_it_is_sent_stops(stream, receiver, alice, monkeypatch):
    for _ in range(3):
        sessions.logout(start(alice))
    send = push._Sender._send

    def send_and_pause(sender, event):
        Stream.objects.update(status="paused")
        return send(sender, event)

    monkeypatch.setattr(push._Sender, "_send", send_and_pause)
    push.push(stream["stream_id"])
    assert len(receiver.taken) == 1
    assert PendingEvent.objects.count() == 2


def test_S14_a_worker_that_comes_while_another_sends_sends_nothing(
    stream, receiver, alice, monkeypatch
):
    for _ in range(3):
        sessions.logout(start(alice))
    send = push._Sender._send

    def send_while_another_comes(sender, event):
        monkeypatch.setattr(push._Sender, "_send", send)
        assert push.push(stream["stream_id"]) is None
        assert not receiver.requests
        return send(sender, event)

    monkeypatch.setattr(push._Sender, "_send", send_while_another_comes)
    assert push.push(stream["stream_id"]) is None
    assert len(receiver.requests) == 3


@pytest.fixture
def queue(monkeypatch):
    """The tasks as a worker has them, in the transaction of the test: what is scheduled is in the queue."""
    monkeypatch.setattr(worker, "put_connections_back", lambda: None)
    worker.huey.flush()
    yield worker.huey
    worker.huey.flush()


def test_the_task_pushes_a_stream_and_comes_again_for_what_is_left(
    stream, receiver, alice, monkeypatch, queue
):
    monkeypatch.setattr(push, "FIRST_WAIT", timedelta(seconds=10))
    sessions.logout(start(alice))
    receiver.answers = lambda: "500"
    push.push_stream.call_local(stream["stream_id"])
    (again,) = queue.pending()
    assert again.args == (stream["stream_id"], "")
    queue.flush()
    PendingEvent.objects.update(due_at=timezone.now())
    Stream.objects.update(due_at=timezone.now())
    receiver.answers = lambda: "take"
    push.push_stream.call_local(stream["stream_id"])
    assert len(receiver.taken) == 1
    assert queue.pending() == []


def test_each_minute_what_is_left_is_pushed_and_what_is_old_is_dropped(
    stream, reports, receiver, alice, mallory, queue
):
    other = reports.create()
    sessions.logout(start(alice))
    PendingEvent.objects.filter(stream=other["stream_id"]).update(
        created_at=timezone.now() - pending.KEPT
    )
    push.push_due.call_local()
    assert len(receiver.taken) == 1
    assert not PendingEvent.objects.exists()


def test_a_stream_whose_secret_cannot_be_read_holds_up_no_other(
    stream, reports, receiver, alice, queue
):
    """As where SECRET_KEY was changed without a fallback."""
    other = reports.create(delivery={"method": PUSH, "endpoint_url": receiver.url})
    Stream.objects.filter(pk=stream["stream_id"]).update(authorization="of another key")
    sessions.logout(start(alice))
    for _ in range(2):
        Stream.objects.update(due_at=timezone.now())
        push.push_due.call_local()
    assert len(receiver.taken) == 1
    assert str(PendingEvent.objects.get().stream_id) == stream["stream_id"]
    assert Stream.objects.get(pk=stream["stream_id"]).failures == 2
    assert Stream.objects.get(pk=other["stream_id"]).failures == 0


def test_a_service_may_be_away_for_years(stream, receiver, alice):
    Stream.objects.update(failures=32_767)
    sessions.logout(start(alice))
    receiver.answers = lambda: "drop"
    assert push.push(stream["stream_id"]) == push._backoff(32_767)
    # More do not fit into the column.
    assert Stream.objects.get().failures <= 32_767


def test_a_round_ends_in_time_for_others(stream, receiver, alice, monkeypatch):
    monkeypatch.setattr(push, "ROUND", timedelta(0))
    sessions.logout(start(alice))
    assert push.push(stream["stream_id"]) is not None
    assert not receiver.requests


@pytest.mark.django_db(transaction=True)
def test_S14_many_workers_send_each_event_once_and_in_order(stream, receiver, alice):
    if connection.vendor != "postgresql":
        pytest.skip("ONE SENDER AT A TIME: SQLite has no races; see DATABASE_URL")
    begun = [start(alice) for _ in range(20)]
    for session in begun:
        sessions.logout(session)
    Stream.objects.update(due_at=timezone.now())

    def work():
        try:
            push.push(stream["stream_id"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.requests) == 20
    told = [each["sub_id"]["session"]["id"] for each in heard(receiver)]
    assert told == [str(session.pk) for session in begun]
    assert not PendingEvent.objects.exists()


# Where to (SSRF)


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.test/events",
        "https://receiver.test/events/here?x=1",
        "https://RECEIVER.test:443/events",
    ],
)
def test_S14_a_url_below_what_the_settings_say_is_taken(url):
    assert is_allowed(url, ["https://receiver.test/events"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/events",
        "http://receiver.test/events",
        "ftp://receiver.test/events",
        "file:///etc/passwd",
        "https:///events",
        "https://elsewhere.test/events",
        "https://receiver.test.elsewhere.test/events",
        "https://receiver.test:8443/events",
        "https://receiver.test:x/events",
        "https://receiver.test:99999/events",
        "https://receiver.test/other",
        "https://receiver.test/eventsof-another-tenant",
        "https://receiver.test/events;x",
        "https://receiver.test/events/../other",
        "https://receiver.test/events/%2e%2e/other",
        "https://receiver.test@elsewhere.test/events",
        "https://user:x@receiver.test/events",
        "https://elsewhere.test\\@receiver.test/events",
        "https://receiver.test/events#x",
        "https://receiver.test/events\r\nX: 1",
        "https://receiver.test/events x",
        "https://receiver.test/\u0435vents",
        "https://[::1/events",
        "https://receiver.test/events" + "x" * 2048,
    ],
)
def test_S14_any_other_is_refused(url):
    assert not is_allowed(url, ["https://receiver.test/events", "http://receiver.test/events"])
    assert not is_allowed(url, [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_S14_an_address_that_is_not_everybodys_is_refused(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_address_is_taken(address):
    assert is_public(address)


def test_S14_a_name_that_leads_inside_is_not_connected_to(monkeypatch):
    """Not even with one of its addresses, nor if it meant another one when the stream was made."""

    def resolve(*found):
        infos = [(2, 1, 6, "", (address, 443)) for address in found]
        monkeypatch.setattr(endpoint.socket, "getaddrinfo", lambda *args, **kwargs: infos)

    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise OSError

    monkeypatch.setattr(endpoint.socket, "create_connection", connect)
    for found in ([], ["127.0.0.1"], ["93.184.215.14", "10.0.0.1"]):
        resolve(*found)
        with pytest.raises(Forbidden):
            Endpoint("https://receiver.test/events", "").post("x")
    assert not connected
    resolve("93.184.215.14")
    with pytest.raises(Away):
        Endpoint("https://receiver.test/events", "").post("x")
    # The address that was looked at, and not what the name means a moment later.
    assert connected == [("93.184.215.14", 443)]


def test_S14_a_certificate_of_another_name_or_of_nobody_known_is_refused(receiver, monkeypatch):
    other = receiver.url.replace("receiver.test", "elsewhere.test")
    with pytest.raises(Away, match="SSLCertVerificationError"):
        Endpoint(other, "").post("x")
    monkeypatch.undo()
    monkeypatch.setattr(endpoint, "public_address", lambda host, port: "127.0.0.1")
    with pytest.raises(Away, match="SSLCertVerificationError"):
        Endpoint(receiver.url, "").post("x")
    assert not receiver.requests


def test_an_answer_that_comes_too_slowly_is_not_waited_for(receiver, monkeypatch):
    """It comes a little at a time, so that no wait for more of it is long."""
    monkeypatch.setattr(endpoint, "PATIENCE", 0.5)
    receiver.answers = lambda: "trickle"
    with pytest.raises(Away):
        Endpoint(receiver.url, "").post("x")


def test_S14_only_a_service_of_the_settings_has_events_pushed(allowed, reports, billing, receiver):
    delivery = {"method": PUSH, "endpoint_url": receiver.url}
    assert billing.ask("POST", "stream", {"delivery": delivery}).status_code == 400
    for wrong in (
        {**delivery, "endpoint_url": receiver.url.replace("events", "other")},
        {**delivery, "endpoint_url": None},
        {**delivery, "authorization_header": "x\r\nHost: y"},
        {**delivery, "authorization_header": 1},
        {"method": PUSH},
    ):
        assert reports.ask("POST", "stream", {"delivery": wrong}).status_code == 400, wrong
    assert not Stream.objects.exists()


@pytest.mark.parametrize("lost", ["the URL", "the permission", "the service"])
def test_S14_a_service_that_lost_its_right_gets_nothing_pushed_any_more(
    stream, receiver, settings, alice, lost
):
    """Not even what was told before. Once it is right again, it goes on."""
    sessions.logout(start(alice))
    before = settings.DEVICES
    clients = before["SERVICE_CLIENTS"]
    reports = {
        "the URL": {**clients["reports"], "push": [receiver.url + "/another"]},
        "the permission": {**clients["reports"], "may": ["introspect"]},
        "the service": None,
    }[lost]
    clients = {name: each for name, each in clients.items() if name != "reports"}
    if reports:
        clients["reports"] = reports
    settings.DEVICES = {**before, "SERVICE_CLIENTS": clients}
    assert push.push(stream["stream_id"]) is not None
    assert not receiver.requests
    settings.DEVICES = before
    deliver(stream)
    assert len(receiver.taken) == 1


def test_S14_a_secret_does_not_go_to_another_url(stream, reports, receiver, alice):
    body = {"stream_id": stream["stream_id"], "delivery": stream["delivery"]}
    assert reports.ask("PATCH", "stream", body).status_code == 200
    sessions.logout(start(alice))
    deliver(stream)
    ((_, sent),) = receiver.requests
    assert "Authorization" not in sent
