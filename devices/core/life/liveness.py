"""Is this session alive? Asked on every request: of the database, or of what this process remembers."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from rest_framework_simplejwt import settings as jwt
from rest_framework_simplejwt.authentication import default_user_authentication_rule

from devices.conf import conf
from devices.core import database
from devices.exceptions import SessionError, SessionExpired, SessionRevoked, TokenNotValid
from devices.models import DEACTIVATED, DeviceSession, RevokeReason, auth_stamp

from . import bus, lookup
from .memory import Ticket, memory
from .tokens import Claims


def load(claims: Claims) -> DeviceSession:
    """The session of these claims with its user, in one query. Raises TokenNotValid."""
    try:
        session = lookup.find(claims.session_id, claims.user_id)
    except (ValidationError, ValueError, OverflowError) as error:
        raise TokenNotValid from error
    # A token ahead of its row is one of a time that a restored database knows nothing of.
    if session is None or claims.generation > session.generation:
        raise TokenNotValid
    return session


def origin(session: DeviceSession) -> DeviceSession:
    """The session of whoever acts in one on the user's behalf. Raises TokenNotValid if it is gone."""
    if session.impersonator_session_id is None:
        raise TokenNotValid
    return load(Claims(str(session.impersonator_id), session.impersonator_session_id, 0))


def has_lost_origin(session: DeviceSession, now: datetime) -> bool:
    """Whether this is a session on the user's behalf, and whoever began it is not signed in any more."""
    if not session.is_impersonated:
        return False
    try:
        by = origin(session)
        check(by, now)
    except SessionError:
        return True
    return ended_by_account(by) is not None


def check(session: DeviceSession, now: datetime) -> None:
    """Raises SessionRevoked or SessionExpired if the row says that it has ended."""
    if session.revoked_at is not None:
        raise SessionRevoked
    if session.expires_at <= now:
        raise SessionExpired


def ended_by_account(session: DeviceSession) -> RevokeReason | None:
    """What happened to the account since the login that a session cannot outlive, if anything."""
    if not session.user.is_active or session.auth_stamp == DEACTIVATED:
        return RevokeReason.DEACTIVATED
    if session.auth_stamp != auth_stamp(session.user.password):
        return RevokeReason.PASSWORD_CHANGED
    return None


def is_admitted(session: DeviceSession) -> bool:
    """Whether SimpleJWT's USER_AUTHENTICATION_RULE admits the user. Its default rule is asked anyway."""
    rule = conf.AUTHENTICATION_RULE
    return rule is default_user_authentication_rule or bool(rule(session.user))


def recall(token: bytes) -> DeviceSession | None:
    """The session that is remembered to live behind an access token, and is not due for a touch."""
    bus.listen()
    session = memory.get(_key(token))
    return None if session is None else lookup.twin(session)


def ticket() -> Ticket:
    """To be drawn before a session is read that shall be remembered."""
    return memory.ticket()


def remember(token: bytes, claims: Claims, session: DeviceSession, ticket: Ticket) -> None:
    """Remember a session that was found alive after the ticket was drawn."""
    if transaction.get_connection(session._state.db).in_atomic_block:
        # The transaction may see a past in which it was still alive.
        return
    if session.is_impersonated:
        # Nobody would say that the session has ended which it depends on.
        return
    if not bus.hears(session._state.db):
        return
    due = session.last_active + conf.TOUCH_INTERVAL
    valid_until = min(claims.expires, session.expires_at.timestamp(), due.timestamp())
    memory.put(_key(token), lookup.twin(session), ticket, valid_until)


def _key(token: bytes) -> Hashable:
    """All that decides about a token: the settings it is read by, the place its session is in, and itself."""
    return jwt.api_settings, *database.place(), token


def forget(user_ids: Iterable[Any]) -> None:
    """Once this is committed, no process goes by what it remembers of these users and their sessions."""
    bus.publish(user_ids)


def status() -> dict[str, Any]:
    """What this process has to say about itself. No secrets."""
    if conf.LIVENESS != "cached":
        return {"mode": conf.LIVENESS}
    return {
        "mode": "cached",
        "bus": "alive" if memory.is_trusted else bus.error() or "off",
        "size": len(memory),
        "hits": memory.hits,
        "misses": memory.misses,
    }
