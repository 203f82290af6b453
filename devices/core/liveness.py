"""Is this session alive? Asked on every request."""

from datetime import datetime

from django.core.exceptions import ValidationError

from devices.exceptions import SessionExpired, SessionRevoked, TokenNotValid
from devices.models import DEACTIVATED, DeviceSession, RevokeReason, auth_stamp

from .tokens import Claims


def load(claims: Claims) -> DeviceSession:
    """The session of these claims with its user, in one query. Raises TokenNotValid."""
    try:
        session = DeviceSession.objects.select_related("user").get(
            pk=claims.session_id, user_id=claims.user_id
        )
    except (DeviceSession.DoesNotExist, ValidationError, ValueError, OverflowError) as error:
        raise TokenNotValid from error
    # A token ahead of its row is one of a time that a restored database knows nothing of.
    if claims.generation > session.generation:
        raise TokenNotValid
    return session


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
