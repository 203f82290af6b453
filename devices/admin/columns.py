"""The cells of the tables of sessions. What clients sent stands in <bdi>, so that it turns nothing around."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import localize, number_format
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from devices.models import DeviceSession, Status

NOTHING = "-"

Column = Callable[[DeviceSession], str]


@admin.display(description=_("user"))
def person(session: DeviceSession) -> str:
    """The user, as a link to the list of all their sessions; and who acts for them, if somebody does."""
    query = urlencode({"user": session.user_id})
    link = format_html('<a href="?{}"><bdi>{}</bdi></a>', query, session.user)
    if not session.is_impersonated:
        return link
    by = session.impersonator or gettext("somebody who is gone")
    return format_html("{} {} <bdi>{}</bdi>", link, gettext("by"), by)


@admin.display(description=_("device"))
def device(session: DeviceSession) -> str:
    return format_html("<bdi>{}</bdi>", session)


@admin.display(description=_("address"))
def address(session: DeviceSession) -> str:
    # IPv6 may break after a colon, or it would push the other columns off the page.
    parts = (session.ip_address or NOTHING).split(":")
    return format_html_join(SafeString(":<wbr>"), "{}", ((part,) for part in parts))


@admin.display(description=_("place"))
def place(session: DeviceSession) -> str:
    parts = [part for part in (session.city, session.country) if part]
    return format_html("<bdi>{}</bdi>", ", ".join(parts) or NOTHING)


@admin.display(description=_("last active"))
def last_active(session: DeviceSession) -> str:
    then = session.last_active
    if timezone.now() - then < timedelta(minutes=1):
        ago = gettext("just now")
    else:
        ago = gettext("%(time)s ago") % {"time": timesince(then, depth=1)}
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        then.isoformat(),
        localize(timezone.template_localtime(then)),  # type: ignore[attr-defined]
        ago,
    )


@admin.display(description=_("state"))
def state(session: DeviceSession) -> str:
    label = session.status.label
    if session.status is Status.ACTIVE:
        return str(label)
    reason = session.get_revoke_reason_display()
    return format_html('<span class="quiet" title="{}">{}</span>', reason, label)


def grouped(number: float) -> str:
    """A count as the reader's language writes it: 1,234 or 1.234."""
    return number_format(int(number), force_grouping=True)


def of_people(number: int) -> str:
    return ngettext("%(n)s person", "%(n)s people", number) % {"n": grouped(number)}


class Row(NamedTuple):
    session: DeviceSession
    cells: list[str]


class Table(NamedTuple):
    """For templates/admin/devices/sessions.html. The device is its first column."""

    headers: list[Any]
    rows: list[Row]


def table(sessions: Iterable[DeviceSession], *columns: Column) -> Table:
    return Table(
        headers=[column.short_description for column in (device, *columns)],  # type: ignore[attr-defined]
        rows=[Row(session, [column(session) for column in columns]) for session in sessions],
    )
