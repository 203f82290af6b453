"""Remembers with which session at its provider a session began. Needs the app in INSTALLED_APPS."""

from devices.models import DeviceSession

from .models import ProviderSession
from .people import digest_of


def remember(session: DeviceSession, sid: str) -> None:
    """Have a session end with this session at the provider, and not with others of the same user there.

    Logins by allauth do it by themselves.

    Args:
        session: the session that has begun.
        sid: the claim `sid` of the provider's ID token.
    """
    ProviderSession.objects.update_or_create(session=session, defaults={"digest": digest_of(sid)})
