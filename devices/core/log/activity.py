"""The log of what happened in a session. The only writer of Activity."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.utils import timezone

from devices.core.forget import traces
from devices.models import Activity, DeviceSession

# A dotted name: of what, and what happened to it.
KIND: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
KIND_LENGTH: Final = 64
# As JSON. A line tells what happened; it is no store of files.
DATA_LENGTH: Final = 8192


# In the lines that we write ourselves: what staff wrote down for one another, and nobody else reads.
STAFF_ONLY: Final = frozenset({"note"})


class Entry(NamedTuple):
    session: DeviceSession
    kind: str
    data: dict[str, Any]
    ip_address: str | None = None
    # The key of whoever did it; stands in the data, too.
    by: Any = None


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
    now = timezone.now()
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
            data=data,
            actor_id=by if by != session.user_id else None,
            is_precise=ip_address is not None or traces.aged(kind, data) != data,
        )
        lines.append(line)
    Activity.objects.bulk_create(lines)


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
        raise ValueError(f"Not a dotted name of at most {KIND_LENGTH} characters: {kind!r:.100}")
    if not isinstance(data, dict):
        raise ValueError(f"Not a dictionary: {type(data).__name__}")
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Not JSON: {error}") from error
    if r"\u0000" in text.replace(r"\\", ""):
        raise ValueError("Not JSON that every database holds: a NUL character")
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
