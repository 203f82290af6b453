"""How a session ends: by its owner, by staff, by a rule; at once and for good."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices import signals
from devices.core import database
from devices.core.life import liveness
from devices.core.life.tokens import Claims
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.audit import Event
from devices.core.log.telling import announce, log
from devices.exceptions import SessionError
from devices.models import DeviceSession, DeviceSessionQuerySet, RevokeReason

from .rows import assign, lock, unrevoked


def revoke(
    session: DeviceSession,
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> bool:
    """End a session at once and for good. False if it had been revoked before: the first reason stays."""
    revocation = end_values(reason, by)
    with database.atomic():
        if not unrevoked(session).update(**revocation):
            return False
        activity.record_all(note_end([session], revocation, note))
    return True


def revoke_batch(
    batch: Sequence[DeviceSession],
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[DeviceSession]:
    """End a batch of sessions, of many people; those that had not ended before.

    Whoever holds so many rows waits for none: those that somebody else holds are ended later, one by one.
    """
    revocation = end_values(reason, by)
    found = DeviceSession.objects.filter(
        pk__in=[session.pk for session in batch], revoked_at__isnull=True
    )
    with database.atomic():
        rows = list(found.select_related("user").select_for_update(skip_locked=True, of=("self",)))
        DeviceSession.objects.filter(
            pk__in=[session.pk for session in rows], revoked_at__isnull=True
        ).update(**revocation)
        activity.record_all(note_end(rows, revocation, note))
    done = set(rows)
    held = [session for session in batch if session not in done]
    return rows + [session for session in held if revoke(session, reason=reason, by=by, note=note)]


def logout(session: DeviceSession) -> None:
    """End a session at the wish of whoever holds it."""
    holder = session.impersonator if session.is_impersonated else session.user
    revoke(session, reason=RevokeReason.LOGOUT, by=holder)


def leave(user_id: Any, session_id: Any) -> None:
    """End the session that a cookie names, at the wish of whoever holds it; if there is one."""
    try:
        session = liveness.load(Claims(str(user_id), uuid.UUID(str(session_id)), 0))
    except (ValueError, SessionError):
        return
    logout(session)


def revoke_all(
    user: AbstractBaseUser,
    *,
    reason: RevokeReason,
    keep: uuid.UUID | None = None,
    idle_since: datetime | None = None,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> int:
    """End all active sessions of a user but the one to keep; how many these were.

    With `idle_since` only those that were not active from then on.
    """
    with database.atomic():
        account = lock(user)
        if account is None:
            return 0
        active = DeviceSession.objects.of(account).active()
        if keep is not None:
            active = active.exclude(pk=keep)
        if idle_since is not None:
            active = active.filter(last_active__lt=idle_since)
        entries = end(active, reason, by, note)
        activity.record_all(entries)
        return len(entries)


def end(
    sessions: DeviceSessionQuerySet,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[Entry]:
    """Revoke those of a set that are not yet, and return what to write into their logs."""
    rows = list(sessions.filter(revoked_at__isnull=True).select_for_update().order_by("pk"))
    if not rows:
        return []
    revocation = end_values(reason, by)
    locked = DeviceSession.objects.filter(
        pk__in=[session.pk for session in rows], user_id=rows[0].user_id
    )
    locked.update(**revocation)
    return note_end(rows, revocation, note)


def end_values(reason: RevokeReason, by: AbstractBaseUser | None) -> dict[str, Any]:
    return {
        "revoked_at": timezone.now(),
        "revoke_reason": reason,
        "revoked_by_id": by.pk if by else None,
    }


def note_end(
    sessions: Sequence[DeviceSession], revocation: dict[str, Any], note: str
) -> list[Entry]:
    """Bring the rows in hand up to date, tell strangers after commit; the lines for the log."""
    assign(sessions, revocation)
    reason, by = revocation["revoke_reason"], revocation["revoked_by_id"]
    data = {"reason": str(reason)}
    if by is not None:
        data["by"] = str(by)
    if note:
        data["note"] = note
    liveness.forget(session.user_id for session in sessions)
    for session in sessions:
        announce(signals.session_revoked, session=session, reason=str(reason))
        log(Event.SESSION_REVOKED, session, None, **data)
    return [Entry(session, "session.revoked", data, by=by) for session in sessions]
