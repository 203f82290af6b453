"""Sessions that are bound to a key of the browser (DBSC): bound once, proved again every few minutes."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.utils import timezone

from devices.core.binding import dbsc
from devices.core.binding.keys import Key
from devices.core.binding.proofs import InvalidProof
from devices.core.clients.client import Client
from devices.core.tokens import Claims
from devices.exceptions import BindingRequired, TokenNotValid
from devices.models import Binding, DeviceSession

from . import validation
from .authentication import find_valid_session
from .binding import bind
from .revocation import assign, unrevoked

# So long after it was bound, requests come that the browser sent before it had the bound cookie.
JUST_BOUND: Final = timedelta(seconds=30)


def find_bound(session_id: uuid.UUID, client: Client) -> DeviceSession:
    """The active session of a browser that proves its key. Raises SessionError."""
    known = DeviceSession.objects.filter(pk=session_id).values_list("user_id", flat=True).first()
    if known is None:
        raise TokenNotValid
    return find_valid_session(Claims(str(known), session_id, 0), lambda: client)


def register(session_id: uuid.UUID, key: Key, client: Client) -> DeviceSession:
    """Bind a session to the key of its browser, which has just been proved.

    A browser that lost the answer may ask again for JUST_BOUND, with the same key. Raises BindingRequired if
    the session is bound otherwise, and SessionError if it has ended.
    """
    session = find_bound(session_id, client)
    if not bind(session, Binding.DBSC, key, at=timezone.now()):
        session = find_bound(session_id, client)
        if session.binding_key != key.thumbprint or not is_just_bound(session):
            raise BindingRequired
    return session


def renew(session: DeviceSession) -> bool:
    """Use up the challenge that a browser has answered. False if it was used up before, or the session ended.

    Compare and swap on the row, as with refresh tokens, and beside them: of two answers to one challenge, one
    counts.
    """
    now = timezone.now()
    moved = {"binding_proofs": session.binding_proofs + 1, "binding_proved_at": now}
    unmoved = unrevoked(session).filter(
        binding=Binding.DBSC, binding_proofs=session.binding_proofs, expires_at__gt=now
    )
    if not unmoved.update(**moved):
        return False
    assign([session], moved)
    return True


def check_bound(
    session: DeviceSession, cookies: Mapping[str, str], max_age: timedelta
) -> DeviceSession | None:
    """Check the bound cookie of a session, if it is to have one among these.

    An impersonation needs that of the session it began in, because the browser has one key.
    Returns the session that the cookie should have been for, and None if nothing is missing.
    """
    holder = validation.origin(session) if session.is_impersonated else session
    if holder.binding != Binding.DBSC:
        return None
    try:
        dbsc.check_cookie(cookies.get(dbsc.cookie_name(holder.pk), ""), holder, max_age)
    except InvalidProof:
        return None if is_just_bound(holder) else holder
    return None


def is_just_bound(session: DeviceSession) -> bool:
    """Whether its browser may not have the bound cookie yet."""
    bound_at = session.binding_proved_at
    if session.binding_proofs or bound_at is None:
        return False
    return abs(timezone.now() - bound_at) <= JUST_BOUND
