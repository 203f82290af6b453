"""Deleting what is over: sessions that nobody came back to, and ended ones past their retention."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from devices.conf import conf
from devices.models import DeviceSession, DeviceSessionQuerySet

# Deleted by the way at a login, so that a site without a scheduler does not grow for ever.
PER_LOGIN = 5


def _revoked(now: datetime, inactive: timedelta) -> DeviceSessionQuerySet:
    return DeviceSession.objects.filter(revoked_at__lt=now - conf.RETENTION_DAYS).order_by(
        "revoked_at"
    )


def _expired(now: datetime, inactive: timedelta) -> DeviceSessionQuerySet:
    return DeviceSession.objects.filter(
        revoked_at__isnull=True, expires_at__lt=now - conf.RETENTION_DAYS
    ).order_by("expires_at")


def _inactive(now: datetime, inactive: timedelta) -> DeviceSessionQuerySet:
    # `last_active` has no index. But a refresh moves both, so whoever was last active before a moment
    # expires at most an idle limit after it, and `expires_at` has one.
    since = now - inactive
    return DeviceSession.objects.filter(
        revoked_at__isnull=True, expires_at__lt=since + conf.IDLE_LIMIT, last_active__lt=since
    ).order_by("expires_at")


# One statement for each index; an OR over two indexes would use neither.
PASSES: tuple[Callable[[datetime, timedelta], DeviceSessionQuerySet], ...] = (
    _revoked,
    _expired,
    _inactive,
)


def count(inactive: timedelta | None = None) -> int:
    """How many sessions `purge` would delete."""
    now, inactive = timezone.now(), conf.INACTIVE_DAYS if inactive is None else inactive
    due = DeviceSession.objects.none()
    for rows in PASSES:
        due = due.union(rows(now, inactive).order_by().values("pk"))
    return due.count()


def purge(inactive: timedelta | None = None, *, batch_size: int = 1000) -> Iterator[int]:
    """Delete the due sessions in batches, each in its own transaction; yields the size of each.

    It may be stopped at any batch and started again, also twice at once: rows that somebody else holds
    are left to them.
    """
    now, inactive = timezone.now(), conf.INACTIVE_DAYS if inactive is None else inactive
    for rows in PASSES:
        while deleted := _delete(rows(now, inactive)[:batch_size]):
            yield deleted


def purge_some() -> None:
    """Delete a few due sessions; one pass is drawn, so that it costs a login two statements at most."""
    rows = random.choice(PASSES)
    _delete(rows(timezone.now(), conf.INACTIVE_DAYS)[:PER_LOGIN])


def _delete(rows: DeviceSessionQuerySet) -> int:
    with transaction.atomic():
        ids = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
        if not ids:
            return 0
        return DeviceSession.objects.filter(pk__in=ids).delete()[0]
