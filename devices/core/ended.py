"""What has ended of late, for services that keep no sessions: written along with the end, read by a cursor.

A number that counts up is no cursor: a transaction that drew a small one may commit after another with a
larger one was read. So each row names its transaction, and a cursor is a snapshot of PostgreSQL: which
transactions were to be seen. What a later snapshot sees and the cursor does not is new. Nothing is missed
and nothing comes twice, whatever commits in which order, and no open transaction holds anything up.
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.models import RevocationEvent

# An access token may be older than a change of ACCESS_TOKEN_LIFETIME, and be taken with a LEEWAY.
LEAST_KEPT: Final = timedelta(hours=1)
SLACK: Final = timedelta(minutes=2)
# Characters of a cursor: some thousand transactions that were open at once.
MAX_CURSOR: Final = 32_768

_CURSOR: Final = re.compile(
    r"(?P<feed>\d{1,20}\.\d{1,10})/(?P<since>[\d:,]+)/(?P<target>[\d:,]*)/(?P<last>\d{1,18})"
)
_SNAPSHOT: Final = re.compile(r"(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)")
# Sees nothing.
_BEGINNING: Final = "1:1:"


class Cursor(NamedTuple):
    """A position in the feed, from which a service reads on."""

    # Which database, and which of its histories: after a restore the same numbers mean something else.
    feed: str
    since: str
    # While a large answer is read in pages: up to where, and what was read of it.
    target: str = ""
    last: int = 0

    def __str__(self) -> str:
        return f"{self.feed}/{self.since}/{self.target}/{self.last}"


class Page(NamedTuple):
    """What ended after a cursor, and the next cursor."""

    # Until when tokens of it could live, in seconds since the epoch; by session, and by key.
    sessions: dict[str, int]
    keys: dict[str, int]
    cursor: str
    # Whether it begins from the start, since the cursor was none of this feed.
    is_reset: bool
    has_more: bool


def record(session_ids: Iterable[uuid.UUID]) -> None:
    """Write that sessions have ended, in the transaction that ends them."""
    ids = [str(each) for each in session_ids]
    if ids and is_kept():
        _insert("SELECT id, '' FROM unnest(%s::uuid[]) AS id", [ids])


def record_key(kid: str) -> None:
    """Write that a key was withdrawn, in the transaction that withdraws it."""
    if is_kept():
        _insert("SELECT NULL::uuid, %s", [kid])


def is_kept() -> bool:
    """Return whether ends are recorded for the feed: FEED is on, and the database is PostgreSQL."""
    return conf.FEED and database.connection().vendor == "postgresql"


def kept_for() -> timedelta:
    """How long after its end an access token of a session may still be in time."""
    return max(conf.ACCESS_LIFETIME, LEAST_KEPT) + SLACK


def read(cursor: str | None, limit: int) -> Page:
    """What has ended since a cursor; without one, all that has ended and whose tokens may be in time.

    A cursor that is malformed, of another database or of the future is answered as none.
    """
    feed = database.history() or ""
    with database.connection().cursor() as statement:
        statement.execute("SELECT pg_current_snapshot()::text")
        [now] = statement.fetchone()
        given = _parse(cursor, feed, now)
        at = given or Cursor(feed, _BEGINNING)
        target = at.target or now
        # A restored dump or a logical copy brings numbers of another server along, also beyond all of this
        # one's. A snapshot never sees these, so whoever begins is told them.
        statement.execute(
            "SELECT id, session_id, kid, extract(epoch FROM until)::bigint"
            f" FROM {_table()} WHERE xid >= %s AND id > %s AND until > now()"
            " AND NOT pg_visible_in_snapshot(xid::text::xid8, %s::pg_snapshot)"
            " AND (pg_visible_in_snapshot(xid::text::xid8, %s::pg_snapshot)"
            " OR %s AND xid::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()))"
            " ORDER BY id LIMIT %s",
            [
                int(at.since.partition(":")[0]),
                at.last,
                at.since,
                target,
                at.since == _BEGINNING,
                limit + 1,
            ],
        )
        rows: Sequence[tuple[Any, ...]] = statement.fetchall()
    has_more = len(rows) > limit
    rows = rows[:limit]
    after = Cursor(feed, at.since, target, rows[-1][0]) if has_more else Cursor(feed, target)
    return Page(
        {str(session_id): until for _, session_id, kid, until in rows if not kid},
        {kid: until for _, _, kid, until in rows if kid},
        str(after),
        given is None,
        has_more,
    )


def purge(limit: int) -> int:
    """Delete at most so many rows whose tokens have expired, and return how many."""
    past = RevocationEvent.objects.filter(until__lt=timezone.now()).order_by("until")
    ids = list(past.values_list("pk", flat=True)[:limit])
    return RevocationEvent.objects.filter(pk__in=ids).delete()[0]


def _insert(select: str, parameters: list[Any]) -> None:
    with database.connection().cursor() as statement:
        statement.execute(
            f"INSERT INTO {_table()} (session_id, kid, xid, until)"
            " SELECT what.*, pg_current_xact_id()::text::bigint, %s"
            f" FROM ({select}) AS what",
            [timezone.now() + kept_for(), *parameters],
        )


def _table() -> str:
    return database.connection().ops.quote_name(RevocationEvent._meta.db_table)


def _parse(text: str | None, feed: str, now: str) -> Cursor | None:
    if not text or len(text) > MAX_CURSOR or not (parts := _CURSOR.fullmatch(text)):
        return None
    cursor = Cursor(parts["feed"], parts["since"], parts["target"], int(parts["last"]))
    snapshots = [cursor.since, cursor.target] if cursor.target else [cursor.since]
    if cursor.feed != feed or not all(_is_past(each, now) for each in snapshots):
        return None
    return cursor


def _is_past(snapshot: str, now: str) -> bool:
    """Whether this is a snapshot as PostgreSQL writes it, and none of the future."""
    parts = _SNAPSHOT.fullmatch(snapshot)
    if parts is None:
        return False
    first, end = int(parts[1]), int(parts[2])
    open_ones = [int(each) for each in parts[3].split(",") if each]
    within = all(first <= each < end for each in open_ones)
    is_sorted = open_ones == sorted(set(open_ones))
    return 0 < first <= end <= int(now.split(":")[1]) and within and is_sorted
