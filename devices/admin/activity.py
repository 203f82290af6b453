"""The log of all sessions, for staff to read: of one person, of one session, or the newest lines of all."""

import uuid
from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import OperationalError
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from devices.core.oversight import patience
from devices.core.watch.reasons import sentences
from devices.models import Activity

from .columns import NOTHING
from .filters import MOST_COMMON, NEWEST, Choices, Filter, PersonFilter
from .read_only import ReadOnly
from .search import of_people

# What was strange about these is said in words.
STRANGE = {
    "login.suspicious",
    "device.new",
    "refresh.suspicious",
    "refresh.noted",
    "session.suspicious",
}
# Characters of a value in a cell.
SHOWN = 500


class SessionFilter(Filter):
    """One session, by a link; also one whose row has gone."""

    title = _("session")
    parameter_name = "session"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        if (given := self.value()) is None:
            return []
        try:
            return [(given, str(uuid.UUID(given)))]
        except ValueError as error:
            raise IncorrectLookupParameters from error

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


FILTERS: tuple[type[Filter], ...] = (PersonFilter, SessionFilter, KindFilter)
PARAMETERS = {each.parameter_name for each in FILTERS}


class NewestFirst(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str | Combinable]:
        """By what an index has in order, whatever `?o=` asks for."""
        return ["-at", "-id"]


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
    return format_html("<bdi>{}</bdi>", line.kind)


@admin.display(description=_("address"))
def address(line: Activity) -> str:
    return line.ip_address or NOTHING


@admin.display(description=_("details"))
def details(line: Activity) -> str:
    data = line.data if isinstance(line.data, dict) else {"": line.data}
    if line.kind in STRANGE and "reasons" in data:
        why = ((sentence,) for sentence in sentences(data["reasons"]))
        return format_html_join("", "<div><bdi>{}</bdi></div>", why) or NOTHING
    shown = ((name, Truncator(str(value)).chars(SHOWN)) for name, value in data.items())
    return format_html_join("", "<div><bdi>{}</bdi>: <bdi>{}</bdi></div>", shown) or NOTHING


@admin.register(Activity)
class ActivityAdmin(ReadOnly):
    list_display = ("at", kind, person, session, address, details)
    list_display_links = None
    list_filter = FILTERS
    list_per_page = 50
    list_select_related = ("user",)
    search_fields = ("user", "session")
    search_help_text = _("How someone’s login begins, or the ID of a session.")
    actions = None

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in PARAMETERS and "\x00" not in value

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except OperationalError as error:
            if not patience.is_over(error):
                raise
            # A kind that is rare and old: the newest lines are read in vain.
            text = _("That took too long. Choose a user or a session, too.")
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        term = search_term.strip()
        try:
            found = Q(session_id=uuid.UUID(term)) if term else Q()
        except ValueError:
            found = of_people(term)
        return queryset.filter(found), False

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """A line has no page: all there is of it stands in the list."""
        return HttpResponseRedirect("../../")
