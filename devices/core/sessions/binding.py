"""How a session is bound to a key of its device, and what becomes of it when that is not shown, or lost."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from devices.core import database
from devices.core.binding.keys import Key
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.log import activity
from devices.core.log.security_log import Event, log_on_commit
from devices.core.notifications import outbox
from devices.core.risk import assessment
from devices.exceptions import SessionRevoked
from devices.models import Binding, DeviceSession, NotificationKind

from .revocation import assign, unrevoked

# An attacker with a copy can repeat requests; the owner gets one e-mail in this time.
TOLD_AGAIN_AFTER: Final = timedelta(days=1)


def bind(session: DeviceSession, binding: Binding, key: Key, *, at: datetime | None = None) -> bool:
    """Bind a session to a key whose holder has just proved to hold it. False if it has been bound before.

    `at` is when, for sessions whose cookie is renewed from then on. Raises SessionRevoked if it has ended.
    """
    bound: dict[str, Any] = {
        "binding": binding,
        "binding_key": key.thumbprint,
        "binding_jwk": dict(key.jwk),
    }
    if at is not None:
        bound["binding_proved_at"] = at
    with database.atomic():
        if not unrevoked(session).filter(binding=Binding.NONE).update(**bound):
            if not unrevoked(session).exists():
                raise SessionRevoked
            return False
        assign([session], bound)
        invalidation.publish([session.user_id])
    return True


def refuse_copy(session: DeviceSession, client: Client, reason: str, *, tell: bool = True) -> None:
    """Log that a bound session was used without its key, and e-mail its owner, once a day.

    `reason` is a short code. The session continues, because its owner has the key. Without `tell`, only the
    security log has it.
    """
    with database.atomic():
        now = timezone.now()
        log_on_commit(Event.BINDING_FAILED, session, client, binding=session.binding, reason=reason)
        if not tell:
            return
        untold = Q(binding_failed_at=None) | Q(binding_failed_at__lte=now - TOLD_AGAIN_AFTER)
        if not unrevoked(session).filter(untold).update(binding_failed_at=now):
            return
        data = {"binding": session.binding, "reason": reason}
        activity.record(session, "binding.failed", data, ip_address=client.ip_address)
        _tell(session, NotificationKind.BINDING_FAILED, client)


def refuse_proof(session: DeviceSession, client: Client, reason: str) -> None:
    """Log that the holder of a session's key sent an invalid proof.

    The cause is a wrong clock, a repeated request or a faulty client, so no e-mail is sent.
    """
    log_on_commit(Event.BINDING_FAILED, session, client, binding=session.binding, reason=reason)


def unbind(session: DeviceSession, client: Client, reason: str) -> bool:
    """Unbind a session whose device has lost its key, and tell its owner.

    False if it was not bound, or has ended.
    """
    unbound: dict[str, Any] = {"binding": Binding.NONE, "binding_key": "", "binding_jwk": None}
    with database.atomic():
        now_bound = Q(binding=session.binding, binding_key=session.binding_key)
        if not (session.is_bound and unrevoked(session).filter(now_bound).update(**unbound)):
            return False
        data = {"binding": session.binding, "reason": reason}
        log_on_commit(Event.BINDING_LOST, session, client, **data)
        assign([session], unbound)
        invalidation.publish([session.user_id])
        activity.record(session, "binding.lost", data, ip_address=client.ip_address)
        _tell(session, NotificationKind.BINDING_LOST, client)
    return True


def _tell(session: DeviceSession, kind: NotificationKind, client: Client) -> None:
    if not session.is_impersonated:
        facts = assessment.facts_of(session, timezone.now(), client)
        outbox.write(session.user_id, kind, facts, session.pk)
