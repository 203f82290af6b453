"""Ending all sessions of one person and having them choose a new password: a question, and the deed."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from devices import admin_site
from devices.core import hashing
from devices.core.staff import accounts, bulk_revocation
from devices.models import DeviceSession

from .progress import reach
from .revocation import RevocationForm, to_incident

NAME = "devices_devicesession_new_password"


class RequiresPasswords(admin.ModelAdmin):
    """An admin with the page that ends a person's sessions and requires a new password."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.new_password)
        return [path("new-password/<path:pk>/", view, name=NAME), *super().get_urls()]

    def new_password(self, request: HttpRequest, pk: str) -> HttpResponse:
        """For staff who may revoke, and users within their reach who have a password here."""
        person = _person(unquote(pk))
        by: Any = request.user
        may = by.has_perm("devices.revoke_devicesession") and self.has_view_permission(request)
        if not may or not bulk_revocation.reaches(by, person.pk):
            raise PermissionDenied
        if not hashing.has_password(person):
            raise Http404
        if not admin_site.is_confirmed(request):
            return admin_site.to_confirm(request)
        form = RevocationForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            done = accounts.require_new_password(person, by=by, note=form.cleaned_data["note"])
            text = _("Revoked: %(reach)s. A new password is required.")
            shown = text % {"reach": reach(done.sessions, done.people)}
            self.message_user(request, shown, messages.SUCCESS)
            return to_incident(done)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Require a new password"),
            "opts": self.opts,
            "person": person,
            "active": DeviceSession.objects.filter(user_id=person.pk).active().count(),
            "form": form,
        }
        return TemplateResponse(request, "admin/devices/devicesession/new_password.html", context)


def _person(pk: str) -> Any:
    try:
        return get_user_model()._base_manager.get(pk=pk)
    except (get_user_model().DoesNotExist, ValueError, OverflowError, ValidationError) as error:
        raise Http404 from error
