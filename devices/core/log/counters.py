"""How much of a kind happened, by the quarter hour. The only writer of EventCounter."""

import random
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.utils import timezone

from devices.models import EventCounter

# Rows of a quarter hour, so that a volley of failures does not queue for one of them.
SHARDS = 16
QUARTER = timedelta(minutes=15)
KEPT = timedelta(days=90)


def count(kind: str) -> None:
    """One more of this kind."""
    place = {
        "start": quarter_of(timezone.now()),
        "kind": kind,
        "shard": random.randrange(SHARDS),
    }
    row = EventCounter.objects.filter(**place)
    if not row.update(count=F("count") + 1):
        # The first two to come may both make it; then both count on the one there is.
        EventCounter.objects.bulk_create([EventCounter(**place)], ignore_conflicts=True)
        row.update(count=F("count") + 1)


def quarters(since: datetime) -> list[tuple[datetime, str, int]]:
    """(start, kind, how many) of every quarter hour that ends after this time."""
    counted = EventCounter.objects.filter(start__gt=since - QUARTER).values("start", "kind")
    return list(counted.annotate(n=Sum("count")).order_by().values_list("start", "kind", "n"))


def purge() -> None:
    """Delete counters that are older than the dashboard shows."""
    EventCounter.objects.filter(start__lt=timezone.now() - KEPT).delete()


def quarter_of(time: datetime) -> datetime:
    """When the quarter hour of this time began."""
    return time.replace(minute=time.minute // 15 * 15, second=0, microsecond=0)
