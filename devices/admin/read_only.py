"""Read-only admin pages of tables that are too large to be counted."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from devices.core.staff import timeouts

from .pagination import BoundedPaginator


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
