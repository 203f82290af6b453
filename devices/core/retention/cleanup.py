"""Deletes old rows: inactive sessions, and ended sessions and log entries past their retention."""

import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from devices.conf import conf
from devices.core import citus, database
from devices.models import Activity, DeviceSession

# One login in so many deletes some rows, so that the tables of a site without a scheduler stay bounded.
LOGINS = 16
PER_LOGINS = 160

# No statement looks at more rows than this, however few of them are due.
STRETCH = 100_000


class Pass(NamedTuple):
    """An index to scan, and what to delete there: an OR over two indexes would use neither."""

    column: str
    rows: QuerySet
    due: Q = Q()


def count(inactive: timedelta | None = None) -> int:
    """How many sessions `purge` would delete."""
    return _count(_passes(inactive))


def count_activities() -> int:
    """How many lines of the log `purge_activities` would delete."""
    return _count(_past())


def oldest_due() -> float:
    """For how many seconds the oldest revoked session is past its retention; 0 if none is."""
    limit = timezone.now() - conf.RETENTION_DAYS
    due = DeviceSession.objects.filter(revoked_at__isnull=False, revoked_at__lt=limit)
    oldest = due.order_by("revoked_at").values_list("revoked_at", flat=True).first()
    return (limit - oldest).total_seconds() if oldest else 0.0


def purge(inactive: timedelta | None = None, *, batch_size: int = 1000) -> Iterator[int]:
    """Delete the due sessions in batches, each in its own transaction; yields the size of each.

    It may be stopped at any batch and started again, also twice at once: rows that somebody else holds
    are left to them.
    """
    return _purge(_passes(inactive), batch_size)


def purge_activities(*, batch_size: int = 1000) -> Iterator[int]:
    """Delete the lines of the log past their retention, as `purge` does."""
    return _purge(_past(), batch_size)


def unhurried(batches: Iterator[int]) -> Iterator[int]:
    """The batches, with a pause after each, twice as long as it took, to leave CPU time to requests."""
    begin = time.perf_counter()
    for size in batches:
        took = time.perf_counter() - begin
        yield size
        time.sleep(2 * took)
        begin = time.perf_counter()


def purge_some(begun: uuid.UUID) -> None:
    """Delete some ended sessions past their retention, if it is this login's turn."""
    turn, others = divmod(begun.int, LOGINS)
    if others or conf.CITUS:
        # There it would ask every worker.
        return
    way = _ended(timezone.now() - conf.RETENTION_DAYS)[turn % 2]
    with database.atomic():
        due = way.rows.filter(way.due).order_by(way.column).select_for_update(skip_locked=True)
        # Within the DELETE the limit would hold for each row that PostgreSQL looks at, by some of its plans.
        keys = list(due.values_list("pk", flat=True)[:PER_LOGINS])
        DeviceSession.objects.filter(pk__in=keys).delete()


def _passes(inactive: timedelta | None) -> tuple[Pass, ...]:
    """The scans. No session is due in two of them."""
    now = timezone.now()
    kept_from = now - conf.RETENTION_DAYS
    if inactive is None:
        # The cleanup ends no session that could still be refreshed.
        inactive = max(conf.INACTIVE_DAYS, conf.IDLE_LIMIT)
    since = now - inactive
    return *_ended(kept_from), _inactive(since, kept_from)


def _ended(kept_from: datetime) -> tuple[Pass, Pass]:
    unrevoked = DeviceSession.objects.filter(revoked_at__isnull=True)
    return (
        Pass("revoked_at", DeviceSession.objects.filter(revoked_at__lt=kept_from)),
        Pass("expires_at", unrevoked.filter(expires_at__lt=kept_from)),
    )


def _inactive(since: datetime, kept_from: datetime) -> Pass:
    # `last_active` has no index. But a refresh moves both, so whoever was last active before a moment
    # expires at most an idle limit after it, and `expires_at` has one.
    unrevoked = DeviceSession.objects.filter(revoked_at__isnull=True)
    near = unrevoked.filter(expires_at__gte=kept_from, expires_at__lt=since + conf.IDLE_LIMIT)
    return Pass("expires_at", near, due=Q(last_active__lt=since))


def _past() -> tuple[Pass, ...]:
    if (retention := conf.ACTIVITY_RETENTION_DAYS) is None:
        return ()
    return (Pass("at", Activity.objects.filter(at__lt=timezone.now() - retention)),)


def _count(ways: Iterable[Pass]) -> int:
    return sum(stretch.filter(way.due).count() for way in ways for stretch in _stretches(way))


def _purge(ways: Iterable[Pass], batch_size: int) -> Iterator[int]:
    for way in ways:
        for stretch in _stretches(way):
            ahead = stretch
            while batch := _delete(way._replace(rows=ahead), batch_size):
                yield len(batch)
                # Not from the start: the index still has the deleted rows.
                ahead = stretch.filter(**{f"{way.column}__gte": batch[-1]})


def _stretches(way: Pass) -> Iterator[QuerySet]:
    rest, start = way.rows, None
    while True:
        edges = rest.order_by(way.column).values_list(way.column, flat=True)
        with citus.reading_in_turn():
            edge = next(iter(edges[STRETCH : STRETCH + 1]), None)
        if edge in (None, start):
            yield rest
            return
        yield rest.filter(**{f"{way.column}__lt": edge})
        rest, start = way.rows.filter(**{f"{way.column}__gte": edge}), edge


def _delete(way: Pass, limit: int) -> list[datetime]:
    """Delete at most so many due rows; where each of them stood in the index."""
    deleted: list[datetime] = []

    def delete(rows: QuerySet, batch: list[tuple[Any, datetime]]) -> None:
        rows.filter(pk__in=[pk for pk, _ in batch]).delete()
        deleted.extend(at for _, at in batch)

    due = way.rows.filter(way.due).values_list("pk", way.column)
    citus.write_locked(due, way.column, limit, delete)
    return sorted(deleted)
