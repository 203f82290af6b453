"""Remembers with which session at its provider a session began."""

from devices.core import sessions
from devices.models import DeviceSession

from .people import digest_of


def remember(session: DeviceSession, sid: str) -> None:
    """Have a session end with this session at the provider, and not with others of the same user there.

    Logins by allauth do it by themselves.

    Args:
        session: the session that has begun.
        sid: the claim `sid` of the provider's ID token.
    """
    sessions.remember_provider(session, digest_of(sid))
