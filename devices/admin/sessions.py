"""Every session, for staff to look at. The one thing they can do to it is in revocation.py."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from devices.core import hashing
from devices.models import DeviceSession, Status

from . import columns, timeline
from .columns import address, device, last_active, person, place
from .dashboard import ShowsDashboard
from .filters import FILTERS
from .new_password import RequiresPasswords
from .read_only import BoundedPaginator, ReadOnly
from .revocation import RevokesSessions
from .search import search


class NewestFirst(ChangeList):
    """A list of sessions, found in the order of an index, and sorted as `?o=` asks for.

    No index has all of them by their last use, which each request would move. So the newest are sorted, as
    many as the pages hold.
    """

    def get_results(self, request: HttpRequest) -> None:
        found = self.queryset
        if order := self._asked_for():
            # One more than the pages hold: the paginator looks for it.
            newest = found.values("pk")[: BoundedPaginator.LIMIT + 1]
            self.queryset = self.root_queryset.filter(pk__in=newest).order_by(*order)
        super().get_results(request)
        self.queryset = found

    def _asked_for(self) -> list[str]:
        if ORDER_VAR not in self.params:
            return []
        for index, direction in self.get_ordering_field_columns().items():
            column: Any = self.list_display[index] if index < len(self.list_display) else None
            if column in (self.sortable_by or ()):
                sign = "-" if direction == "desc" else ""
                return [f"{sign}{self.get_ordering_field(column)}", f"{sign}id"]
        return []

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str | Combinable]:
        """Newest first by what an index has in order, whatever `?o=` asks for: the first of these are sorted.

        Those that ended are listed by when they did: the newest sign-ins have not, and would be read in vain.
        """
        if {"ended_on", "reason"} & self.params.keys():
            return ["-revoked_at", "-id"]
        match self.params.get("state"):
            case Status.REVOKED:
                return ["-revoked_at", "-id"]
            case Status.EXPIRED:
                return ["-expires_at", "-id"]
        return ["-created_at", "-id"]


class Facts(forms.ModelForm):
    """The labels of a session's fields on its page."""

    class Meta:
        labels: ClassVar = {
            "id": _("ID"),
            "os": _("Operating system"),
            "ip_address": _("Address at sign-in"),
            "last_ip": _("Latest address"),
            "asn": "ASN",
            "pii_since": _("Addresses shortened if seen before"),
            "created_at": _("Signed in"),
            "authenticated_at": _("Identity confirmed"),
            "mfa_at": _("Second factor confirmed"),
            "binding_key": _("Thumbprint of its key"),
            "impersonator": _("On the owner’s behalf"),
            "impersonator_session_id": _("In their session"),
            "binding_proofs": _("Proofs since it was bound"),
            "binding_proved_at": _("Last proved"),
            "binding_failed_at": _("Owner last told of a wrong proof"),
            "reviewed_at": _("Answered by the owner"),
            "reauth_required_since": _("To be confirmed since"),
            "expires_at": _("Expires if unused"),
            "absolute_expires_at": _("Expires in any case"),
            "generation": _("Rotations"),
            "generation_used": _("Latest rotation used"),
            "rotated_at": _("Rotated"),
        }


@admin.register(DeviceSession)
class DeviceSessionAdmin(ShowsDashboard, RequiresPasswords, ReadOnly, RevokesSessions):
    """The admin of sessions: list, filter, view and end them."""

    list_display = (
        columns.risk,
        person,
        device,
        address,
        place,
        columns.signed_in,
        last_active,
        columns.state,
        columns.binding,
    )
    list_display_links = (device,)
    list_filter = FILTERS
    # The stubs know columns by their names only.
    sortable_by = (columns.risk, columns.signed_in, last_active)  # type: ignore[assignment]
    # No index knows that two frequent values never come together; with a time it is soon read.
    too_long = _("That took too long. Choose a shorter time, or fewer filters.")
    list_select_related = ("user", "impersonator")
    search_fields = ("user", "ip_address", "id")
    search_help_text = _(
        "How someone’s login begins, an address or network (203.0.113.0/24), a network operator "
        "(AS64496), or the ID of a session."
    )

    form = Facts
    state = staticmethod(columns.state)
    operator = staticmethod(columns.operator)
    # All but `device_key` and `password_stamp`, nobody's to see, and a key whose thumbprint says as much.
    fieldsets = (
        (None, {"fields": ("user", "name", "state", "id")}),
        (_("Device"), {"fields": ("device", "device_type", "browser", "os", "user_agent")}),
        (
            _("Place"),
            {
                "fields": (
                    "ip_address",
                    "last_ip",
                    ("operator", "asn"),
                    "pii_since",
                    "country",
                    "city",
                    "is_place_uncertain",
                    ("latitude", "longitude"),
                )
            },
        ),
        (
            _("Sign-in"),
            {
                "fields": (
                    "login_method",
                    ("impersonator", "impersonator_session_id"),
                    "created_at",
                    "authenticated_at",
                    "mfa_at",
                )
            },
        ),
        (
            _("Binding"),
            {
                "fields": (
                    "binding",
                    "binding_key",
                    ("binding_proofs", "binding_proved_at"),
                    "binding_failed_at",
                )
            },
        ),
        (
            _("Risk"),
            {"fields": ("risk_level", "risk_score", "reviewed_at", "reauth_required_since")},
        ),
        (_("Time"), {"fields": ("last_active", "expires_at", "absolute_expires_at")}),
        (_("End"), {"fields": ("revoked_at", "revoke_reason", "revoked_by")}),
        (_("Refresh token"), {"fields": ("generation", "generation_used", "rotated_at")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("user", "impersonator")

    @transaction.non_atomic_requests
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # Not atomic, since the action revokes session by session: rows of many people, locked until the
        # last one, would stand in the way of their logins.
        self.take_up(request)
        answer = super().changelist_view(request, extra_context)
        self._add_tools(request, answer)
        return answer

    def _add_tools(self, request: HttpRequest, answer: HttpResponse) -> None:
        """What can be done about all that was found: offered above the list to who may do it."""
        context = getattr(answer, "context_data", None) or {}
        if "cl" not in context or not self.has_revoke_permission(request):
            return
        found = list(context["cl"].result_list)
        if found and self.is_filtered(request):
            context["may_revoke_found"] = True
            people = {session.user_id for session in found}
            user = found[0].user
            context["person"] = user if len(people) == 1 and hashing.has_password(user) else None

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        return search(queryset, search_term), False

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: DeviceSession | None = None,
    ) -> HttpResponse:
        assert obj is not None
        context.update(
            # Between Unicode's isolates, because it is in <title>, too, where markup does not work.
            subtitle=f"\u2068{obj}\u2069",
            timeline=timeline.timeline(obj),
            timeline_length=timeline.LENGTH,
            may_revoke=self.may_revoke(request, obj),
            has_password=hashing.has_password(obj.user),
        )
        return super().render_change_form(request, context, add, change, form_url, obj)
