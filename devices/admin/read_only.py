"""Pages on which staff look and change nothing, of tables that nobody counts to their end."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.http import HttpRequest

from .pagination import BoundedPaginator


class ReadOnly(admin.ModelAdmin):
    """Seen by whoever may see sessions: their log is shown on their pages, so it is no right of its own."""

    # Whose rows they are, and not who else is named in them: whoever deletes a user deletes these (see
    # `devices.admin_site`).
    people = ("user",)
    paginator = BoundedPaginator
    # Each of these would count or sort the whole table.
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

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
