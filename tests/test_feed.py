"""The feed of what has ended: all of it, each once, in whatever order it is committed."""

import random
import re
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock
from uuid import uuid4

import jwt
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts.models import User
from devices.core import ended, feed, service_clients, sessions
from devices.core.clients.client import Client
from devices.core.keys import keyring
from devices.core.liveness import db_triggers
from devices.core.maintenance import tidy
from devices.models import DeviceSession, RevocationEvent, RevokeReason
from tests.keys import rotate, signing
from tests.test_services import SECRET, ask, basic

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NONCE = "n" * 16


@pytest.fixture(autouse=True)
def _feed(settings, db):
    if connection.vendor != "postgresql":
        pytest.skip("NO FEED: it needs PostgreSQL, see DATABASE_URL")
    settings.DEVICES = {
        **settings.DEVICES,
        "FEED": True,
        "SIGNING_KEYS": "database",
        "SERVICE_CLIENTS": {
            "reports": {"secret": service_clients.digest(SECRET), "may": ["feed"]},
            "desk": {"secret": service_clients.digest(SECRET), "may": ["introspect"]},
        },
    }
    keyring.reset()
    yield
    keyring.reset()


@pytest.fixture
def signed_by_us(alice):
    rotate()
    rotate("--now")


@contextmanager
def elsewhere():
    """What is done in the block goes over another connection, in a transaction that the block commits."""
    other = connections["default"].copy("default")
    other.set_autocommit(False)
    try:
        yield other
    finally:
        other.close()


def record(over, *ids):
    with mock.patch("devices.core.ended.database.connection", lambda: over):
        ended.record(ids)


def read(cursor=None, limit=100):
    page = ended.read(cursor, limit)
    return set(page.sessions), page.cursor


# Gap-free


def test_what_commits_late_is_not_missed():
    """A cursor by number alone would have passed it by: its number is the smaller one."""
    late, early = uuid4(), uuid4()
    _, start = read()
    with elsewhere() as other:
        record(other, late)
        ended.record([early])
        ids = RevocationEvent.objects.values_list("session_id", flat=True)
        assert list(ids) == [early]
        found, cursor = read(start)
        assert found == {str(early)}
        # The open transaction holds nothing up, and nothing comes twice meanwhile.
        assert read(cursor)[0] == set()
        other.commit()
        first = RevocationEvent.objects.order_by("pk").first()
        assert first.session_id == late
    found, cursor = read(cursor)
    assert found == {str(late)}
    assert read(cursor)[0] == set()


def test_what_is_rolled_back_never_was():
    _, cursor = read()
    with elsewhere() as other:
        record(other, uuid4())
        other.rollback()
    assert read(cursor)[0] == set()


def test_what_commits_between_two_statements_of_a_read_comes_with_the_next():
    one = uuid4()
    _, start = read()
    with elsewhere() as other:
        record(other, one)
        execute = connection.cursor().__class__.execute

        def committing(self, sql, parameters=None):
            if "ORDER BY id" in sql:
                other.commit()
            return execute(self, sql, parameters)

        with mock.patch.object(connection.cursor().__class__, "execute", committing):
            found, cursor = read(start)
    assert found == set()
    assert read(cursor)[0] == {str(one)}


def test_many_writers_and_one_reader_lose_and_repeat_nothing():
    written, seen, doubled = set(), set(), []
    over = threading.Event()
    lock = threading.Lock()

    def write(seed):
        chance = random.Random(seed)
        try:
            for _ in range(25):
                ids = [uuid4() for _ in range(chance.randint(1, 3))]
                try:
                    with transaction.atomic():
                        for each in ids:
                            with transaction.atomic():
                                ended.record([each])
                            time.sleep(chance.random() / 100)
                        if chance.random() < 0.2:
                            raise KeyError
                except KeyError:
                    continue
                with lock:
                    written.update(map(str, ids))
        finally:
            connection.close()

    def follow():
        cursor = start
        try:
            while True:
                last = over.is_set()
                page = ended.read(cursor, 4)
                doubled.extend(seen & set(page.sessions))
                seen.update(page.sessions)
                cursor = page.cursor
                if last and not page.sessions:
                    return
        finally:
            connection.close()

    _, start = read()
    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in [reader, *writers]:
        thread.start()
    for writer in writers:
        writer.join()
    over.set()
    reader.join()
    assert len(written) > 100
    assert seen == written
    assert doubled == []


# Cursors


def test_a_large_answer_comes_in_pages_that_stay_what_they_are():
    ids = [uuid4() for _ in range(10)]
    ended.record(ids)
    page = ended.read(None, 4)
    assert (len(page.sessions), page.has_more, page.is_reset) == (4, True, True)
    # What comes meanwhile is told after it.
    more = uuid4()
    ended.record([more])
    seen = dict(page.sessions)
    while page.has_more:
        page = ended.read(page.cursor, 4)
        assert not page.is_reset
        seen |= page.sessions
    assert set(seen) == set(map(str, ids))
    assert read(page.cursor)[0] == {str(more)}


@pytest.mark.parametrize(
    "change",
    [
        lambda cursor: "",
        lambda cursor: "junk",
        lambda cursor: cursor[:-1],
        lambda cursor: cursor + "0" * 20,
        lambda cursor: "1" + cursor,
        lambda cursor: re.sub(r"/\d+:", "/0:", cursor),
        lambda cursor: re.sub(r"/(\d+):\d+:", r"/\1:99999999999:", cursor),
        lambda cursor: re.sub(r"/(\d+):\d+:", r"/\1:1:", cursor),
        lambda cursor: re.sub(r":[\d,]*/", ":7,5/", cursor, count=1),
        lambda cursor: re.sub(r":[\d,]*/", ":999999999999999999/", cursor, count=1),
        lambda cursor: cursor.replace("/", "/1:2:3:4/", 1),
        lambda cursor: cursor.replace(":", "\0"),
        lambda cursor: "\ud800" + cursor,
        lambda cursor: cursor * 10_000,
    ],
)
def test_a_cursor_that_is_none_of_ours_begins_anew(change):
    one = uuid4()
    ended.record([one])
    page = ended.read(None, 10)
    page = ended.read(change(page.cursor), 10)
    assert page.is_reset
    assert set(page.sessions) == {str(one)}


def test_after_a_restore_everything_comes_again():
    one = uuid4()
    ended.record([one])
    cursor = ended.read(None, 10).cursor
    assert not ended.read(cursor, 10).is_reset
    feed_id, rest = cursor.split("/", 1)
    system, timeline = feed_id.split(".")
    for other in (f"{system}.{int(timeline) + 1}", f"{int(system) - 1}.{timeline}"):
        assert ended.read(f"{other}/{rest}", 10).is_reset


def test_what_another_server_wrote_is_told_to_who_begins():
    """A restored dump, or a logical copy, of a server that has counted more transactions."""
    [one, other, here] = ids = [uuid4() for _ in range(3)]
    ended.record([one, other])
    RevocationEvent.objects.update(xid=2**40)
    ended.record([here])
    first = ended.read(None, 2)
    rest = ended.read(first.cursor, 2)
    assert first.has_more and not rest.has_more
    assert {**first.sessions, **rest.sessions}.keys() == {str(each) for each in ids}
    # Once: who waits for news would be answered again and again.
    assert read(rest.cursor)[0] == set()


def test_what_no_token_can_be_of_any_more_is_neither_told_nor_kept():
    ended.record([uuid4()])
    assert ended.kept_for() > timedelta(hours=1)
    RevocationEvent.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert read()[0] == set()
    tidy()
    assert RevocationEvent.objects.count() == 0


# What is told


def revoke(session):
    sessions.revoke(session, reason=RevokeReason.ADMIN)


def logout_by_refresh(session):
    sessions.revoke_all(session.user, reason=RevokeReason.USER_ALL)


def change_password(session):
    session.user.set_password("another horse, another battery")
    session.user.save()


def deactivate(session):
    session.user.is_active = False
    session.user.save()


def deactivate_by_sql(session):
    User.objects.filter(pk=session.user_id).update(is_active=False)


def delete_user(session):
    session.user.delete()


def delete_row(session):
    DeviceSession.objects.filter(pk=session.pk).delete()


def sign_in_once_too_often(session):
    for _ in range(20):
        sessions.start(session.user, Client("192.0.2.1", ""))


@pytest.mark.parametrize(
    "end",
    [
        revoke,
        logout_by_refresh,
        change_password,
        deactivate,
        deactivate_by_sql,
        delete_user,
        delete_row,
        sign_in_once_too_often,
    ],
)
def test_V7_4_1_each_end_is_told(alice, end):
    db_triggers.install("default")
    session = sessions.start(alice, Client("192.0.2.1", ""))
    other = sessions.start(User.objects.create_user("b@example.org", "x"), Client("192.0.2.1", ""))
    _, cursor = read()
    end(session)
    assert read(cursor)[0] == {str(session.pk)}
    assert str(other.pk) not in read()[0]


def test_without_the_setting_nothing_is_written(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "FEED": False}
    db_triggers.install("default")
    for end in (revoke, delete_row, deactivate_by_sql, delete_user):
        session = sessions.start(
            User.objects.create_user("c@example.org", "x"), Client("192.0.2.1", "")
        )
        end(session)
        User.objects.filter(email="c@example.org").delete()
    assert RevocationEvent.objects.count() == 0
    settings.DEVICES = {**settings.DEVICES, "FEED": True}
    db_triggers.install("default")


def test_an_end_that_is_undone_is_not_told(alice):
    session = sessions.start(alice, Client("192.0.2.1", ""))
    _, cursor = read()
    with pytest.raises(KeyError), transaction.atomic():
        revoke(session)
        raise KeyError
    assert read(cursor)[0] == set()


def test_a_withdrawn_key_is_told(signed_by_us):
    kid = signing()
    rotate("--withdraw", kid)
    assert set(ended.read(None, 10).keys) == {kid}


# As a message


def poll(client, **fields):
    return ask(client, "feed", **{"nonce": NONCE, **fields})


def payload(text, **checks):
    kid = jwt.get_unverified_header(text)["kid"]
    key = keyring.current().find(kid)
    return jwt.decode(
        text, key.verifying, [key.algorithm], audience="reports", issuer="devices", **checks
    )


def test_a_message_is_signed_for_who_asked(signed_by_us, client):
    one = uuid4()
    ended.record([one])
    answer = poll(client)
    assert answer.headers["Content-Type"] == "application/jwt"
    assert "no-store" in answer.headers["Cache-Control"]
    text = answer.content.decode()
    assert jwt.get_unverified_header(text)["typ"] == "devices-feed+jwt"
    said = payload(text)
    until = said["ended"].pop(str(one))
    assert time.time() + 3600 < until < time.time() + 3600 + 180
    assert said.pop("cursor") and said.pop("iat") and said.pop("jwks")
    assert said.pop("waited") >= 0
    assert said == {
        "iss": "devices",
        "aud": "reports",
        "nonce": NONCE,
        "since": None,
        "reset": True,
        "more": False,
        "ended": {},
        "keys": {},
    }


def test_who_waits_is_told_when_something_ends(signed_by_us, client, alice):
    session = sessions.start(alice, Client("192.0.2.1", ""))
    cursor = payload(poll(client).content.decode())["cursor"]
    # Nothing happens.
    began = time.monotonic()
    said = payload(poll(client, since=cursor, wait="0.5").content.decode())
    assert time.monotonic() - began >= 0.5
    assert (said["ended"], said["since"]) == ({}, cursor)
    assert 0.5 <= said["waited"] <= time.monotonic() - began

    def later():
        time.sleep(0.3)
        revoke(session)
        connection.close()

    thread = threading.Thread(target=later)
    thread.start()
    said = payload(poll(client, since=said["cursor"], wait="3").content.decode())
    assert set(said["ended"]) == {str(session.pk)}
    assert said["waited"] < 2
    thread.join()


def test_who_waits_is_told_of_new_keys(signed_by_us, client, monkeypatch):
    said = payload(poll(client).content.decode())

    def later():
        time.sleep(0.3)
        rotate("--now")
        connection.close()

    thread = threading.Thread(target=later)
    thread.start()
    again = payload(poll(client, since=said["cursor"], wait="3").content.decode())
    thread.join()
    assert again["jwks"] != said["jwks"]


def test_only_so_many_wait_at_once(signed_by_us, client):
    cursor = payload(poll(client).content.decode())["cursor"]
    with feed.a_place() as first, feed.a_place() as second:
        assert (first, second) == (True, False)
        began = time.monotonic()
        assert poll(client, since=cursor, wait="3").status_code == 200
        assert time.monotonic() - began < 2
    assert feed.has_place()


def test_who_may_not_listen_hears_nothing(signed_by_us, client, settings):
    answer = ask(client, "feed", nonce=NONCE, auth=basic("desk"))
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    assert ask(client, "feed", nonce=NONCE, auth=basic(secret="x")).status_code == 401
    settings.DEVICES = {**settings.DEVICES, "FEED": False}
    assert poll(client).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [{"nonce": ""}, {"nonce": "short"}, {"nonce": "x" * 65}, {"nonce": "ü" * 20}]
    + [{"wait": each} for each in ("-1", "x", "1e9", "nan", "99999", "٣")],
)
def test_A43_an_odd_question_is_an_error_of_the_caller(signed_by_us, client, fields):
    answer = poll(client, **fields)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("algorithm", [None, "HS256"])
def test_what_nobody_could_verify_is_not_sent(alice, client, algorithm):
    if algorithm:
        rotate("--algorithm", algorithm)
        rotate("--now")
    answer = poll(client)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


def test_without_a_right_in_the_database_nothing_is_told_and_nothing_fails(signed_by_us, client):
    assert poll(client).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE devices_narrow")
        cursor.execute(f"GRANT devices_narrow TO {connection.settings_dict['USER']}")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO devices_narrow")
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("SET ROLE devices_narrow")
    try:
        answer = poll(client)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
            cursor.execute("DROP OWNED BY devices_narrow")
            cursor.execute("DROP ROLE devices_narrow")
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


# As a stream


def events(answer, many):
    found = []
    stream = iter(answer.streaming_content)
    while len(found) < many:
        frame = next(stream).decode()
        fields = dict(line.split(": ", 1) for line in frame.strip().splitlines())
        assert frame.endswith("\n\n") and fields["event"] == "feed"
        found.append((fields["id"], payload(fields["data"])))
    answer.close()
    return found


def listen(client, **headers):
    return client.get("/oauth/feed/stream", {"nonce": NONCE}, HTTP_AUTHORIZATION=basic(), **headers)


def test_a_stream_tells_each_end_once_and_goes_on_where_it_was_cut(signed_by_us, client, alice):
    session = sessions.start(alice, Client("192.0.2.1", ""))
    answer = listen(client)
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert "no-store" in answer.headers["Cache-Control"]
    stream = iter(answer.streaming_content)
    first = next(stream).decode()
    revoke(session)
    second = next(stream).decode()
    answer.close()
    assert feed.has_place()
    one, two = (payload(re.search("data: (.*)", each)[1]) for each in (first, second))
    assert two["since"] == one["cursor"]
    assert set(two["ended"]) == {str(session.pk)}
    # From the event before it.
    again = events(listen(client, HTTP_LAST_EVENT_ID=one["cursor"]), 1)
    assert set(again[0][1]["ended"]) == {str(session.pk)}
    again = events(listen(client, HTTP_LAST_EVENT_ID=two["cursor"]), 2)
    assert [said["ended"] for _, said in again] == [{}, {}]
    assert again[1][1]["since"] == again[0][0] == again[0][1]["cursor"]


def test_a_stream_over_asgi_is_sent_as_it_comes(signed_by_us, alice, async_client):
    session = sessions.start(alice, Client("192.0.2.1", ""))

    @async_to_sync
    async def listen_once():
        answer = await async_client.get(
            "/oauth/feed/stream", {"nonce": NONCE}, headers={"Authorization": basic()}
        )
        stream = aiter(answer.streaming_content)
        frames = [await anext(stream)]
        await sync_to_async(revoke)(session)
        frames.append(await anext(stream))
        await stream.aclose()
        return [payload(re.search("data: (.*)", each.decode())[1]) for each in frames]

    one, two = listen_once()
    assert two["since"] == one["cursor"]
    assert set(two["ended"]) == {str(session.pk)}
    assert feed.has_place()


def test_a_stream_takes_a_place(signed_by_us, client):
    answer = listen(client)
    next(iter(answer.streaming_content))
    full = listen(client)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
    answer.close()
    assert listen(client).status_code == 200


def test_a_secret_does_not_stand_in_an_address(signed_by_us, client):
    answer = client.get(
        "/oauth/feed/stream", {"nonce": NONCE, "client_id": "reports", "client_secret": SECRET}
    )
    assert answer.status_code == 401
