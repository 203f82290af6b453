"""Have sessions ended that pages are open in? Asked again and again by each page, of the database seldom."""

import threading
import uuid
from collections import defaultdict
from typing import Final

from django.utils import timezone

from devices.core import database
from devices.core.clocks import NEVER, Moment
from devices.models import DeviceSession

# Seconds between two questions of the database, however many pages ask this process.
PAUSE: Final = 1.0
# Seconds after which a page that has not asked again is taken for closed.
CLOSED_AFTER: Final = 15.0


class Polls:
    """The sessions that pages of late asked about, in one place (database and schema)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[uuid.UUID, Moment] = {}
        self._ended: frozenset[uuid.UUID] = frozenset()
        self._checked_at = NEVER

    def has_ended(self, session_id: uuid.UUID) -> bool:
        """Whether the session was revoked, expired or deleted, as it was at most PAUSE seconds ago.

        One that is asked about for the first time counts as active until the next question.
        """
        now = Moment.now()
        with self._lock:
            self._asked[session_id] = now
            is_due = self._checked_at.age() >= PAUSE
            if is_due:
                # Before the question: of those who come meanwhile, none asks it, too.
                self._checked_at = now
        if is_due:
            self._check()
        return session_id in self._ended

    def _check(self) -> None:
        with self._lock:
            self._asked = {pk: at for pk, at in self._asked.items() if at.age() < CLOSED_AFTER}
            open_ones = frozenset(self._asked)
        active = DeviceSession.objects.filter(pk__in=open_ones).active(timezone.now())
        self._ended = open_ones - set(active.values_list("pk", flat=True))


_polls: defaultdict[tuple[str, str], Polls] = defaultdict(Polls)


def has_ended(session_id: uuid.UUID) -> bool:
    """Whether a session has ended, for a page that asks every few seconds: see `Polls.has_ended`.

    What only an account ends, without a row that says so, the next request finds (`sessions.validation`).
    """
    return _polls[database.place()].has_ended(session_id)
