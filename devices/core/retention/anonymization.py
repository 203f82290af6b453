"""What is forgotten of the traces people leave, IP_RETENTION_DAYS after they were seen.

Addresses lose their last bits (/24, /48); user agents, coordinates and the names people gave go. Each row
tells by itself whether something is left to do (`pii_since`, `is_precise`), and an index holds those
rows alone: what is done is never looked at again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from devices.conf import conf
from devices.core import citus
from devices.core.log import activity
from devices.lookups import Shortened
from devices.models import Activity, DeviceSession


def count() -> int:
    """How many rows hold something that has aged."""
    if (before := _before()) is None:
        return 0
    sessions = DeviceSession.objects.filter(pii_since__lt=before)
    lines = Activity.objects.filter(is_precise=True, at__lt=before)
    return sessions.count() + lines.count()


def age(*, batch_size: int = 1000) -> Iterator[int]:
    """Shorten what has aged in batches, each in its own transaction; yields the size of each.

    It may be stopped at any batch and started again, also twice at once: rows that somebody else holds
    are left to them, and to the next run.
    """
    if (before := _before()) is None:
        return
    for batch in (_age_sessions, _age_activities):
        # Not from the start again: that way lie the entries of rows just done.
        ahead: datetime | None = None
        while times := batch(before, ahead, batch_size):
            yield len(times)
            ahead = times[-1]


def _before() -> datetime | None:
    return None if conf.IP_RETENTION_DAYS is None else timezone.now() - conf.IP_RETENTION_DAYS


def _age_sessions(before: datetime, ahead: datetime | None, limit: int) -> list[datetime]:
    due = DeviceSession.objects.filter(pii_since__lt=before)
    if ahead is not None:
        due = due.filter(pii_since__gte=ahead)
    now = timezone.now()
    # Nobody will be seen in it again.
    has_ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=now)
    is_old, is_unused = Q(created_at__lt=before), Q(last_active__lt=before)
    aged: list[datetime] = []

    def shorten(rows: QuerySet, batch: list[tuple[Any, datetime]]) -> None:
        rows.filter(pk__in=[pk for pk, _ in batch]).update(
            ip_address=_once(is_old, Shortened(F("ip_address")), F("ip_address")),
            user_agent=_once(is_old, Value(""), F("user_agent")),
            latitude=_once(is_old, Value(None), F("latitude")),
            longitude=_once(is_old, Value(None), F("longitude")),
            last_ip=_once(is_unused, Shortened(F("last_ip")), F("last_ip")),
            # While it lives it is known by its name.
            name=_once(has_ended & is_unused, Value(""), F("name")),
            # The oldest of what is whole yet, or still to come.
            pii_since=Case(
                When(~is_old, then=F("created_at")),
                When(~is_unused, then=F("last_active")),
                When(has_ended, then=Value(None)),
                default=Value(now),
            ),
        )
        aged.extend(since for _, since in batch)

    citus.write_locked(due.values_list("pk", "pii_since"), "pii_since", limit, shorten)
    return sorted(aged)


def _age_activities(before: datetime, ahead: datetime | None, limit: int) -> list[datetime]:
    due = Activity.objects.filter(is_precise=True, at__lt=before)
    if ahead is not None:
        due = due.filter(at__gte=ahead)
    aged: list[datetime] = []

    def shorten(rows: QuerySet, batch: list[Activity]) -> None:
        rows.filter(pk__in=[line.pk for line in batch]).update(
            ip_address=Shortened(F("ip_address")), is_precise=False
        )
        changed = []
        for line in batch:
            data = activity.redacted(line.kind, line.data)
            if data != line.data:
                line.data = data
                changed.append(line)
        if changed:
            rows.bulk_update(changed, ["data"])
        aged.extend(line.at for line in batch)

    citus.write_locked(due, "at", limit, shorten)
    return sorted(aged)


def _once(condition: Q, then: object, otherwise: object) -> Case:
    return Case(When(condition, then=then), default=otherwise)
