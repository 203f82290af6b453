"""The log of all sessions, for staff to read: of one person, of one session, or the newest lines of all."""

import uuid
from collections import Counter
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from devices.core.clients.operators import asn_in
from devices.core.log import export
from devices.core.notifications.reasons import sentences
from devices.core.staff.filters import network_of
from devices.http import csv_download
from devices.models import Activity

from .columns import NOTHING
from .filters import MOST_COMMON, NEWEST, BetweenFilter, Choices, Filter, LinkFilter, PersonFilter
from .read_only import ReadOnlyLog
from .search import at, of_people

# What was unusual about these is said in words.
UNUSUAL = {
    "login.suspicious",
    "device.new",
    "refresh.suspicious",
    "refresh.noted",
    "session.suspicious",
}
# Characters of a value in a cell.
SHOWN = 500


class SessionFilter(LinkFilter):
    """One session, by a link; also one whose row has gone."""

    title = _("session")
    parameter_name = "session"

    def shown(self, given: str) -> str:
        return str(uuid.UUID(given))

    def narrow(self, sessions: Any, value: str) -> Any:
        return sessions.filter(session_id=uuid.UUID(value))


class KindFilter(Filter):
    """Offers the most common kinds among the newest lines; takes any."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        newest = Activity.objects.order_by("-at", "-id").values_list("kind", flat=True)[:NEWEST]
        offered = {kind for kind, _n in Counter(newest).most_common(MOST_COMMON)}
        if (chosen := self.value()) is not None:
            offered.add(chosen)
        return [(kind, kind) for kind in sorted(offered)]


class ActorFilter(PersonFilter):
    """What staff did: all of them, or one, by a link."""

    title = _("who did it")
    parameter_name = "by"
    STAFF = "staff"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        one = [] if self.value() == self.STAFF else super().lookups(request, model_admin)
        return [(self.STAFF, _("Staff")), *one]

    def narrow(self, lines: Any, value: str) -> Any:
        if value == self.STAFF:
            return lines.filter(actor__isnull=False)
        return lines.filter(actor_id=value)


class IncidentFilter(LinkFilter):
    """All that was revoked at one go, by a link."""

    title = _("incident")
    parameter_name = "incident"

    def narrow(self, lines: Any, value: str) -> Any:
        return of_incident(lines, value)


def of_incident(lines: Any, incident: str) -> Any:
    """Filter the entries of one incident, by the ID that its revocation was given."""
    # There is an index of what others than the owner did.
    return lines.filter(actor__isnull=False, kind="session.revoked", data__incident=incident)


class HappenedBetween(BetweenFilter):
    """From – to, of an entry."""

    title = _("time, from – to")
    column = "at"


@admin.display(description=_("user"))
def person(line: Activity) -> str:
    """The user, as a link to all of their lines."""
    query = urlencode({"user": line.user_id})
    return format_html('<a href="?{}"><bdi>{}</bdi></a>', query, line.user)


@admin.display(description=_("session"))
def session(line: Activity) -> str:
    """The first digits of the session's id, as a link to all of its lines."""
    query = urlencode({"session": str(line.session_id)})
    return format_html('<a href="?{}">{}</a>', query, str(line.session_id)[:8])


@admin.display(description=_("what"))
def kind(line: Activity) -> str:
    """Show the kind of an entry."""
    return format_html("<bdi>{}</bdi>", line.kind)


@admin.display(description=_("address"))
def address(line: Activity) -> str:
    """Show the IP address of an entry."""
    return line.ip_address or NOTHING


@admin.display(description=_("by"))
def actor(line: Activity) -> str:
    """Who did it, if not the user: as a link to all that they did."""
    if line.actor_id is None:
        return NOTHING
    query = urlencode({"by": line.actor_id})
    return format_html('<a href="?{}"><bdi>{}</bdi></a>', query, line.actor)


@admin.display(description=_("details"))
def details(line: Activity) -> str:
    """Show the data of an entry; for an unusual sign-in, its reasons as sentences."""
    data = line.data if isinstance(line.data, dict) else {"": line.data}
    if line.kind in UNUSUAL and "reasons" in data:
        why = ((sentence,) for sentence in sentences(data["reasons"]))
        return format_html_join("", "<div><bdi>{}</bdi></div>", why) or NOTHING
    shown = ((name, Truncator(str(value)).chars(SHOWN)) for name, value in data.items())
    return format_html_join("", "<div><bdi>{}</bdi>: <bdi>{}</bdi></div>", shown) or NOTHING


@admin.register(Activity)
class ActivityAdmin(ReadOnlyLog):
    """The admin of the activity log. Nobody can add, change or delete entries."""

    list_display = ("at", kind, person, session, address, actor, details)
    list_filter = (
        PersonFilter,
        SessionFilter,
        ActorFilter,
        IncidentFilter,
        KindFilter,
        HappenedBetween,
    )
    newest_first = ("-at", "-id")
    # A kind that is rare and old: the newest lines are read in vain.
    too_long = _("That took too long. Choose a user or a session, too.")
    list_select_related = ("user", "actor")
    search_fields = ("user", "session", "ip_address")
    search_help_text = _(
        "How someone’s login begins, an address or network, or the ID of a session."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        term = search_term.strip()
        try:
            found = Q(session_id=uuid.UUID(term)) if term else Q()
        except ValueError:
            asn = asn_in(term)
            try:
                found = Q(asn=asn) if asn is not None else at("ip_address", network_of(term))
            except ValueError:
                found = of_people(term)
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.incident_file)
        return [path("incident.csv", view, name="devices_activity_incident"), *super().get_urls()]

    def incident_file(self, request: HttpRequest) -> HttpResponseBase:
        """What was revoked at one go, as CSV: whose session, which, when, by whom and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        incident = request.GET.get("incident", "")
        if not incident.isalnum():
            raise Http404
        lines = of_incident(Activity.objects.order_by("at", "id"), incident)
        return csv_download(export.incident_as_csv(lines), f"incident-{incident}.csv")
