"""Ends the sessions that a provider names. Events need not be stored.

An event ends sessions that its provider began, and that are older than the event itself. So one that comes
again finds nothing to end, whenever that is.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from devices.conf import conf
from devices.core import sessions
from devices.models import DeviceSession, RevokeReason

from .sessions import digest_of
from .trust import LEEWAY, Provider, Refused, subject_of

logger = logging.getLogger("devices")

_SCHEMAS: Final = "https://schemas.openid.net/secevent/"
# What ends sessions: of CAEP 1.0, of RISC 1.0, and of Google's RISC.
ENDING: Final = (
    f"{_SCHEMAS}caep/event-type/session-revoked",
    f"{_SCHEMAS}risc/event-type/sessions-revoked",
    f"{_SCHEMAS}risc/event-type/account-disabled",
    f"{_SCHEMAS}risc/event-type/account-purged",
    f"{_SCHEMAS}risc/event-type/credential-compromise",
    f"{_SCHEMAS}oauth/event-type/tokens-revoked",
)
# By the format of a subject: which of its members names whom.
_NAMES: Final = {"iss_sub": ("sub", "sub"), "email": ("email", "email"), "opaque": ("id", "sid")}
BATCH: Final = 500


def by_events(provider: Provider, claims: Mapping[str, Any]) -> int:
    """End what a SET names; how many sessions these were. Other events end none. Raises Refused."""
    told = claims.get("events")
    if not isinstance(told, Mapping) or not told:
        raise Refused("invalid_request", "There is no event.")
    ended = 0
    for name, event in told.items():
        if not isinstance(event, Mapping):
            raise Refused("invalid_request", "An event is no object.")
        if name in ENDING:
            ended += _end(provider, _who(subject_of(claims, event)), claims["iat"])
        else:
            logger.info("%s tells of %.200r", provider.name, name)
    return ended


def by_logout(provider: Provider, claims: Mapping[str, Any]) -> int:
    """End what a logout token names, by person or by the provider's own session."""
    who = {name: claims[name] for name in ("sub", "sid") if isinstance(claims.get(name), str)}
    return _end(provider, who, claims["iat"])


def _who(subject: Mapping[str, Any]) -> dict[str, str]:
    """By what a subject names a person: `sub`, `email` or `sid`. A device or tenant alone names nobody."""
    # "iss-sub" and `subject_type` are Google's, from before RFC 9493.
    kind = str(subject.get("format") or subject.get("subject_type") or "").replace("-", "_")
    if name := _NAMES.get(kind):
        value = subject.get(name[0])
        return {name[1]: value} if isinstance(value, str) and value else {}
    # Complex, also where the word is left out. The person first: their session may not be known here.
    for part in (subject.get("user"), subject.get("session")):
        is_simple = isinstance(part, Mapping) and not {"user", "session"} & part.keys()
        if isinstance(part, Mapping) and is_simple and (who := _who(part)):
            return who
    return {}


def _end(provider: Provider, who: Mapping[str, str], issued_at: int) -> int:
    issued = datetime.fromtimestamp(issued_at, UTC)
    find = conf.PROVIDER_PEOPLE
    people: Iterable[Any] = find(provider.name, who) if who and find is not None else ()
    # `iat` has no fractions, and the login is stored a moment after the provider accepted the user.
    meant = Q(user_id__in=list(people), created_at__lt=issued + timedelta(seconds=1))
    if "sid" in who:
        # The others of the same person go on (§2.4). A `sid` is of one login there, so the clocks may differ.
        named = Q(provider_sid=digest_of(who["sid"]), created_at__lt=issued + LEEWAY)
        meant = named | meant & Q(provider_sid="")
    begun = DeviceSession.objects.active().filter(meant, login_method=provider.name)
    ended = 0
    while batch := list(begun.select_related("user").order_by("pk")[:BATCH]):
        done = sessions.revoke_batch(batch, reason=RevokeReason.PROVIDER)
        ended += len(done)
        if not done:
            break
    return ended
