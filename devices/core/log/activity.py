"""The log of what happened in a session. The only writer of Activity."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.clients.operators import asn_of
from devices.core.statements import Insert
from devices.lookups import shortened
from devices.models import Activity, DeviceSession

# A dotted name: of what, and what happened to it.
KIND: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
KIND_LENGTH: Final = 64
# As JSON. An entry says what happened; it does not store files.
DATA_LENGTH: Final = 8192
# Lines that go into one compiled statement; Django makes batches of more.
FEW: Final = 20


# In our own entries: notes for staff only.
STAFF_ONLY: Final = frozenset({"note", "incident"})


class Entry(NamedTuple):
    """An entry that is to be written."""

    session: DeviceSession
    kind: str
    data: dict[str, Any]
    ip_address: str | None = None
    # The key of the user who did it; it is in the data, too.
    by: Any = None


# Apps that are installed beside this one and tell others of it (devices.contrib.ssf). Called in the caller's
# transaction.
observers: Final[list[Callable[[Sequence[Entry]], None]]] = []


def record(
    session: DeviceSession,
    kind: str,
    data: dict[str, Any] | None = None,
    *,
    ip_address: str | None = None,
    by: AbstractBaseUser | None = None,
) -> None:
    """Write one line into the log of a session, in the caller's transaction.

    `kind` is a dotted name of at most 64 characters ("report.exported"), `data` a dictionary that JSON holds,
    of at most 8192 characters as such; its owner reads it. `by` is who did it, if somebody is to be named.
    Raises ValueError for anything else, before the database is asked, so that no transaction breaks of it.
    """
    data = {} if data is None else data
    _check(kind, data, ip_address)
    record_all([Entry(session, kind, data, ip_address, by.pk if by else None)])


def record_all(entries: Iterable[Entry]) -> None:
    """Write several lines in one statement."""
    entries, now = list(entries), timezone.now()
    tell(entries)
    lines = []
    for session, kind, data, ip_address, by in entries:
        if by is not None:
            data = data | {"by": str(by)}
        line = Activity(
            session_id=session.pk,
            user_id=session.user_id,
            kind=kind,
            at=now,
            ip_address=ip_address,
            asn=asn_of(ip_address) if conf.ASN_DATABASE else None,
            data=data,
            actor_id=by if by != session.user_id else None,
            is_precise=ip_address is not None or redacted(kind, data) != data,
        )
        lines.append(line)
    if 0 < len(lines) <= FEW:
        _insert(database.alias()).run(lines)
    else:
        Activity.objects.bulk_create(lines)


@cache
def _insert(using: str) -> Insert:
    """The statement of most requests that write a line."""
    return Insert(Activity, using)


def tell(entries: Sequence[Entry]) -> None:
    """Tell the observers of what happened, also where no line is kept of it."""
    for observe in observers:
        observe(entries)


def told_to_owner(kind: str, data: Any) -> Any:
    """The data of a line as the account holder reads it: without the notes of staff.

    The account holder may be the very intruder that a note is about. What a host project records under a
    kind of its own is for the owner as it is.
    """
    if not kind.startswith("session.") or not isinstance(data, dict):
        return data
    return {key: value for key, value in data.items() if key not in STAFF_ONLY}


def erase_actor(user_id: Any) -> int:
    """Take somebody's key out of the logs of others; from how many lines."""
    lines = list(Activity.objects.filter(actor_id=user_id).exclude(user_id=user_id))
    for line in lines:
        line.data = {key: value for key, value in line.data.items() if key != "by"}
    Activity.objects.bulk_update(lines, ["data"], batch_size=500)
    return len(lines)


def _check(kind: str, data: Any, ip_address: str | None) -> None:
    if not (isinstance(kind, str) and len(kind) <= KIND_LENGTH and KIND.fullmatch(kind)):
        raise ValueError(
            f"The kind is not a dotted name of at most {KIND_LENGTH} characters: {kind!r:.100}"
        )
    if not isinstance(data, dict):
        raise ValueError(f"Not a dictionary: {type(data).__name__}")
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Not JSON: {error}") from error
    if r"\u0000" in text.replace(r"\\", ""):
        raise ValueError("Not JSON for every database: a NUL character")
    if len(text) > DATA_LENGTH:
        raise ValueError(f"Longer than {DATA_LENGTH} characters as JSON: {len(text)}")
    if ip_address is None:
        return
    try:
        if not isinstance(ip_address, str):
            raise TypeError
        validate_ipv46_address(ip_address)
    except (TypeError, ValidationError) as error:
        raise ValueError(f"Not an address: {ip_address!r:.100}") from error


# Never kept when a line has aged: what a client called itself, and names that people gave.
DROPPED: Final = frozenset({"user_agent"})
DROPPED_OF_KIND: Final = {"session.renamed": frozenset({"from", "to"})}

# What may be an address, wherever in a text; whether it is one is up to the parser.
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_IPV6 = rf"(?=[^:]*:[^:]*:)[0-9A-Fa-f:]{{2,39}}(?:{_IPV4})?"
_ADDRESS = re.compile(
    rf"(?<![\w:.]){_IPV6}(?!\w|:[\w:]|\.\d)|(?<![\w.]){_IPV4}(?!\w|\.\d)", re.ASCII
)


def redacted(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data of a line as it is kept: addresses shortened, wherever they stand; agents and names gone."""
    dropped = DROPPED | DROPPED_OF_KIND.get(kind, frozenset())
    return {key: _redacted(value) for key, value in data.items() if key not in dropped}


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return _ADDRESS.sub(_shortened, value)
        case dict():
            return redacted("", value)
        case list() | tuple():
            return [_redacted(item) for item in value]
    return value


def _shortened(found: re.Match[str]) -> str:
    text = found[0]
    # A colon may end the address ("2001:db8::") or what is said of it.
    for address in (text, text.rstrip(":")):
        try:
            return f"{shortened(address)}{text[len(address) :]}"
        except ValueError:
            continue
    return text
