"""The sessions of a user, on the page of that user."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from devices.models import DeviceSession

from .columns import address, last_active, place, state, table

SHOWN = 10


class UserSessionsMixin(admin.ModelAdmin):
    """For the ModelAdmin of the user model: the newest sessions below the form, for those who may see them.

    With a `change_form_template` of its own, include `admin/devices/user_sessions.html` in it.
    """

    change_form_template = "admin/devices/user_change_form.html"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: AbstractBaseUser | None = None,
    ) -> HttpResponse:
        if obj is not None and request.user.has_perm("devices.view_devicesession"):
            newest = DeviceSession.objects.filter(user_id=obj.pk).order_by("-created_at", "-id")
            every = reverse("admin:devices_devicesession_changelist")
            context.update(
                user_sessions=table(newest[:SHOWN], address, place, last_active, state),
                user_sessions_url=f"{every}?{urlencode({'user': obj.pk})}",
            )
        return super().render_change_form(request, context, add, change, form_url, obj)
