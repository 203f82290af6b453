"""How a session is used: asked about at each request, touched now and then, moved on by its refresh token."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Greatest
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import database
from devices.core.caller.client import Client
from devices.core.life import liveness, tokens
from devices.core.life.tokens import Claims
from devices.core.log import activity, audit
from devices.core.log.audit import Event
from devices.core.log.telling import announce, log
from devices.core.watch import notices, suspicion
from devices.core.watch.suspicion import Use
from devices.exceptions import (
    AccountNotActive,
    RefreshReused,
    SessionError,
    SessionRevoked,
    TokenNotValid,
)
from devices.models import DeviceSession, NoticeKind, RevokeReason, RiskLevel

from .ending import end_values, logout, note_end, revoke
from .rows import assign, unrevoked


def living(claims: Claims, client: Client) -> DeviceSession:
    """The session of these claims, with its user. Raises TokenNotValid, SessionRevoked, SessionExpired."""
    return find_living(claims, lambda: client)


def find_living(claims: Claims, client_of: Callable[[], Client]) -> DeviceSession:
    session = liveness.load(claims)
    try:
        now = timezone.now()
        liveness.check(session, now)
        reason = liveness.ended_by_account(session)
        if reason is None and liveness.has_lost_origin(session, now):
            reason = RevokeReason.IMPERSONATION
        if reason is not None:
            # Written down, so that it stays ended whatever becomes of the account; by us or by
            # another request that saw the same.
            revoke(session, reason=reason)
            raise SessionRevoked
    except SessionError as error:
        audit.log(
            Event.SESSION_USED_AFTER_END,
            user_id=session.user_id,
            session_id=session.pk,
            client=client_of(),
            code=error.code,
        )
        raise
    if not liveness.is_admitted(session):
        raise AccountNotActive
    return session


def authenticate(token: bytes, client_of: Callable[[], Client]) -> DeviceSession:
    """The living session behind an access token, as `resume` has it, or as it is remembered (LIVENESS).

    The client is asked for only where there is something to write.
    """
    if conf.LIVENESS != "cached":
        return _resume(tokens.recall_access(token), client_of)
    session = liveness.recall(token)
    if session is None:
        claims, ticket = tokens.recall_access(token), liveness.ticket()
        session = _resume(claims, client_of)
        liveness.remember(token, claims, session, ticket)
    return session


def resume(claims: Claims, client: Client) -> DeviceSession:
    """The living session behind an access token, as `living` has it; notes that it was active."""
    return _resume(claims, lambda: client)


def _resume(claims: Claims, client_of: Callable[[], Client]) -> DeviceSession:
    session = find_living(claims, client_of)
    now = timezone.now()
    is_due = session.last_active <= now - conf.TOUCH_INTERVAL
    if is_due or claims.generation > session.generation_used:
        _touch(session, claims.generation, client_of(), now)
    return session


def visit(
    user_id: Any, session_id: Any, client_of: Callable[[], Client]
) -> tuple[DeviceSession, bool]:
    """The living session that a cookie names, as `living` has it, and whether its idle limit has just moved.

    Notes that it was active. Each use counts against the idle limit, since a cookie is not refreshed; it is
    written when a twentieth of it has gone by, being in an index.
    """
    try:
        claims = Claims(str(user_id), uuid.UUID(str(session_id)), 0)
    except ValueError as error:
        raise TokenNotValid from error
    session = find_living(claims, client_of)
    now = timezone.now()
    client = client_of()
    # At each use: beside an owner who is there, a thief would not be seen for a minute otherwise.
    use = suspicion.judge_use(session, client)
    if use is not None and use.is_doubtful:
        _doubt(session, use, client, now)
    if session.last_active > now - conf.TOUCH_INTERVAL:
        return session, False
    until = min(now + conf.IDLE_LIMIT, session.absolute_expires_at)
    is_due = until - session.expires_at > conf.IDLE_LIMIT / 20
    _touch(session, 0, client, now, until=until if is_due else None)
    return session, is_due


def rotate(claims: Claims, client: Client) -> DeviceSession:
    """Exchange a refresh token for its successor: the session, at the successor's generation.

    Asking again gives the same successor while the rotation is at most REFRESH_GRACE ago or the successor
    was never used, since then the answer may have been lost. Later, or from another country or kind of
    device, it is a replay and the session ends (RFC 9700 §4.14.2). Without ROTATE_REFRESH_TOKENS it is its
    own successor, and lasts no longer for it; then nobody can tell a copy from the original.

    Raises RefreshReused, TokenNotValid, SessionRevoked or SessionExpired.
    """
    session = living(claims, client)
    now = timezone.now()
    if claims.generation == session.generation:
        if _advance(session, client, now):
            if session.revoked_at is not None:
                raise SessionRevoked
            log(Event.REFRESH_SUCCEEDED, session, client)
            return session
        # Another request with the same token was faster; its successor is ours too.
        session = living(claims, client)
    if _may_repeat(session, claims.generation, now) and not suspicion.is_elsewhere(session, client):
        log(Event.REFRESH_REPEATED, session, client)
        return session
    _end_as_reused(session, claims, client, now)
    raise RefreshReused


def logout_by_refresh_token(claims: Claims, client: Client) -> None:
    """End a session at the wish of whoever holds its refresh token (RFC 7009).

    A used-up token is a copy, as it is in `rotate`: the session ends as reused, and its owner is told.
    Raises TokenNotValid, SessionRevoked or SessionExpired.
    """
    session = living(claims, client)
    now = timezone.now()
    if claims.generation == session.generation or _may_repeat(session, claims.generation, now):
        logout(session)
    else:
        _end_as_reused(session, claims, client, now)


def _end_as_reused(session: DeviceSession, claims: Claims, client: Client, now: datetime) -> None:
    with database.atomic():
        if revoke(session, reason=RevokeReason.REUSE):
            data = {"generation": claims.generation, "current": session.generation}
            activity.record(session, "refresh.reused", data, ip_address=client.ip_address)
            if not session.is_impersonated:
                facts = suspicion.facts_of(session, at=now)
                notices.write(session.user_id, NoticeKind.REFRESH_REUSED, facts, session.pk)
            announce(signals.refresh_reused, session=session)
            log(Event.REFRESH_REUSED, session, client)


def _touch(
    session: DeviceSession,
    generation: int,
    client: Client,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Note activity, at most once per TOUCH_INTERVAL, and that this generation has reached its client.

    Moves the idle limit, if it is told to which time.
    """
    due = Q(last_active__lte=now - conf.TOUCH_INTERVAL)
    touched: dict[str, Any] = {"last_active": now}
    if client.ip_address is not None:
        touched["last_ip"] = client.ip_address
    if until is not None:
        touched["expires_at"] = until
    use = suspicion.judge_use(session, client, is_noted=True)
    if use is not None:
        touched["unusual_uses"] = use.found
    is_first = (
        unrevoked(session)
        .filter(due | Q(generation_used__lt=generation))
        .update(**touched, generation_used=Greatest("generation_used", generation))
    )
    assign([session], touched | {"generation_used": max(session.generation_used, generation)})
    if use is not None and is_first:
        suspicion.note_use(session, use, client)


def _doubt(session: DeviceSession, use: Use, client: Client, now: datetime) -> None:
    """Doubt a session whose cookie came from elsewhere, and tell its owner. Raises SessionRevoked if it ends.

    Once for each kind of device and country.
    """
    values = suspicion.values_of(session, use, now)
    is_over = use.judged.level == RiskLevel.CRITICAL
    revocation = end_values(RevokeReason.RISK, None) if is_over else {}
    with database.atomic():
        unchanged = Q(unusual_uses=session.unusual_uses)
        if not unrevoked(session).filter(unchanged).update(**values, **revocation):
            return
        assign([session], values)
        liveness.forget([session.user_id])
        entries = suspicion.of_cookie(session, use, client, now)
        if revocation:
            entries += note_end([session], revocation, "")
        activity.record_all(entries)
    if revocation:
        raise SessionRevoked


def _advance(session: DeviceSession, client: Client, now: datetime) -> bool:
    """Move to the next generation, unless somebody was faster: compare and swap on the row.

    Whoever comes from elsewhere, or with another kind of device, is judged; the session may end by it.
    """
    moved: dict[str, Any] = {"last_active": now, "last_ip": client.ip_address}
    if conf.ROTATES:
        moved |= {
            "generation": session.generation + 1,
            "generation_used": session.generation,
            "rotated_at": now,
            "expires_at": min(now + conf.IDLE_LIMIT, session.absolute_expires_at),
        }
    use = suspicion.judge_use(session, client)
    revocation: dict[str, Any] = {}
    if use is not None:
        moved |= suspicion.values_of(session, use, now)
        if use.judged.level == RiskLevel.CRITICAL:
            revocation = end_values(RevokeReason.RISK, None)
    unmoved = unrevoked(session).filter(generation=session.generation, expires_at__gt=now)
    if use is None:
        if not unmoved.update(**moved):
            return False
        assign([session], moved)
        return True
    with database.atomic():
        if not unmoved.update(**moved, **revocation):
            return False
        assign([session], moved)
        liveness.forget([session.user_id])
        entries = suspicion.of_refresh(session, use, client, now)
        if revocation:
            entries += note_end([session], revocation, "")
        activity.record_all(entries)
    return True


def _may_repeat(session: DeviceSession, generation: int, now: datetime) -> bool:
    """Whether this is the last rotation asked for again by a client that may have lost the answer."""
    if generation != session.generation - 1:
        return False
    # A clock that is put back must not prolong it; one of another server may be a little behind.
    in_grace = abs(now - session.rotated_at) <= conf.REFRESH_GRACE
    return in_grace or session.generation_used < session.generation
