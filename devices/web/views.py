"""Your devices, as a page."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView, View

from devices.core import sessions
from devices.models import DeviceSession, DeviceSessionQuerySet, RevokeReason


class SignedInHttpRequest(HttpRequest):
    """A request as the views behind LoginRequiredMixin see it. For annotations."""

    user: AbstractBaseUser  # type: ignore[assignment]


def _mine(request: SignedInHttpRequest) -> DeviceSessionQuerySet:
    return DeviceSession.objects.of(request.user).active().order_by("-last_active", "-created_at")


class DevicesView(LoginRequiredMixin, TemplateView):
    request: SignedInHttpRequest
    template_name = "devices/devices.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sessions=_mine(self.request), **kwargs)


class SignOutView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInHttpRequest, pk: uuid.UUID) -> HttpResponse:
        session = get_object_or_404(_mine(request), pk=pk)
        sessions.revoke(session, reason=RevokeReason.USER, by=request.user)
        messages.success(request, _("Signed out: %(device)s") % {"device": session})
        return redirect("devices")


class SignOutAllView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInHttpRequest) -> HttpResponse:
        n = sessions.revoke_all(request.user, reason=RevokeReason.USER_ALL, by=request.user)
        messages.success(
            request, ngettext("Signed out %(n)s device.", "Signed out %(n)s devices.", n) % {"n": n}
        )
        return redirect("devices")
