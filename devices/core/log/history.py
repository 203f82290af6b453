"""A person's sessions as CSV (RFC 4180), which a spreadsheet shows and does not obey."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser

from devices.models import DeviceSession

# Read and handed on at once.
STRETCH: Final = 500

# Those of the history as JSON, in its order.
COLUMNS: Final = (
    "id",
    "name",
    "device",
    "device_type",
    "browser",
    "os",
    "is_mobile",
    "ip_address",
    "last_ip",
    "country",
    "city",
    "user_agent",
    "login_method",
    "created_at",
    "last_active",
    "expires_at",
    "is_current",
    "status",
    "ended_at",
    "revoke_reason",
)

# What a spreadsheet takes for a formula at the start of a cell (also in full width, as Japanese keyboards
# have it), and after what a cell may start: programs differ in where they cut a line.
_FORMULA: Final = re.compile(r"(^|[,;|\t\r\n])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")


def as_csv(user: AbstractBaseUser, current: DeviceSession | None = None) -> Iterator[str]:
    """All sessions of a user that are still kept, newest first, some lines at a time."""
    mine = DeviceSession.objects.filter(user_id=user.pk).order_by("-created_at", "-id")
    rows: list[list[str]] = [list(COLUMNS)]
    for session in mine.iterator(chunk_size=STRETCH):
        is_current = current is not None and session.pk == current.pk
        rows.append(
            [
                safe(_text(is_current if name == "is_current" else getattr(session, name)))
                for name in COLUMNS
            ]
        )
        if len(rows) > STRETCH:
            yield _lines(rows)
            rows = []
    yield _lines(rows)


def safe(cell: str) -> str:
    """A cell that is text to any spreadsheet, by an apostrophe before what would make it a formula."""
    return _FORMULA.sub(r"\1\2'", cell)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    # Everything in quotes, so that no program cuts a cell in two.
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()
