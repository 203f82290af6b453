"""Proving again who one is, before a step that a stolen token must not take (RFC 9470)."""

from datetime import datetime, timedelta

from django.utils import timezone

from devices.conf import conf
from devices.exceptions import OtpRequired
from devices.models import DeviceSession

from . import sessions
from .caller.client import Client
from .proof import attempts, second_factor


def is_fresh(session: DeviceSession, max_age: timedelta | None) -> bool:
    """Whether the person proved who they are at most this long ago; with the second factor, if they have one.

    Whoever has is asked last, since that is a query. None: it never gets too old. The proof of a login that
    was strange does not count: it takes another, or the owner's word.
    """
    if session.doubted_at is not None:
        return False
    if max_age is None:
        return True
    since = timezone.now() - max_age
    if session.mfa_at is not None and session.mfa_at >= since:
        return True
    return session.authenticated_at >= since and not second_factor.required_of(session.user)


def confirm_by_password(session: DeviceSession, password: str, client: Client) -> bool:
    """Take a password as a new proof; False if it is wrong.

    It counts as an attempt at the account. Raises OtpRequired where a password is not enough,
    TooManyAttempts, or SessionRevoked if the session has ended meanwhile.
    """
    user = session.user
    if second_factor.required_of(user):
        raise OtpRequired
    attempt = attempts.begin(user.get_username(), client)
    if not user.check_password(password):
        attempt.failed()
        return False
    attempt.succeeded()
    sessions.confirm(session, client, method="password")
    return True


def confirm_by_code(session: DeviceSession, code: str, client: Client) -> None:
    """Take a code of the second factor as a new proof.

    Raises OtpInvalid, TooManyAttempts, or SessionRevoked if the session has ended meanwhile.
    """
    factor = second_factor.prove(session.user, code, client)
    sessions.confirm(session, client, method=factor, mfa=True)


def fresh_until(session: DeviceSession) -> datetime:
    """Until when no step needs another proof."""
    if conf.STEP_UP_MAX_AGE is None:
        return session.expires_at
    return session.authenticated_at + conf.STEP_UP_MAX_AGE
