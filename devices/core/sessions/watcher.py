"""Notifies open connections, such as WebSockets, when their session ends, however it does.

One thread of a process watches all its sessions. It checks those of each user that a bus message names. If
PostgreSQL is not the bus, one query each INTERVAL finds the rows that have changed. Each SWEEP it checks all
sessions, for the project's own rules.
"""

import asyncio
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from devices.core import database
from devices.core.liveness import invalidation
from devices.exceptions import (
    AccountNotActive,
    SessionError,
    SessionUnverified,
    TokenNotValid,
)
from devices.models import DeviceSession, DeviceSessionQuerySet

from . import validation
from .authentication import end_if_outlived

logger = logging.getLogger("devices")

# Seconds between two questions which rows have changed.
INTERVAL = 0.5
# Seconds between two checks of all sessions.
SWEEP = 10.0
# Seconds for which a session is believed to be active while the database does not answer.
PATIENCE = 30.0

T = TypeVar("T")
OnEnd = Callable[[SessionError], None]
Place = tuple[str, str]


class Watch:
    """One connection that is open in a session. `stop()` when it is closed."""

    __slots__ = ("expires_at", "on_end", "place", "seen", "session_id", "user_ids")

    def __init__(self, session: DeviceSession, on_end: OnEnd) -> None:
        self.place: Place = database.place()
        self.session_id = session.pk
        # An impersonation also ends with the session of the staff member.
        self.user_ids = {str(session.user_id), str(session.impersonator_id or session.user_id)}
        self.expires_at = session.expires_at
        # What decided, when it was last checked.
        self.seen: tuple[Any, ...] | None = None
        self.on_end = on_end

    def stop(self) -> None:
        """Watch no longer. Nothing is called from then on, except what is being called already."""
        _watcher.remove(self)


def watch(session: DeviceSession, on_end: OnEnd) -> Watch:
    """Call a function when a session ends, by whatever route: for connections that outlive a request.

    Args:
        session: as `authenticate` returned it. One that has ended meanwhile is told at once.
        on_end: called once, from another thread, with SessionRevoked, SessionExpired, AccountNotActive,
            TokenNotValid if the session is gone, or SessionUnverified if the database has not answered for 30
            seconds. It must not block.

    Returns what is watching; call its `stop()` when the connection is closed.
    """
    invalidation.on_heard(_hear)
    watch = Watch(session, on_end)
    _watcher.add(watch)
    return watch


def stream(session: DeviceSession, source: Iterable[T]) -> Generator[T, None, None]:
    """Yield what `source` yields until the session ends; noticed when the source yields next."""
    ended = threading.Event()
    watching = watch(session, lambda error: ended.set())
    try:
        for item in source:
            if ended.is_set():
                return
            yield item
    finally:
        watching.stop()
        if isinstance(source, Generator):
            source.close()


async def astream(session: DeviceSession, source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yield what `source` yields until the session ends; then what the source waits for is cancelled."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end_stream(error: SessionError) -> None:
        loop.call_soon_threadsafe(ended.set)

    # It may start a thread, and waits for a lock.
    watching = await sync_to_async(watch)(session, end_stream)
    items, end = aiter(source), asyncio.ensure_future(ended.wait())
    item: asyncio.Future[T] | None = None
    try:
        while True:
            item = asyncio.ensure_future(anext(items))
            await asyncio.wait({item, end}, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return
            try:
                value = item.result()
            except StopAsyncIteration:
                return
            yield value
    finally:
        end.cancel()
        watching.stop()
        if item is not None and item.cancel():
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await item
        if isinstance(items, AsyncGenerator):
            await items.aclose()


class Watcher:
    """The thread. It runs while there is something to watch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._by_user: defaultdict[str, set[Watch]] = defaultdict(set)
        self._all: set[Watch] = set()
        # Users about whom something was heard, and whether anything may have been missed.
        self._heard: set[str] = set()
        self._missed = False
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        """Watch from now on. What ended before is noticed, too."""
        invalidation.listen()
        with self._lock:
            self._all.add(watch)
            for user_id in watch.user_ids:
                self._by_user[user_id].add(watch)
            # It may have ended since it was read.
            self._heard |= watch.user_ids
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="devices-watch", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, watch: Watch) -> None:
        """Watch no longer."""
        with self._lock:
            self._all.discard(watch)
            for user_id in watch.user_ids:
                watches = self._by_user[user_id]
                watches.discard(watch)
                if not watches:
                    del self._by_user[user_id]

    def hear(self, user_id: str | None) -> None:
        """Check the sessions of this user soon; None: of all users."""
        with self._lock:
            if user_id is None:
                self._missed = True
            elif user_id in self._by_user:
                self._heard.add(user_id)
            else:
                return
        self._wake.set()

    def _run(self) -> None:
        known_until = asked = swept = time.monotonic()
        is_failing = False
        while True:
            self._wake.wait(INTERVAL)
            self._wake.clear()
            began = time.monotonic()
            with self._lock:
                if not self._all:
                    self._thread = None
                    break
                is_sweep = self._missed or began - swept >= SWEEP
                chosen = set(self._all) if is_sweep else self._suspects()
                others = self._all - chosen
                self._missed = False
                self._heard.clear()
            try:
                if began - asked >= INTERVAL and not invalidation.tells_all(database.alias()):
                    asked = began
                    chosen |= _changed(others)
                for each, error in _ended(chosen):
                    self._end(each, error)
            except Exception:  # of any database; to be outlived in any case
                if not is_failing:
                    logger.exception("Cannot check the sessions of open connections")
                is_failing = True
                connections.close_all()
                with self._lock:
                    self._missed = True
                if began - known_until > PATIENCE:
                    for each in chosen | others:
                        self._end(each, SessionUnverified())
                time.sleep(INTERVAL)
                continue
            known_until, is_failing = began, False
            if is_sweep:
                swept = began
        connections.close_all()

    def _suspects(self) -> set[Watch]:
        """Those that have expired, or whose users a message has named."""
        now = timezone.now()
        chosen = {watch for watch in self._all if watch.expires_at <= now}
        for user_id in self._heard & self._by_user.keys():
            chosen |= self._by_user[user_id]
        return chosen

    def _end(self, watch: Watch, error: SessionError) -> None:
        with self._lock:
            if watch not in self._all:
                return
        self.remove(watch)
        try:
            watch.on_end(error)
        except Exception:  # of one watcher; the others have to be notified, too
            logger.exception("The callback of a connection failed when its session ended")


def _by_place(watches: set[Watch]) -> Iterator[tuple[list[Watch], DeviceSessionQuerySet]]:
    """The watches of each place (database and schema), and the rows of their sessions, within it."""
    places: defaultdict[Place, list[Watch]] = defaultdict(list)
    for watch in watches:
        places[watch.place].append(watch)
    for (alias, schema), there in places.items():
        with database.within(schema):
            ids = {watch.session_id for watch in there}
            yield there, DeviceSession.objects.using(alias).filter(pk__in=ids)


def _changed(watches: set[Watch]) -> set[Watch]:
    """Those whose row, or whose user's, is not as it was when it was last checked."""
    changed = set()
    columns = ["expires_at", "revoked_at", "password_stamp", *_user_columns()]
    for there, rows in _by_place(watches):
        found = {pk: seen for pk, *seen in rows.values_list("pk", *columns)}
        for watch in there:
            expires_at, *seen = found.get(watch.session_id, (None, None))
            watch.expires_at = expires_at or watch.expires_at
            # No message reports the session of the staff member in an impersonation.
            if tuple(seen) != watch.seen or len(watch.user_ids) > 1:
                changed.add(watch)
    return changed


def _user_columns() -> list[str]:
    """What an account ends its sessions by. A user model may have no column `is_active`."""
    names = {field.attname for field in get_user_model()._meta.concrete_fields}
    return [f"user__{name}" for name in ("password", "is_active") if name in names]


def _ended(watches: set[Watch]) -> Iterator[tuple[Watch, SessionError]]:
    """Those whose session has ended, and how."""
    columns = ["revoked_at", "password_stamp", *_user_columns()]
    seen_of = attrgetter(*(column.replace("__", ".") for column in columns))
    for there, rows in _by_place(watches):
        found = rows.select_related("user").defer(*validation.SELDOM).in_bulk()
        hidden = validation.hidden_users({session.user_id for session in found.values()})
        errors: dict[Any, SessionError | None] = {}
        for watch in there:
            session = found.get(watch.session_id)
            if watch.session_id not in errors:
                is_gone = session is None or session.user_id in hidden
                errors[watch.session_id] = TokenNotValid() if is_gone else _end_of(session)
            error = errors[watch.session_id]
            if error is not None:
                yield watch, error
            elif session is not None:
                watch.expires_at, watch.seen = session.expires_at, seen_of(session)


def _end_of(session: Any) -> SessionError | None:
    try:
        end_if_outlived(session)
    except SessionError as error:
        return error
    return None if validation.is_admitted(session) else AccountNotActive()


_watcher = Watcher()


def _hear(user_id: str | None) -> None:
    _watcher.hear(user_id)


def _after_fork() -> None:
    # The thread, and what it watches, stayed with the parent.
    global _watcher
    _watcher = Watcher()


os.register_at_fork(after_in_child=_after_fork)
