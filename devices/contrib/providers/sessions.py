"""Remembers with which session at its provider a session began."""

import hashlib

from devices.core import sessions
from devices.models import DeviceSession


def remember(session: DeviceSession, sid: str) -> None:
    """Have a session end with this session at the provider, and not with others of the same user there.

    Logins by allauth do it by themselves.

    Args:
        session: the session that has begun.
        sid: the claim `sid` of the provider's ID token.
    """
    sessions.remember_provider(session, digest_of(sid))


def digest_of(sid: str) -> str:
    """By what a session at a provider is remembered: its `sid` may have hundreds of characters."""
    return hashlib.sha256(sid.encode(errors="replace")).hexdigest()
