"""What is said once it is committed, and not if it never is: to the security log, and to strangers."""

from typing import Any

from django.dispatch import Signal

from devices.core import database
from devices.core.caller.client import Client
from devices.models import DeviceSession

from . import audit
from .audit import Event


def log(event: Event, session: DeviceSession, client: Client | None, **details: str) -> None:
    database.on_commit(
        lambda: audit.log(
            event, user_id=session.user_id, session_id=session.pk, client=client, **details
        )
    )


def announce(signal: Signal, **arguments: Any) -> None:
    database.on_commit(lambda: signal.send_robust(sender=DeviceSession, **arguments))
