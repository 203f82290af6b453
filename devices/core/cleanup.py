"""Deleting what is over: sessions that nobody came back to, and ended ones past their retention."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from devices.conf import conf
from devices.models import DeviceSession, DeviceSessionQuerySet

# Deleted by the way at a login, so that a site without a scheduler does not grow for ever.
PER_LOGIN = 5


class Pass(NamedTuple):
    """Sessions to delete, all in one range of one index: an OR over two indexes would use neither."""

    column: str
    due: DeviceSessionQuerySet


def count(inactive: timedelta | None = None) -> int:
    """How many sessions `purge` would delete."""
    return sum(due.count() for _, due in _passes(inactive))


def purge(inactive: timedelta | None = None, *, batch_size: int = 1000) -> Iterator[int]:
    """Delete the due sessions in batches, each in its own transaction; yields the size of each.

    It may be stopped at any batch and started again, also twice at once: rows that somebody else holds
    are left to them.
    """
    for column, due in _passes(inactive):
        ahead = due
        while batch := _delete(Pass(column, ahead), batch_size):
            yield len(batch)
            # Not from the start again: that way lie the rows just deleted, and those that were not due.
            ahead = due.filter(**{f"{column}__gte": batch[-1]})


def purge_some() -> None:
    """Delete a few ended sessions past their retention; a login pays two statements for it at most."""
    ended = _ended(timezone.now() - conf.RETENTION_DAYS)
    _delete(random.choice(ended), PER_LOGIN)


def _passes(inactive: timedelta | None) -> tuple[Pass, ...]:
    now = timezone.now()
    kept_from = now - conf.RETENTION_DAYS
    since = now - (conf.INACTIVE_DAYS if inactive is None else inactive)
    return *_ended(kept_from), _inactive(since, kept_from)


def _ended(kept_from: datetime) -> tuple[Pass, Pass]:
    unrevoked = DeviceSession.objects.filter(revoked_at__isnull=True)
    return (
        Pass("revoked_at", DeviceSession.objects.filter(revoked_at__lt=kept_from)),
        Pass("expires_at", unrevoked.filter(expires_at__lt=kept_from)),
    )


def _inactive(since: datetime, kept_from: datetime) -> Pass:
    """Sessions last active before `since` that `_ended` does not have."""
    # `last_active` has no index. But a refresh moves both, so whoever was last active before a moment
    # expires at most an idle limit after it, and `expires_at` has one.
    unrevoked = DeviceSession.objects.filter(revoked_at__isnull=True)
    return Pass(
        "expires_at",
        unrevoked.filter(
            expires_at__gte=kept_from, expires_at__lt=since + conf.IDLE_LIMIT, last_active__lt=since
        ),
    )


def _delete(sessions: Pass, limit: int) -> list[datetime]:
    """Delete the first so many rows of a pass that nobody holds; where each stood in its index."""
    column, due = sessions
    with transaction.atomic():
        rows = due.order_by(column).select_for_update(skip_locked=True)
        batch = list(rows.values_list("pk", column)[:limit])
        DeviceSession.objects.filter(pk__in=[pk for pk, _ in batch]).delete()
        return [at for _, at in batch]
