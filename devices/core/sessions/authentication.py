"""How a request is matched with its session: by an access token, or by a cookie; and what is noted of it."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Q
from django.db.models.functions import Greatest
from django.utils import timezone

from devices.conf import conf
from devices.core import database, tokens
from devices.core.binding import dpop
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.log import activity, security_log
from devices.core.log.security_log import Event
from devices.core.risk import assessment
from devices.core.risk.assessment import Use
from devices.core.statements import AsynchronousUpdate, Parameter, Update
from devices.core.tokens import Claims
from devices.exceptions import (
    AccountNotActive,
    DPoPError,
    DPoPNonceRequired,
    SessionError,
    SessionRevoked,
    TokenNotValid,
)
from devices.models import Binding, DeviceSession, RevokeReason, RiskLevel

from . import validation
from .binding import refuse_copy, refuse_proof
from .policy import idle_limit
from .revocation import after_revoke, assign, revocation_values, revoke, unrevoked


def get_valid_session(
    claims: Claims,
    get_client: Callable[[], Client],
    token: str | bytes | None = None,
    *,
    may_be_ahead: bool = False,
) -> DeviceSession:
    """The session of these claims, with its user, after its key was checked: see `demand_key`.

    Every use of a session calls this: a token, a cookie, a refresh. `get_client` is called only if there is
    something to store. Raises TokenNotValid, SessionRevoked, SessionExpired or DPoPError.
    """
    session = find_valid_session(claims, get_client, may_be_ahead=may_be_ahead)
    demand_key(session, token, get_client)
    return session


def find_valid_session(
    claims: Claims, get_client: Callable[[], Client], *, may_be_ahead: bool = False
) -> DeviceSession:
    """As `get_valid_session`, without asking for the key that the session is bound to: to end it."""
    session = validation.load(claims, may_be_ahead=may_be_ahead)
    try:
        end_if_outlived(session)
    except SessionError as error:
        security_log.log(
            Event.SESSION_USED_AFTER_END,
            user_id=session.user_id,
            session_id=session.pk,
            client=get_client(),
            code=error.code,
        )
        raise
    if not validation.is_admitted(session):
        raise AccountNotActive
    return session


def end_if_outlived(session: DeviceSession) -> None:
    """Check a row that has just been read. Raises SessionRevoked or SessionExpired if the session has ended.

    That its account ended it is written down, so that it stays ended whatever becomes of the account; by us
    or by another request that saw the same.
    """
    now = timezone.now()
    validation.check(session, now)
    reason = validation.ended_by_account(session)
    if reason is None and validation.has_lost_origin(session, now):
        reason = RevokeReason.IMPERSONATION
    if reason is not None:
        revoke(session, reason=reason)
        raise SessionRevoked


def authenticate(token: bytes, get_client: Callable[[], Client]) -> DeviceSession:
    """The valid session of an access token, as `authenticate_claims` has it, or from the cache (LIVENESS).

    The client is asked for only where there is something to write.
    """
    if conf.LIVENESS != "cached":
        return _resume(tokens.recall_access(token), get_client, token)
    key = validation.key(token)
    session = validation.get_cached(key)
    if session is not None:
        demand_key(session, token, get_client)
        return session
    claims, ticket = tokens.recall_access(token), validation.read_mark()
    session = _resume(claims, get_client, token)
    validation.put_cached(key, claims, session, ticket)
    return session


def authenticate_claims(claims: Claims, client: Client, token: str | bytes = b"") -> DeviceSession:
    """The active session behind an access token, as `get_valid_session` has it; notes that it was active.

    One that is bound to a key is refused without the token itself, which the proof of the key names.
    """
    return _resume(claims, lambda: client, token)


def _resume(claims: Claims, get_client: Callable[[], Client], token: str | bytes) -> DeviceSession:
    session = get_valid_session(claims, get_client, token)
    now = timezone.now()
    is_due = session.last_active <= now - conf.TOUCH_INTERVAL
    if is_due or claims.generation > session.generation_used:
        _touch(session, claims.generation, get_client(), now)
    return session


def authenticate_cookie(
    user_id: Any, session_id: Any, get_client: Callable[[], Client]
) -> DeviceSession:
    """The active session that a cookie names, as `get_valid_session` has it. Notes nothing."""
    try:
        claims = Claims(str(user_id), uuid.UUID(str(session_id)), 0)
    except ValueError as error:
        raise TokenNotValid from error
    # Its key is asked for, too, where a cookie session stands in for the tokens of an app.
    return get_valid_session(claims, get_client)


def record_use(
    session: DeviceSession, get_client: Callable[[], Client]
) -> tuple[DeviceSession, bool]:
    """Note that a session that `authenticate_cookie` found is active; it, and whether its idle limit moved.

    Each use counts against the idle limit, since a cookie is not refreshed; it is written when a twentieth of
    it has gone by, being in an index. Raises SessionRevoked if the session ends by how it is used.
    """
    now = timezone.now()
    client = get_client()
    # At each use: while the owner is active, a thief would be missed for a minute otherwise.
    use = assessment.judge_use(session, client)
    if use is not None and use.is_doubtful:
        _doubt(session, use, client, now)
    if session.last_active > now - conf.TOUCH_INTERVAL:
        return session, False
    idle = idle_limit(session)
    until = min(now + idle, session.absolute_expires_at)
    is_due = until - session.expires_at > idle / 20
    _touch(session, 0, client, now, until=until if is_due else None)
    return session, is_due


def demand_key(
    session: DeviceSession, token: str | bytes | None, get_client: Callable[[], Client]
) -> None:
    """Check that the client holds the key of the session, if that is bound by DPoP.

    `token` is the access token that was sent, None for a refresh token or a cookie. Raises DPoPError; the
    owner is told if somebody has a copy.
    """
    if session.binding != Binding.DPOP:
        return
    client = get_client()
    try:
        dpop.prove(client.presentation, session.binding_key, token)
    except DPoPNonceRequired:
        raise
    except DPoPError as error:
        note = refuse_proof if error.by_holder else refuse_copy
        note(session, client, error.reason)
        raise


def _touch(
    session: DeviceSession,
    generation: int,
    client: Client,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Note activity, at most once per TOUCH_INTERVAL, and that this generation has reached its client.

    `until` is the new idle limit, if it moves. Within a transaction the row is written after its commit:
    until then, nobody could end the session.
    """
    touched: dict[str, Any] = {"last_active": now}
    if client.ip_address is not None:
        touched["last_ip"] = client.ip_address
    if until is not None:
        touched["expires_at"] = until
    use = assessment.judge_use(session, client, is_noted=True)
    if use is not None:
        touched["unusual_uses"] = use.found
    # How replayed tokens are told must not be lost. Who was active when may be, for half a second.
    is_lasting = use is not None or generation > session.generation_used
    statement = _touching(database.alias(), tuple(touched), is_lasting or conf.CITUS)
    given = (
        touched
        | {"pk": session.pk, "user_id": session.user_id, "generation": generation}
        | {"due": now - conf.TOUCH_INTERVAL}
    )

    def write() -> None:
        is_first = statement.run(given)
        if use is not None and is_first:
            assessment.note_use(session, use, client)

    database.after_commit(write)
    assign([session], touched | {"generation_used": max(session.generation_used, generation)})


@cache
def _touching(using: str, names: Sequence[str], is_lasting: bool) -> Update:
    """The statement of `_touch` that writes these fields."""
    fields: Any = DeviceSession._meta
    values = {name: Parameter(name, fields.get_field(name)) for name in names}
    generation = Parameter("generation", fields.get_field("generation_used"))
    due = Q(last_active__lte=Parameter("due", fields.get_field("last_active")))
    rows = DeviceSession.objects.filter(
        due | Q(generation_used__lt=generation),
        pk=Parameter("pk", fields.pk),
        user_id=Parameter("user_id", fields.get_field("user_id")),
        revoked_at__isnull=True,
    )
    kind = Update if is_lasting else AsynchronousUpdate
    return kind(rows, using, **values, generation_used=Greatest("generation_used", generation))


def _doubt(session: DeviceSession, use: Use, client: Client, now: datetime) -> None:
    """Doubt a session whose cookie came from elsewhere, and tell its owner. Raises SessionRevoked if it ends.

    Once for each kind of device and country.
    """
    values = assessment.values_of(session, use, now)
    is_over = use.judged.level == RiskLevel.CRITICAL
    revocation = revocation_values(RevokeReason.RISK, None) if is_over else {}
    with database.atomic():
        unchanged = Q(unusual_uses=session.unusual_uses)
        if not unrevoked(session).filter(unchanged).update(**values, **revocation):
            return
        assign([session], values)
        invalidation.publish([session.user_id])
        entries = assessment.of_cookie(session, use, client, now)
        if revocation:
            entries += after_revoke([session], revocation, "")
        activity.record_all(entries)
    if revocation:
        raise SessionRevoked
