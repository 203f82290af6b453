"""Events that are still to be delivered: which come next, that they were taken, and their SETs."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from rest_framework_simplejwt import settings as simplejwt

from devices.core.keys import keyring

from . import events
from .models import PendingEvent, Stream

logger = logging.getLogger("devices")

# RFC 8417 §2.3
TYPE: Final = "secevent+jwt"
# For so long an event is kept that no service takes, and those of a stream that is paused.
KEPT: Final = timedelta(days=7)
BATCH: Final = 500


def delivered(stream: Stream) -> list[str]:
    """The event types of a stream. A service that named none gets all."""
    wanted = stream.events_requested
    return [each for each in events.SUPPORTED if wanted is None or each in wanted]


def next_of(stream: Stream, limit: int) -> list[PendingEvent]:
    """What to deliver next, of each person the oldest one: the next comes when that was taken."""
    first, about, after = list[PendingEvent](), set[str](), 0
    while len(first) < limit:
        rows = list(PendingEvent.objects.filter(stream=stream, pk__gt=after).order_by("pk")[:BATCH])
        for row in rows:
            if row.about not in about:
                about.add(row.about)
                first.append(row)
        if len(rows) < BATCH:
            break
        after = rows[-1].pk
    return first[:limit]


def take(stream: Stream, jtis: Iterable[str]) -> int:
    """Forget events that a service has taken, and return how many."""
    return PendingEvent.objects.filter(stream=stream, jti__in=list(jtis)).delete()[0]


def put_off(event: PendingEvent, until: datetime) -> None:
    """Try an event again later."""
    PendingEvent.objects.filter(pk=event.pk).update(due_at=until, attempts=event.attempts + 1)


def forget(stream: Stream) -> None:
    """Drop what a stream has not delivered."""
    PendingEvent.objects.filter(stream=stream).delete()


def purge() -> None:
    """Drop events that were not delivered within KEPT, and log that."""
    past = PendingEvent.objects.filter(created_at__lt=timezone.now() - KEPT)
    if count := past.delete()[0]:
        logger.warning(
            "%s events were not accepted for %s days, and are deleted.", count, KEPT.days
        )


def sign(event: PendingEvent, stream: Stream) -> str:
    """The SET of an event. Raises KeysUnavailable if no key signs that services could verify."""
    _, key = keyring.for_services()
    # Neither `sub` nor `exp`, so that nobody takes it for an access token (SSF 1.0 §4.1).
    return key.encode(
        {
            "iss": simplejwt.api_settings.ISSUER,
            "aud": stream.client,
            "jti": event.jti.hex,
            **event.claims,
        },
        TYPE,
    )
