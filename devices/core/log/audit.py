"""The security log: one record per event on the logger `devices.security`.

The message has everything in it, for whatever formatter a project has: `login.failed outcome="failure" …`.
A formatter that writes fields, as JSON, finds the same values as attributes of the record.

It is for machines and for those who watch; people read their own history in Activity.
"""

import enum
import json
import logging
from typing import Any

from devices.core.caller.client import Client

from . import tally

logger = logging.getLogger("devices.security")

# No value is longer, whatever a client sends.
MAX_LENGTH = 200


class Event(enum.Enum):
    """Every event there is; docs/security.md tells of each."""

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_BLOCKED = "login.blocked"
    LOGIN_SUSPICIOUS = "login.suspicious"
    OTP_SUCCEEDED = "otp.succeeded"
    OTP_FAILED = "otp.failed"
    OTP_BLOCKED = "otp.blocked"
    SESSION_STARTED = "session.started"
    SESSION_IMPERSONATED = "session.impersonated"
    SESSION_REVOKED = "session.revoked"
    SESSION_USED_AFTER_END = "session.used_after_end"
    SESSION_USED_ELSEWHERE = "session.used_elsewhere"
    REFRESH_SUCCEEDED = "refresh.succeeded"
    REFRESH_REPEATED = "refresh.repeated"
    REFRESH_REUSED = "refresh.reused"
    ACCESS_REFUSED = "access.refused"
    STAFF_REVOKED = "staff.revoked"


_ALARMING = {
    Event.LOGIN_BLOCKED,
    Event.LOGIN_SUSPICIOUS,
    Event.OTP_BLOCKED,
    Event.SESSION_USED_AFTER_END,
    Event.REFRESH_REUSED,
    Event.ACCESS_REFUSED,
}
# What staff see figures of, though no row tells of it.
_COUNTED = {Event.LOGIN_FAILED, Event.LOGIN_BLOCKED, Event.OTP_FAILED, Event.OTP_BLOCKED}
_FAILED = _ALARMING | {Event.LOGIN_FAILED, Event.OTP_FAILED}


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
        tally.count(event.value)
    level = logging.WARNING if event in _ALARMING else logging.INFO
    # As JSON, so that no value can be taken for two, or for a line of its own.
    fields = (f"{name}={json.dumps(value)}" for name, value in record.items() if name != "event")
    logger.log(level, "%s %s", event.value, " ".join(fields), extra=record)
