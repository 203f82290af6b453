"""What this process remembers of active sessions in the mode `cached`: few, for a short while, and only
as long as it is known to hear of every end."""

import math
import threading
import time
from collections.abc import Hashable
from copy import deepcopy
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models.base import ModelState

from devices.models import DeviceSession

# About 20 MB. Who is forgotten costs one query.
MAX_ENTRIES = 8_000
# Seconds after which a session is looked up again without an invalidation.
MAX_AGE = 30.0


# Values that nobody can change, so that two objects may hold the same.
ATOMIC: Final = {bool, bytes, date, datetime, Decimal, float, int, str, type(None), UUID}


class Template:
    """A found session with its user, of which copies are made: what one request changes, no other sees."""

    __slots__ = ("_session", "_user")

    def __init__(self, session: DeviceSession) -> None:
        user = session._state.fields_cache["user"]
        self._session, self._user = _Original(session), _Original(user)

    def copy(self) -> DeviceSession:
        """Return the session once more, with a user of its own."""
        session: DeviceSession = self._session.copy()
        session._state.fields_cache = {"user": self._user.copy()}
        return session


class _Original:
    """A row, of which copies are made. A process has thousands, so that it is kept small."""

    __slots__ = ("_class", "_db", "_mutable", "_values")

    def __init__(self, row: Any) -> None:
        self._class, self._db = row.__class__, row._state.db
        self._values = {name: value for name, value in row.__dict__.items() if name != "_state"}
        # Nobody but this one has those that can be changed.
        self._mutable = [
            (name, deepcopy(value))
            for name, value in self._values.items()
            if type(value) not in ATOMIC
        ] or ()

    def copy(self) -> Any:
        copied = self._class.__new__(self._class)
        copied.__dict__ = self._values.copy()
        for name, value in self._mutable:
            copied.__dict__[name] = deepcopy(value)
        copied._state = state = ModelState()
        state.db, state.adding = self._db, False
        return copied


class ReadMark(NamedTuple):
    """When a session was about to be read. What is heard after that makes the reading worthless."""

    epoch: int
    at: float


class Entry(NamedTuple):
    """A session that was valid when it was read."""

    session: Template
    user_id: str
    epoch: int
    # By the monotonic clock: when it gets too old. By the wall clock: when token or session do.
    fresh_until: float
    valid_until: float


class SessionCache:
    """Valid sessions by their token, until a message says that their user's sessions changed."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, Entry] = {}
        # Each message moves the epoch on. An entry counts if it was read at or after the epoch of the last
        # message about its user, or the floor where there was none: so one read before a message arrived
        # and stored after it is dead from the start.
        self._epoch = self._floor = 0
        self._forgotten: dict[str, int] = {}
        self._trusted_until = self._trusted_until_wall = -math.inf
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_trusted(self) -> bool:
        """Whether the bus has answered recently enough to use the cache."""
        # The monotonic clock stands still while a machine sleeps, and the other one jumps when it wakes.
        return time.monotonic() < self._trusted_until and time.time() < self._trusted_until_wall

    def read_mark(self) -> ReadMark:
        """Return a mark of now. Take it before you read a session that you `put`."""
        return ReadMark(self._epoch, time.monotonic())

    def get(self, key: Hashable) -> Template | None:
        """Return the session behind a key, to be copied; None if it has to be read again."""
        entry = self._entries.get(key)
        if entry is not None:
            now, wall = time.monotonic(), time.time()
            if (
                now < self._trusted_until
                and wall < self._trusted_until_wall
                and now < entry.fresh_until
                and wall < entry.valid_until
                and entry.epoch >= self._dead_before(entry.user_id)
            ):
                self.hits += 1
                return entry.session
            # Not while another thread looks which is the oldest: that raises RuntimeError there.
            with self._lock:
                self._entries.pop(key, None)
        self.misses += 1
        return None

    def _dead_before(self, user_id: str) -> int:
        """The epoch before which nothing that was read about this user counts."""
        epoch = self._forgotten.get(user_id)
        # Asked last: it is set before the dictionary is emptied.
        return self._floor if epoch is None else epoch

    def put(
        self, key: Hashable, session: Template, user_id: Any, ticket: ReadMark, valid_until: float
    ) -> None:
        entry = Entry(session, str(user_id), ticket.epoch, ticket.at + MAX_AGE, valid_until)
        with self._lock:
            self._entries.pop(key, None)
            self._drop_old()
            if len(self._entries) >= MAX_ENTRIES:
                # The oldest, which would soon be too old anyway.
                self._entries.pop(next(iter(self._entries)), None)
            self._entries[key] = entry

    def _drop_old(self) -> None:
        """Forget the oldest if they are too old to be used: two with each that comes, so that it shrinks."""
        for _ in range(2):
            key = next(iter(self._entries), None)
            entry = self._entries.get(key)
            if entry is None or entry.fresh_until > time.monotonic():
                return
            self._entries.pop(key, None)

    def trust(self, until: float, until_wall: float) -> None:
        """Everything said up to now was heard; the entries count until this time of both clocks."""
        self._trusted_until, self._trusted_until_wall = until, until_wall

    def invalidate(self, user_id: str) -> None:
        """Drop all sessions of the user, also those that are being read now."""
        with self._lock:
            self._epoch += 1
            if len(self._forgotten) >= MAX_ENTRIES:
                # The floor first: what is not in the dictionary is compared with it.
                self._floor = self._epoch
                self._forgotten.clear()
                self._entries.clear()
            self._forgotten[user_id] = self._epoch

    def invalidate_all(self) -> None:
        """Something may have been missed: nothing read up to now counts, and nothing until trusted again."""
        self._trusted_until = -math.inf
        with self._lock:
            self._epoch += 1
            self._floor = self._epoch
            self._forgotten.clear()
            self._entries.clear()

    def after_fork(self) -> None:
        """Empty the cache in a child process."""
        # Another thread may have held the lock, and the listener stayed with the parent.
        self._lock = threading.Lock()
        self.invalidate_all()
        self.hits = self.misses = 0


session_cache = SessionCache()
