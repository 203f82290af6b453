"""Who failed to sign in, where, and when. The only writer of FailedLogin.

A failed sign-in has no session, so nothing else that staff read tells of it.
"""

import uuid
from datetime import datetime
from typing import Any, Final

from django.db.models import F, Q, Sum
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.clients.geolocation import locate
from devices.core.clients.ip_address import customer_block
from devices.models import FailedLogin

from . import counters

# Rows; the oldest go. As many addresses may try as many accounts as they like.
MOST: Final = 1_000_000
NAMESPACE: Final = uuid.UUID("c1fd33a8-3f0c-4d3c-a6b4-6d0c3a1f6c56")


def record(kind: str, user_id: Any, address: str | None) -> None:
    """Count one failure, in the row of its account, address and quarter hour. Two statements, always.

    As many where the row is new as where it is not: time must not tell whether the name is an account's.
    """
    now = timezone.now()
    block = customer_block(address).partition("/")[0] if address else None
    parts = (counters.quarter_of(now).isoformat(), kind, user_id, block)
    row = FailedLogin(
        pk=uuid.uuid5(NAMESPACE, "\0".join(map(str, parts))),
        kind=kind,
        user_id=user_id,
        ip_address=block,
        country=locate(block).country,
        first_at=now,
        last_at=now,
    )
    # Committed once: a new row would take a second commit.
    with database.atomic():
        FailedLogin.objects.bulk_create([row], ignore_conflicts=True)
        FailedLogin.objects.filter(pk=row.pk).update(count=F("count") + 1, last_at=now)


def by_country(since: datetime) -> list[tuple[str, str, int]]:
    """(country, kind, how many) of every quarter hour that ends after this time."""
    rows = FailedLogin.objects.filter(first_at__gt=since - counters.QUARTER).order_by()
    counted = rows.values("country", "kind").annotate(n=Sum("count"))
    return list(counted.values_list("country", "kind", "n"))


def purge(limit: int) -> int:
    """Delete at most so many rows past their retention, or beyond MOST, and return how many.

    They hold addresses, so none is kept longer than IP_RETENTION_DAYS.
    """
    newest_first = FailedLogin.objects.order_by("-first_at", "-id")
    beyond = newest_first.values_list("first_at", flat=True)[MOST : MOST + 1].first()
    limits = (counters.KEPT, conf.IP_RETENTION_DAYS)
    kept = min(each for each in limits if each is not None)
    due = Q(first_at__lt=timezone.now() - kept)
    if beyond is not None:
        due |= Q(first_at__lte=beyond)
    with database.atomic():
        free = FailedLogin.objects.filter(due).order_by("first_at")
        keys = list(free.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        return FailedLogin.objects.filter(pk__in=keys).delete()[0]
