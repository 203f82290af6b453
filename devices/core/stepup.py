"""Proving again who one is, before a step that a stolen token must not take (RFC 9470)."""

from datetime import datetime, timedelta

from django.utils import timezone

from devices.conf import conf
from devices.models import DeviceSession

from . import attempts, sessions
from .client import Client


def is_fresh(session: DeviceSession, max_age: timedelta) -> bool:
    """Whether the person proved who they are at most this long ago."""
    return timezone.now() - session.authenticated_at <= max_age


def confirm(session: DeviceSession, password: str, client: Client) -> bool:
    """Take a password as a new proof; False if it is wrong.

    It counts as an attempt at the account. Raises TooManyAttempts, or SessionRevoked if the session has
    ended meanwhile.
    """
    user = session.user
    attempt = attempts.begin(user.get_username(), client)
    if not user.check_password(password):
        attempt.failed()
        return False
    attempt.succeeded()
    sessions.confirm(session, client)
    return True


def fresh_until(session: DeviceSession) -> datetime:
    """Until when no step needs another proof."""
    if conf.STEP_UP_MAX_AGE is None:
        return session.expires_at
    return session.authenticated_at + conf.STEP_UP_MAX_AGE
