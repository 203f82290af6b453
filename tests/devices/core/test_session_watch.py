"""What stays open in a session is told when that ends: by whatever route, once, within a second."""

import asyncio
import queue
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from devices import shortcuts
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.liveness.cache import session_cache
from devices.core.sessions import watcher
from devices.exceptions import (
    AccountNotActive,
    SessionExpired,
    SessionRevoked,
    SessionUnverified,
    TokenNotValid,
)
from devices.models import DeviceSession, RevokeReason
from tests.bus import wait_for
from tests.client import CHROME

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = 1.0


@pytest.fixture
def no_thread_is_left():
    yield
    # It leaves with the last watch, and its connection with it.
    wait_for(lambda: watcher._watcher._thread is None)


@pytest.fixture(params=["", "postgres"], ids=["no bus", "PostgreSQL as the bus"])
def heard(no_thread_is_left, request, settings):
    if request.param and connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL (DATABASE_URL): it is the bus")
    settings.DEVICES = {**settings.DEVICES, "BUS": request.param or None}
    if request.param:
        invalidation.listen()
        wait_for(lambda: session_cache.is_trusted)
    yield request.param
    invalidation.stop()


@pytest.fixture
def watched(no_thread_is_left):
    """watched(session): a queue into which the error comes."""
    watches = []

    def watched(session):
        told = queue.Queue()
        watches.append(sessions.watch(session, told.put))
        return told

    yield watched
    for each in watches:
        each.stop()


def start(user):
    return sessions.start(user, Client("203.0.113.7", CHROME))


def revoke(session):
    sessions.revoke(session, reason=RevokeReason.USER)


def change_password(session):
    user = User.objects.get(pk=session.user_id)
    user.set_password("another horse battery 8")
    user.save()


def change_password_by_sql(session):
    User.objects.filter(pk=session.user_id).update(password="md5$x$y")


def deactivate_by_sql(session):
    User.objects.filter(pk=session.user_id).update(is_active=False)


def delete_user(session):
    User.objects.get(pk=session.user_id).delete()


def delete_by_sql(session):
    DeviceSession.objects.filter(pk=session.pk).delete()


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (revoke, SessionRevoked),
        (change_password, SessionRevoked),
        (change_password_by_sql, SessionRevoked),
        (deactivate_by_sql, SessionRevoked),
        (delete_user, TokenNotValid),
        (delete_by_sql, TokenNotValid),
    ],
)
def test_whatever_ends_it_is_told_within_a_second_and_once(heard, make_user, watched, end, error):
    session, other = start(make_user()), start(make_user("bob@example.org"))
    told, stays = watched(session), watched(other)
    time.sleep(0.2)
    end(session)
    assert type(told.get(timeout=SECOND)) is error
    with pytest.raises(queue.Empty):
        told.get(timeout=2 * watcher.INTERVAL)
    assert stays.empty()


def test_what_had_ended_before_anybody_watched_is_told(heard, make_user, watched):
    session, other = start(make_user()), start(make_user("bob@example.org"))
    stays = watched(other)
    revoke(session)
    time.sleep(0.5)  # What the bus has said is done with by then.
    assert type(watched(session).get(timeout=SECOND)) is SessionRevoked
    assert stays.empty()


def test_the_time_of_a_session_is_over_when_it_is_not_moved(heard, make_user, watched):
    session, prolonged = start(make_user()), start(make_user("bob@example.org"))
    soon = timezone.now() + timedelta(seconds=0.6)
    DeviceSession.objects.update(expires_at=soon)
    for each in (session, prolonged):
        each.refresh_from_db()
    told, stays = watched(session), watched(prolonged)
    DeviceSession.objects.filter(pk=prolonged.pk).update(expires_at=soon + timedelta(days=1))
    assert type(told.get(timeout=2 * SECOND)) is SessionExpired
    time.sleep(2 * watcher.INTERVAL)
    assert stays.empty()


def test_that_of_the_staff_member_ends_what_they_do_on_behalf_of_others(heard, make_user, watched):
    staff = start(make_user("root@example.org", is_staff=True, is_superuser=True))
    acted = sessions.start_impersonated(make_user(), Client("203.0.113.7", CHROME), by=staff)
    told = watched(acted)
    time.sleep(0.2)
    revoke(staff)
    assert type(told.get(timeout=SECOND)) is SessionRevoked


def test_whom_the_project_s_own_rule_refuses_is_told_without_a_message(
    make_user, watched, settings, monkeypatch
):
    alice = make_user()
    told = watched(start(alice))
    time.sleep(0.2)
    assert told.empty()
    monkeypatch.setattr(watcher, "SWEEP", watcher.INTERVAL)
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "USER_AUTHENTICATION_RULE": f"{__name__}.nobody",
    }
    assert type(told.get(timeout=SECOND)) is AccountNotActive


def nobody(user):
    return False


def test_who_stops_is_told_nothing(heard, make_user):
    session, told = start(make_user()), queue.Queue()
    sessions.watch(session, told.put).stop()
    revoke(session)
    with pytest.raises(queue.Empty):
        told.get(timeout=2 * watcher.INTERVAL)


def test_one_that_cannot_be_told_keeps_nobody_else_from_it(heard, make_user, watched):
    session = start(make_user())

    def fail(error):
        raise RuntimeError

    broken = sessions.watch(session, fail)
    told = watched(session)
    revoke(session)
    assert type(told.get(timeout=SECOND)) is SessionRevoked
    broken.stop()


def test_a_database_that_stays_away_is_the_end(make_user, watched, monkeypatch):
    """Nobody could say any more whether the session is active."""
    monkeypatch.setattr(watcher, "PATIENCE", 1.0)
    told = watched(start(make_user()))
    time.sleep(0.2)

    def fail(watches):
        raise OperationalError

    with monkeypatch.context() as away:
        away.setattr(watcher, "_ended", fail)
        time.sleep(watcher.INTERVAL)
    # It came back soon enough.
    time.sleep(2 * watcher.INTERVAL)
    assert told.empty()
    monkeypatch.setattr(watcher, "_ended", fail)
    assert type(told.get(timeout=4 * SECOND)) is SessionUnverified


def test_all_are_asked_about_in_one_query_and_what_has_changed_is_found(make_user):
    started = [start(make_user(f"{n}@example.org")) for n in range(30)]
    watches = {watcher.Watch(each, lambda error: None) for each in started for _ in range(2)}
    for ask in (watcher._ended, watcher._changed):
        with CaptureQueriesContext(connection) as sent:
            assert list(ask(watches)) == []
        assert len(sent) == 1
    ends = (revoke, change_password_by_sql, deactivate_by_sql, delete_by_sql)
    ended = {session.pk for session in started[: len(ends)]}
    for end, session in zip(ends, started, strict=False):
        end(session)
    found = {watch.session_id for watch in watcher._changed(watches)}
    assert found == ended
    assert {watch.session_id for watch, _ in watcher._ended(watches)} == found


# Responses that stay open


@pytest.fixture
def session(alice):
    return start(alice)


def until(session, source, do=lambda: None):
    """What a client reads of an asynchronous response, if this is done after the first part."""

    async def read():
        parts = []
        async for part in shortcuts.while_active(session, source):
            parts.append(part)
            await sync_to_async(do)()
        return parts

    return async_to_sync(read)()


class Events:
    def __init__(self, *parts, pause=0.0):
        self.parts, self.pause, self.is_closed = parts, pause, False

    async def __aiter__(self):
        try:
            for part in self.parts:
                yield part
                await asyncio.sleep(self.pause)
        finally:
            self.is_closed = True


def test_a_response_that_waits_ends_with_the_session(heard, session):
    events, began = Events("one", "two", pause=60), time.monotonic()
    given = aiter(events)
    assert until(session, given, lambda: revoke(session)) == ["one"]
    assert time.monotonic() - began < 10 and events.is_closed


def test_a_response_ends_by_itself_and_nothing_is_watched_any_longer(no_thread_is_left, session):
    events = Events("one", "two")
    assert until(session, aiter(events)) == ["one", "two"]
    assert events.is_closed
    assert list(shortcuts.while_active(session, ["one", "two"])) == ["one", "two"]


def test_a_client_that_leaves_ends_the_source(no_thread_is_left, session):
    events = Events("one", "two", pause=60)

    async def read():
        parts = shortcuts.while_active(session, aiter(events))
        assert await anext(parts) == "one"
        await parts.aclose()

    async_to_sync(read)()
    assert events.is_closed
    parts = shortcuts.while_active(session, iter(["one", "two"]))
    assert next(parts) == "one"
    parts.close()


def test_what_fails_in_the_source_fails_outside(no_thread_is_left, session):
    async def fail():
        yield "one"
        raise LookupError

    with pytest.raises(LookupError):
        until(session, fail())


def test_a_synchronous_response_ends_at_its_next_part(heard, session):
    parts = shortcuts.while_active(session, (time.sleep(0.1) or n for n in range(600)))
    assert next(parts) == 0
    revoke(session)
    assert len(list(parts)) < 100
