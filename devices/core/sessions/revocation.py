"""How rows are locked and written, and how a session ends: by its owner, by staff, by a rule; for good."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeGuard

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import Error
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import citus, database, ended, trusted_devices
from devices.core.liveness import invalidation
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.security_log import Event, log_on_commit
from devices.core.tokens import Claims
from devices.exceptions import SessionError
from devices.models import DeviceSession, DeviceSessionQuerySet, RevokeReason

from . import validation


def lock(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """The user's row as it is now, locked until commit; other tables may still refer to it.

    Also that of a user whom the model's own manager hides: their sessions can be ended.
    """
    rows = get_user_model()._base_manager.select_for_update(no_key=True)
    account = rows.filter(pk=user.pk).first()
    if conf.CITUS:
        citus.serialize_logins(user.pk)
    return account


def is_same(
    account: AbstractBaseUser | None, user: AbstractBaseUser
) -> TypeGuard[AbstractBaseUser]:
    """Whether the locked account is active and still under the password that was proved."""
    return account is not None and account.is_active and account.password == user.password


def unrevoked(session: DeviceSession) -> DeviceSessionQuerySet:
    """Select the row of this session, unless it was revoked."""
    return DeviceSession.objects.filter(
        pk=session.pk, user_id=session.user_id, revoked_at__isnull=True
    )


def assign(sessions: Sequence[DeviceSession], values: dict[str, Any]) -> None:
    """Set values on instances, without writing to the database."""
    for session in sessions:
        for name, value in values.items():
            setattr(session, name, value)


def revoke(
    session: DeviceSession,
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
    incident: str = "",
) -> bool:
    """End a session at once and for good. False if it had been revoked before: the first reason stays."""
    revocation = revocation_values(reason, by)
    with database.atomic():
        if not unrevoked(session).update(**revocation):
            return False
        activity.record_all(after_revoke([session], revocation, note, incident))
    return True


def revoke_batch(
    batch: Sequence[DeviceSession],
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
    incident: str = "",
) -> list[DeviceSession]:
    """End a batch of sessions, of many users, and return those that had not ended before.

    The log entries have the ID of the incident, which finds all sessions that were ended with it.

    With so many rows locked, it must not wait: rows that others have locked are ended later, one by one.
    """
    revocation = revocation_values(reason, by)
    done: list[DeviceSession] = []
    for part in citus.parts((session.pk, session.user_id) for session in batch):
        sessions = DeviceSession.objects.filter(part, revoked_at__isnull=True)
        with database.atomic():
            rows = list(
                sessions.select_related("user").select_for_update(skip_locked=True, of=("self",))
            )
            sessions.filter(pk__in=[session.pk for session in rows]).update(**revocation)
            activity.record_all(after_revoke(rows, revocation, note, incident))
        done += rows
    ended_here = set(done)
    held = [session for session in batch if session not in ended_here]
    return done + [
        session
        for session in held
        if revoke(session, reason=reason, by=by, note=note, incident=incident)
    ]


def logout(session: DeviceSession) -> None:
    """End a session for the user who is signed in by it."""
    holder = session.impersonator if session.is_impersonated else session.user
    revoke(session, reason=RevokeReason.LOGOUT, by=holder)


def abandon(session: DeviceSession) -> None:
    """End a session that has just begun and that nobody will have: its tokens or cookie are not handed out.

    Where the database is away, or what was written is taken back, it stays as it is.
    """
    with suppress(Error):
        logout(session)


def logout_by_id(user_id: Any, session_id: Any) -> None:
    """End the session of a cookie, if there is one, for its user."""
    try:
        session = validation.load(Claims(str(user_id), uuid.UUID(str(session_id)), 0))
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
    """End all active sessions of a user but the one to keep, and return how many.

    With `idle_since` only those that were not active from then on.
    """
    with database.atomic():
        account = lock(user)
        if account is None:
            return 0
        active = DeviceSession.objects.for_user(account).active()
        if keep is not None:
            active = active.exclude(pk=keep)
        if idle_since is not None:
            active = active.filter(last_active__lt=idle_since)
        else:
            # Also those on which nobody is signed in just now.
            trusted_devices.forget(user.pk, keep=keep)
            database.announce(signals.all_sessions_revoked, user=user, reason=str(reason))
        entries = revoke_rows(active, reason, by, note)
        activity.record_all(entries)
        return len(entries)


def revoke_rows(
    sessions: DeviceSessionQuerySet,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[Entry]:
    """Revoke those of a set that are not yet, and return what to write into their logs."""
    rows = list(sessions.filter(revoked_at__isnull=True).select_for_update().order_by("pk"))
    if not rows:
        return []
    revocation = revocation_values(reason, by)
    locked = DeviceSession.objects.filter(
        pk__in=[session.pk for session in rows], user_id=rows[0].user_id
    )
    locked.update(**revocation)
    return after_revoke(rows, revocation, note)


def revocation_values(reason: RevokeReason, by: AbstractBaseUser | None) -> dict[str, Any]:
    """Return the column values of a session that ends now."""
    return {
        "revoked_at": timezone.now(),
        "revoke_reason": reason,
        "revoked_by_id": by.pk if by else None,
    }


def after_revoke(
    sessions: Sequence[DeviceSession], revocation: dict[str, Any], note: str, incident: str = ""
) -> list[Entry]:
    """Bring the rows in hand up to date, tell strangers after a commit that lasts; the lines for the log."""
    assign(sessions, revocation)
    reason, by = revocation["revoke_reason"], revocation["revoked_by_id"]
    if sessions:
        database.commit_durably()
    data = {"reason": str(reason)}
    if by is not None:
        data["by"] = str(by)
    if note:
        data["note"] = note
    if incident:
        data["incident"] = incident
    invalidation.publish(session.user_id for session in sessions)
    if conf.FEED:
        ended.record(session.pk for session in sessions)
    if conf.TRUSTED_DEVICE_MAX_AGE is not None:
        trusted_devices.sessions_ended(sessions, reason)
    for session in sessions:
        database.announce(signals.session_revoked, session=session, reason=str(reason))
        log_on_commit(Event.SESSION_REVOKED, session, None, **data)
    return [Entry(session, "session.revoked", data, by=by) for session in sessions]
