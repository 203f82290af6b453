"""Sessions, and the revocations of an incident, as CSV (RFC 4180): no cell of it is a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from devices.conf import conf
from devices.models import Activity, DeviceSession

# Read and handed on at once.
STRETCH: Final = 500

# The keys of a session in the API, in their order.
SESSION_FIELDS: Final = (
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
    "is_place_uncertain",
    "user_agent",
    "login_method",
    "binding",
    "created_at",
    "last_active",
    "expires_at",
    "is_current",
)
# And of one in the history, which are the columns of the CSV.
HISTORY_FIELDS: Final = (*SESSION_FIELDS, "status", "ended_at", "revoke_reason")

# What a spreadsheet takes for a formula at the start of a cell (also in full width, as Japanese keyboards
# have it), and after what a cell may start: programs differ in where they cut a line.
_FORMULA: Final = re.compile(r"(^|[,;|\t\r\n])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")


def iso(time: datetime) -> str:
    """A time in UTC, as ISO 8601."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_csv(user: AbstractBaseUser, current: DeviceSession | None = None) -> Iterator[str]:
    """All sessions of a user that are still kept, newest first, some lines at a time.

    `current` is the session of who reads it.
    """
    here = None if current is None else current.pk
    mine = DeviceSession.objects.filter(user_id=user.pk).order_by("-created_at", "-id")
    kept = mine.iterator(chunk_size=STRETCH)
    rows = (
        [row.pk == here if name == "is_current" else getattr(row, name) for name in HISTORY_FIELDS]
        for row in kept
    )
    return _file(HISTORY_FIELDS, rows)


INCIDENT_FIELDS: Final = (
    "at",
    "incident",
    "user",
    "session",
    "device",
    "ip_address",
    "last_ip",
    "country",
    "signed_in",
    "by",
    "note",
)


def incident_as_csv(lines: QuerySet[Activity]) -> Iterator[str]:
    """The revocations in these lines of the log, a row for each, some at a time."""
    told = lines.select_related("user", "actor")
    # Citus joins the two only by user.
    told = told.prefetch_related("session") if conf.CITUS else told.select_related("session")
    return _file(INCIDENT_FIELDS, map(_cells_of, told.iterator(chunk_size=STRETCH)))


def _cells_of(line: Activity) -> list[Any]:
    # The log outlives the session.
    session = getattr(line, "session", None)
    seen = ("ip_address", "last_ip", "country", "created_at")
    return [
        line.at,
        line.data.get("incident"),
        line.user,
        line.session_id,
        session,
        *(getattr(session, name, None) for name in seen),
        line.actor,
        line.data.get("note"),
    ]


def _file(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The lines of a file, the first of which names the columns; some at a time."""
    lines = [[*header]]
    for cells in rows:
        lines.append([safe(_text(cell)) for cell in cells])
        if len(lines) > STRETCH:
            yield _lines(lines)
            lines = []
    yield _lines(lines)


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
            return iso(value)
    return str(value)


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    # Everything in quotes, so that no program cuts a cell in two.
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()
