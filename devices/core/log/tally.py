"""How much of a kind happened hour by hour, where no rows tell of it. The only writer of Tally."""

import random
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.utils import timezone

from devices.models import Tally

# Rows of an hour, so that a volley of failures does not queue for one of them.
SHARDS = 16
KEPT = timedelta(days=90)


def count(kind: str) -> None:
    """One more of this kind."""
    place = {
        "hour": _hour(timezone.now()),
        "kind": kind,
        "shard": random.randrange(SHARDS),
    }
    row = Tally.objects.filter(**place)
    if not row.update(count=F("count") + 1):
        # The first two to come may both make it; then both count on the one there is.
        Tally.objects.bulk_create([Tally(**place)], ignore_conflicts=True)
        row.update(count=F("count") + 1)


def hours(since: datetime) -> list[tuple[datetime, str, int]]:
    """(hour, kind, how many) of every hour that ends after this time."""
    counted = Tally.objects.filter(hour__gt=since - timedelta(hours=1)).values("hour", "kind")
    return list(counted.annotate(n=Sum("count")).order_by().values_list("hour", "kind", "n"))


def forget() -> None:
    Tally.objects.filter(hour__lt=timezone.now() - KEPT).delete()


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
