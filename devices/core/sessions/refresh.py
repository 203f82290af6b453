"""How a refresh token is exchanged for the next one: checked, compared and swapped on the row, or refused."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import DateTimeField, PositiveIntegerField
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import database
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.security_log import Event, log_on_commit
from devices.core.notifications import outbox
from devices.core.risk import assessment
from devices.core.statements import Parameter, Update
from devices.core.tokens import Claims
from devices.exceptions import (
    BindingRequired,
    RefreshReused,
    SessionRevoked,
    TokenNotValid,
)
from devices.models import Binding, DeviceSession, NotificationKind, RevokeReason, RiskLevel

from .authentication import find_valid_session, get_valid_session
from .binding import refuse_copy
from .policy import idle_limit
from .revocation import after_revoke, assign, logout, revocation_values, revoke, unrevoked


def rotate(
    claims: Claims,
    client: Client,
    *,
    is_shared: bool = False,
    check_cookie: Callable[[DeviceSession], None] | None = None,
) -> DeviceSession:
    """Exchange a refresh token for its successor: the session, at the successor's generation.

    Repeating it gives the same successor while the rotation is at most REFRESH_GRACE ago, or the successor
    was never used, because the response may have been lost. Later, or from another country or type of
    device, it is a replay and the session ends (RFC 9700 §4.14.2). Without ROTATE_REFRESH_TOKENS a token is
    its own successor, with the same expiry, and a copy cannot be distinguished from the original.

    A token ahead of its row was signed before a failover or a restore that lost the update: the row catches
    up with the client. From another country or type of device: TokenNotValid.

    `is_shared` says that several tabs share the token in a cookie. Then it rotates at most once per
    REFRESH_GRACE. Otherwise, when many tabs start at once, the slowest would send a token from two rotations
    ago, which looks like a replay.

    `check_cookie` asks for the bound cookie of a session that is bound by DBSC, and raises BindingRequired.
    Without this function, the refresh token of such a session is refused.

    Raises RefreshReused, TokenNotValid, SessionRevoked, SessionExpired, BindingRequired or DPoPError.
    """
    session = get_valid_session(claims, lambda: client, may_be_ahead=True)
    if session.binding == Binding.DBSC:
        # Before its generation is checked, so that a copy does not end the session.
        _demand_cookie(session, client, check_cookie)
    now = timezone.now()
    while claims.generation >= session.generation:
        is_ahead = claims.generation > session.generation
        if is_ahead and assessment.is_elsewhere(session, client):
            raise TokenNotValid
        is_early = is_shared and not is_ahead and _is_in_grace(session, now)
        if is_early and not assessment.is_elsewhere(session, client):
            log_on_commit(Event.REFRESH_REPEATED, session, client)
            return session
        if _advance(session, claims.generation, client, now):
            if session.revoked_at is not None:
                raise SessionRevoked
            log_on_commit(Event.REFRESH_SUCCEEDED, session, client)
            return session
        # Another request was faster. If it had the same token, its successor is ours, too.
        session = find_valid_session(claims, lambda: client, may_be_ahead=True)
    if _may_repeat(session, claims.generation, now) and not assessment.is_elsewhere(
        session, client
    ):
        log_on_commit(Event.REFRESH_REPEATED, session, client)
        return session
    _end_as_reused(session, claims, client, now)
    raise RefreshReused


def logout_by_refresh_token(claims: Claims, client: Client) -> None:
    """End a session by its refresh token (RFC 7009).

    A used token is a copy, as in `rotate`: the session ends as reused, and its owner is told. A session that
    is bound to a key needs no proof here: ending it gains an attacker nothing, and a user who has lost the
    key, or finds a token, can still end it.
    Raises TokenNotValid, SessionRevoked or SessionExpired.
    """
    session = find_valid_session(claims, lambda: client, may_be_ahead=True)
    now = timezone.now()
    if claims.generation >= session.generation or _may_repeat(session, claims.generation, now):
        logout(session)
    else:
        _end_as_reused(session, claims, client, now)


def _demand_cookie(
    session: DeviceSession, client: Client, check: Callable[[DeviceSession], None] | None
) -> None:
    if check is not None:
        check(session)
    elif conf.DBSC:
        refuse_copy(session, client, "missing")
        raise BindingRequired


def _end_as_reused(session: DeviceSession, claims: Claims, client: Client, now: datetime) -> None:
    with database.atomic():
        if revoke(session, reason=RevokeReason.REUSE):
            data = {"generation": claims.generation, "current": session.generation}
            activity.record(session, "refresh.reused", data, ip_address=client.ip_address)
            if not session.is_impersonated:
                facts = assessment.facts_of(session, now, client)
                outbox.write(session.user_id, NotificationKind.REFRESH_REUSED, facts, session.pk)
            database.announce(signals.refresh_reused, session=session)
            log_on_commit(Event.REFRESH_REUSED, session, client)


def _advance(session: DeviceSession, generation: int, client: Client, now: datetime) -> bool:
    """Move past this generation, unless somebody was faster: compare and swap on the row.

    It is the row's, or ahead of it, which is logged. A refresh from another place or type of device is
    assessed, and may end the session.
    """
    moved: dict[str, Any] = {"last_active": now, "last_ip": client.ip_address}
    if conf.ROTATES:
        moved |= {
            "generation": generation + 1,
            "generation_used": generation,
            "rotated_at": now,
            "expires_at": min(now + idle_limit(session), session.absolute_expires_at),
        }
    elif generation > session.generation:
        moved |= {"generation": generation, "generation_used": generation}
    lost = {"generation": generation, "current": session.generation}
    is_ahead = generation > session.generation
    use = assessment.judge_use(session, client)
    revocation: dict[str, Any] = {}
    if use is not None:
        moved |= assessment.values_of(session, use, now)
        if use.judged.level == RiskLevel.CRITICAL:
            revocation = revocation_values(RevokeReason.RISK, None)
    if use is None and not is_ahead:
        found = {
            "pk": session.pk,
            "user_id": session.user_id,
            "read": session.generation,
            "now": now,
        }
        if not _move(database.alias(), *moved).run(moved | found):
            return False
        assign([session], moved)
        return True
    unmoved = unrevoked(session).filter(generation=session.generation, expires_at__gt=now)
    with database.atomic():
        if not unmoved.update(**moved, **revocation):
            return False
        assign([session], moved)
        invalidation.publish([session.user_id])
        entries = [] if use is None else assessment.of_refresh(session, use, client, now)
        if is_ahead:
            entries.append(Entry(session, "refresh.recovered", lost, client.ip_address))
            log_on_commit(Event.REFRESH_RECOVERED, session, client)
        if revocation:
            entries += after_revoke([session], revocation, "")
        activity.record_all(entries)
    return True


@cache
def _move(using: str, *columns: str) -> Update:
    """The statement that gives these columns of a session other values, unless it has moved on or ended."""
    fields: Any = DeviceSession._meta
    rows = DeviceSession.objects.filter(
        pk=Parameter("pk", fields.pk),
        user_id=Parameter("user_id", fields.get_field("user")),
        revoked_at__isnull=True,
        generation=Parameter("read", PositiveIntegerField()),
        expires_at__gt=Parameter("now", DateTimeField()),
    )
    moved = {name: Parameter(name, fields.get_field(name)) for name in columns}
    return Update(rows, using, **moved)


def _may_repeat(session: DeviceSession, generation: int, now: datetime) -> bool:
    """Whether this is the last rotation asked for again by a client that may have lost the answer."""
    if generation != session.generation - 1:
        return False
    in_grace = _is_in_grace(session, now)
    return in_grace or session.generation_used < session.generation


def _is_in_grace(session: DeviceSession, now: datetime) -> bool:
    # A clock that is set back must not prolong it; another server's clock may be slightly behind.
    return abs(now - session.rotated_at) <= conf.REFRESH_GRACE
