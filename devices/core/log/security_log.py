"""The security log: one record per event on the logger `devices.security`.

The message has everything in it, for whatever formatter a project has: `login.failed outcome="failure" …`.
A formatter that writes fields, as JSON, finds the same values as attributes of the record.

It is for machines and for those who watch; people read their own history in Activity.
"""

import enum
import json
import logging
import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from devices.core import database
from devices.core.clients.client import Client
from devices.models import DeviceSession, FailureKind

from . import counters, failures

logger = logging.getLogger("devices.security")

# No value is longer, whatever a client sends.
MAX_LENGTH = 200


class Event(enum.Enum):
    """Every event; docs/security.md describes them."""

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_BLOCKED = "login.blocked"
    LOGIN_SUSPICIOUS = "login.suspicious"
    OTP_SUCCEEDED = "otp.succeeded"
    OTP_FAILED = "otp.failed"
    OTP_BLOCKED = "otp.blocked"
    OTP_SKIPPED = "otp.skipped"
    DEVICE_TRUSTED = "device.trusted"
    DEVICE_CODE_SENT = "device_code.sent"
    DEVICE_CODE_FAILED = "device_code.failed"
    SESSION_STARTED = "session.started"
    SESSION_IMPERSONATED = "session.impersonated"
    SESSION_REVOKED = "session.revoked"
    SESSION_USED_AFTER_END = "session.used_after_end"
    SESSION_USED_ELSEWHERE = "session.used_elsewhere"
    BINDING_FAILED = "binding.failed"
    BINDING_LOST = "binding.lost"
    REFRESH_SUCCEEDED = "refresh.succeeded"
    REFRESH_REPEATED = "refresh.repeated"
    REFRESH_RECOVERED = "refresh.recovered"
    REFRESH_REUSED = "refresh.reused"
    ACCESS_REFUSED = "access.refused"
    STAFF_REVOKED = "staff.revoked"
    SERVICE_REFUSED = "service.refused"
    KEY_ROTATED = "key.rotated"
    KEY_WITHDRAWN = "key.withdrawn"
    DATABASE_REPLACED = "database.replaced"
    ACCOUNT_RECOVERED = "account.recovered"


_ALARMING = {
    Event.LOGIN_BLOCKED,
    Event.LOGIN_SUSPICIOUS,
    Event.OTP_BLOCKED,
    Event.SESSION_USED_AFTER_END,
    Event.BINDING_FAILED,
    Event.BINDING_LOST,
    Event.REFRESH_RECOVERED,
    Event.REFRESH_REUSED,
    Event.ACCESS_REFUSED,
    Event.KEY_WITHDRAWN,
    Event.DATABASE_REPLACED,
    Event.ACCOUNT_RECOVERED,
    Event.SERVICE_REFUSED,
}
# What staff see figures of.
_COUNTED = {Event.LOGIN_FAILED, Event.LOGIN_BLOCKED, Event.OTP_FAILED, Event.OTP_BLOCKED}
# What staff see a list of, since no session tells of it.
_LISTED = {Event(kind) for kind in FailureKind.values}
# What put things right.
_DONE = {Event.REFRESH_RECOVERED, Event.KEY_WITHDRAWN, Event.ACCOUNT_RECOVERED}
_FAILED = _ALARMING - _DONE | {Event.LOGIN_FAILED, Event.OTP_FAILED, Event.DEVICE_CODE_FAILED}


def log(
    event: Event,
    *,
    user_id: Any = None,
    session_id: Any = None,
    client: Client | None = None,
    **details: str,
) -> None:
    """Write one record: event, outcome, user, session, address, and short details. Never a secret."""
    record = {
        "event": event.value,
        "outcome": "failure" if event in _FAILED else "success",
        "user": None if user_id is None else str(user_id),
        "session": None if session_id is None else str(session_id),
        "address": client.ip_address if client else None,
        **{name: value[:MAX_LENGTH] for name, value in details.items()},
    }
    if event in _COUNTED:
        counters.count(event.value)
    if event in _LISTED:
        failures.record(event.value, user_id, client.ip_address if client else None)
    level = logging.WARNING if event in _ALARMING else logging.INFO
    # As JSON, so that no value can be taken for two, or for a line of its own.
    fields = (f"{name}={_spelled(value)}" for name, value in record.items() if name != "event")
    logger.log(level, "%s %s", event.value, " ".join(fields), extra=record)


def _spelled(value: str | None) -> str:
    # What json.dumps does of these in the end.
    return "null" if value is None else encode_basestring_ascii(value)


def log_on_commit(
    event: Event, session: DeviceSession, client: Client | None, **details: str
) -> None:
    """As `log`, once what is written just now is committed, and not if it never is."""
    database.on_commit(
        lambda: log(event, user_id=session.user_id, session_id=session.pk, client=client, **details)
    )


# As `log` writes it, behind whatever a formatter or a collector puts there. No value has a quote of its own.
_REVOKED: Final = re.compile(
    r'(?:^|\s)session\.revoked outcome="success" user="[^"]*" session="([0-9a-f-]{36})"'
)


def revoked_in(lines: Iterable[str]) -> set[uuid.UUID]:
    """The sessions that a log says were revoked: lines of text as `log` makes them, or JSON of its fields."""
    found = set()
    for line in lines:
        if "session.revoked" not in line:
            continue
        if match := _REVOKED.search(line):
            found.add(uuid.UUID(match[1]))
            continue
        with suppress(ValueError, LookupError, TypeError):
            record = json.loads(line[line.index("{") :])
            if record["event"] == Event.SESSION_REVOKED.value:
                found.add(uuid.UUID(record["session"]))
    return found
