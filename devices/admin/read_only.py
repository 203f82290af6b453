"""Read-only admin pages of tables that are too large to be counted, and how far they are."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import OperationalError
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property

from devices.core.staff import timeouts

from .filters import parameters_of


class BoundedPaginator(Paginator):
    """Counts up to LIMIT and says when there is more. The pages are of the first LIMIT rows then."""

    LIMIT = 1000

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.LIMIT)

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than were counted."""
        return self._counted > self.LIMIT

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.LIMIT + 1].count()


class ReadOnly(admin.ModelAdmin):
    """For staff who may see sessions. Their pages show the log, so it has no permission of its own."""

    # Whose rows they are, and not who else is named in them: whoever deletes a user deletes these (see
    # `devices.admin_site`).
    people = ("user",)
    paginator = BoundedPaginator
    # Each of these would count or sort the whole table.
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    list_per_page = 50
    # What staff read when a query of a list times out.
    too_long: Any

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except OperationalError as error:
            if not timeouts.is_over(error):
                raise
            self.message_user(request, self.too_long, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' only. Django takes any column: `?password_stamp__startswith=a` would give it away."""
        return lookup in parameters_of(self.list_filter) and "\x00" not in value

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not on these pages. Elsewhere as Django has it: with a deleted user go their sessions and log."""
        view = request.resolver_match.func if request.resolver_match else None
        if getattr(view, "model_admin", None) is self:
            return False
        return super().has_delete_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Django lets "change" stand for "view"; here it gives nothing.
        return request.user.has_perm("devices.view_devicesession")


class NewestFirst(ChangeList):
    """A list in the order of an index."""

    model_admin: "ReadOnlyLog"

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str | Combinable]:
        """By what an index has in order, whatever `?o=` asks for."""
        return [*self.model_admin.newest_first]


class ReadOnlyLog(ReadOnly):
    """What happened, line by line. A line has no page: the list shows all of it."""

    list_display_links = None
    actions = None
    newest_first: tuple[str, ...]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """To the list."""
        return HttpResponseRedirect("../../")
