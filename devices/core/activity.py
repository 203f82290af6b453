"""The log of what happened in a session. The only writer of Activity."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.utils import timezone

from devices.models import Activity, DeviceSession


class Entry(NamedTuple):
    session: DeviceSession
    kind: str
    data: dict[str, Any]
    ip_address: str | None = None


def record(
    session: DeviceSession,
    kind: str,
    data: dict[str, Any] | None = None,
    *,
    ip_address: str | None = None,
) -> None:
    """Write one line into the log of a session, in the caller's transaction.

    `kind` is a dotted name of at most 64 characters ("report.exported"), `data` anything JSON holds.
    """
    record_all([Entry(session, kind, data or {}, ip_address)])


def record_all(entries: Iterable[Entry]) -> None:
    """Write several lines in one statement."""
    now = timezone.now()
    Activity.objects.bulk_create(
        Activity(
            session_id=entry.session.pk,
            user_id=entry.session.user_id,
            kind=entry.kind,
            at=now,
            ip_address=entry.ip_address,
            data=entry.data,
        )
        for entry in entries
    )
