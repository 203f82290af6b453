"""Cells of the tables of sessions. Text from clients is in <bdi>, so that it reverses nothing around it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
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

from devices.core.clients.operators import operator_of
from devices.core.notifications.reasons import place as place_name
from devices.models import SUSPICIOUS, Binding, DeviceSession, RiskLevel, Status

NOTHING = "-"

Column = Callable[[DeviceSession], str]


@admin.display(description=_("user"))
def person(session: DeviceSession) -> str:
    """The user, as a link to the list of all their sessions; and who acts for them, if somebody does."""
    query = urlencode({"user": session.user_id})
    link = format_html('<a href="?{}"><bdi>{}</bdi></a>', query, session.user)
    if not session.is_impersonated:
        return link
    by = session.impersonator or gettext("a deleted user")
    return format_html("{} {} <bdi>{}</bdi>", link, gettext("by"), by)


@admin.display(description=_("device"))
def device(session: DeviceSession) -> str:
    """Show the device, by its name or its label."""
    return format_html("<bdi>{}</bdi>", session)


@admin.display(description=_("address"))
def address(session: DeviceSession) -> str:
    """Where it began; and where it was last used, if that is elsewhere."""
    began, last = session.ip_address, session.last_ip
    if last in (None, began):
        return breakable(began or NOTHING)
    title = _("Latest address")
    return format_html(
        '{}<br><small title="{}">→ {}</small>', breakable(began or NOTHING), title, breakable(last)
    )


def breakable(address: str) -> SafeString:
    """Return the address with places to break at: IPv6 would push the other columns off the page."""
    return format_html_join(SafeString(":<wbr>"), "{}", ((part,) for part in address.split(":")))


@admin.display(description=_("risk"), ordering="risk_score")
def risk(session: DeviceSession) -> str:
    """A mark for sign-ins that were unusual; filled while their owner has not answered."""
    if session.risk_level not in SUSPICIOUS:
        return ""
    is_waiting = session.reviewed_at is None
    label = RiskLevel(session.risk_level).label
    title = _("Waiting for an answer") if is_waiting else _("Answered by the owner")
    return format_html(
        '<span class="risk{}" title="{} · {}">{}</span>',
        " waiting" if is_waiting else "",
        label,
        title,
        session.risk_score,
    )


@admin.display(description=_("place"))
def place(session: DeviceSession) -> str:
    """Show city and country, marked if they are uncertain."""
    shown = place_name(session.city, session.country) or NOTHING
    if session.is_place_uncertain:
        title = _("The network is used from elsewhere, too: the country is where it is registered.")
        return format_html('<bdi>{}</bdi> <abbr title="{}">?</abbr>', shown, title)
    return format_html("<bdi>{}</bdi>", shown)


@admin.display(description=_("network operator"))
def operator(session: DeviceSession) -> str:
    """Show who operates the networks that it began in and was last used in."""
    found = (operator_of(address) for address in (session.ip_address, session.last_ip))
    shown = dict.fromkeys(str(each) for each in found if each is not None)
    return (
        format_html_join(SafeString("<br>→ "), "<bdi>{}</bdi>", ((each,) for each in shown))
        or NOTHING
    )


@admin.display(description=_("binding"))
def binding(session: DeviceSession) -> str:
    """Show how the session is bound to its device."""
    return str(Binding(session.binding).label) if session.is_bound else NOTHING


@admin.display(description=_("signed in"), ordering="created_at")
def signed_in(session: DeviceSession) -> str:
    """Show how long ago the session started."""
    return _ago(session.created_at)


@admin.display(description=_("last active"), ordering="last_active")
def last_active(session: DeviceSession) -> str:
    """Show how long ago the session was used."""
    return _ago(session.last_active)


def _ago(then: datetime) -> str:
    """How long ago that was, and on demand the moment itself."""
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
    """Show whether the session is active; if not, why it ended."""
    label = session.status.label
    if session.status is Status.ACTIVE:
        return str(label)
    reason = session.get_revoke_reason_display()
    return format_html('<span class="quiet" title="{}">{}</span>', reason, label)


def grouped(number: float) -> str:
    """A count as the reader's language writes it: 1,234 or 1.234."""
    return number_format(int(number), force_grouping=True)


def of_people(number: int) -> str:
    """Return "3 people", in the language of the request."""
    return ngettext("%(n)s person", "%(n)s people", number) % {"n": grouped(number)}


class Row(NamedTuple):
    """One session of a table, with its cells after the device."""

    session: DeviceSession
    cells: list[str]


class Table(NamedTuple):
    """For templates/admin/devices/sessions.html. The device is its first column."""

    headers: list[Any]
    rows: list[Row]


def table(sessions: Iterable[DeviceSession], *columns: Column) -> Table:
    """Make a table of sessions, with the device in the first column."""
    return Table(
        headers=[column.short_description for column in (device, *columns)],  # type: ignore[attr-defined]
        rows=[Row(session, [column(session) for column in columns]) for session in sessions],
    )
