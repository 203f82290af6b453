"""Remembers with which session at the provider a login by allauth began."""

from typing import Any

from django.dispatch import receiver

from devices.conf import conf
from devices.models import DeviceSession
from devices.signals import session_started

from . import people
from .sessions import remember


@receiver(session_started, dispatch_uid="devices.providers.session_started")
def session_began(session: DeviceSession, **kwargs: Any) -> None:
    """Remember the provider's session, if allauth knows it."""
    if session.login_method in conf.PROVIDERS:
        said = people.id_token_of(session.user_id, session.login_method)
        if isinstance(sid := said.get("sid"), str) and sid:
            remember(session, sid)
