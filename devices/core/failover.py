"""Whether the database is still the one it was: a failover or a restore may lose what was committed last.

Each minute a row says until when this history of the database is known to go. It comes along with whatever
was committed before it; so once another history is seen, all that may be missing is between the two.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.utils import timezone

from devices.core import database
from devices.models import DatabaseHistory

from .log import security_log
from .log.security_log import Event
from .notifications import emails, worker

# Several processes ask; one of them writes.
BEAT: Final = timedelta(seconds=30)
# For how long staff see it.
SHOWN_FOR: Final = timedelta(days=7)


class LostWindow(NamedTuple):
    """Between these times something may have been committed that the database does not have."""

    since: datetime
    until: datetime


@worker.periodic("devices.watch_database")
def watch() -> None:
    """Look once a minute, beside the sender of mails."""
    look()


def look() -> LostWindow | None:
    """Note that the database is here, and tell staff if it is another than before: what that may lose."""
    history = database.history()
    if history is None:
        return None
    now = timezone.now()
    here = DatabaseHistory.objects.filter(history=history)
    if here.filter(last_seen__lt=now - BEAT).update(last_seen=now) or here.exists():
        return None
    _, is_new = DatabaseHistory.objects.get_or_create(
        history=history, defaults={"first_seen": now, "last_seen": now}
    )
    window = lost_window(now) if is_new else None
    if window is not None:
        _tell(window)
    return window


def lost_window(now: datetime) -> LostWindow | None:
    """What the latest failover or restore may have lost, if it was seen in the last SHOWN_FOR."""
    latest = list(DatabaseHistory.objects.order_by("-first_seen")[:2])
    if len(latest) < 2 or latest[0].first_seen <= now - SHOWN_FOR:
        return None
    # A database with a TIME_ZONE of its own hands times out in that zone, and commands say UTC.
    return LostWindow(latest[1].last_seen.astimezone(UTC), latest[0].first_seen.astimezone(UTC))


def repairs(window: LostWindow) -> tuple[str, str]:
    """Two commands: what ends exactly what the security log says, and what ends all that it could be."""
    reason = f'--reason "Failover of {window.until:%Y-%m-%d}"'
    return (
        f"manage.py revoke_sessions --revoked-in security.log {reason}",
        f"manage.py revoke_sessions --issued-before {window.until:%Y-%m-%dT%H:%M:%SZ} {reason}",
    )


def _tell(window: LostWindow) -> None:
    since, until = (moment.isoformat(timespec="seconds") for moment in window)
    security_log.log(Event.DATABASE_REPLACED, since=since, until=until)
    if settings.ADMINS:
        emails.tell_admins_of_failover(window.since, window.until, repairs(window))
