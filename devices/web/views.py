"""Your devices, as pages: where you are signed in, what happened there, and a name for each."""

import uuid
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AbstractBaseUser
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from devices.core import sessions
from devices.core.log import history
from devices.exceptions import SessionRevoked
from devices.http import csv_download
from devices.models import DeviceSession, DeviceSessionQuerySet

from . import words
from .cards import INACTIVE, cards
from .forms import NameForm

# One page holds everybody's devices but those of a host project without a limit.
PAGE_SIZE: Final = 100
ACTIVITIES_PER_PAGE: Final = 25
PAST_SHOWN: Final = 20


class SignedInHttpRequest(HttpRequest):
    """A request as the views behind LoginRequiredMixin see it. For annotations."""

    user: AbstractBaseUser  # type: ignore[assignment]
    device_session: DeviceSession | None


def current_session(request: HttpRequest) -> DeviceSession | None:
    """The session of the browser that asks; None if it has none, as where no middleware knows it."""
    return getattr(request, "device_session", None)


def active_sessions(request: SignedInHttpRequest) -> DeviceSessionQuerySet:
    return DeviceSession.objects.of(request.user).active().order_by("-last_active", "-created_at")


@method_decorator(never_cache, name="dispatch")
class PersonalPage(LoginRequiredMixin):
    """For pages that tell of a person: once they have signed out, no cache shows them to anybody."""


class DevicesView(PersonalPage, TemplateView):
    """All of them, the current one first."""

    request: SignedInHttpRequest
    template_name = "devices/devices.html"
    refused: NameForm | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        current = current_session(self.request)
        others = active_sessions(self.request)
        here: list[DeviceSession] = []
        if current is not None:
            # Asked for anew: what every request brings along holds no more than every request needs.
            here = list(others.filter(pk=current.pk))
            others = others.exclude(pk=current.pk)
        page = Paginator(others, PAGE_SIZE).get_page(self.request.GET.get("page"))
        shown = cards([*here, *page.object_list], current, self.refused)
        now = timezone.now()
        past = DeviceSession.objects.filter(user_id=self.request.user.pk).ended_lately(now)
        return super().get_context_data(
            current=shown[0] if here else None,
            others=shown[len(here) :],
            page=page,
            others_count=page.paginator.count,
            inactive_count=others.filter(last_active__lt=now - INACTIVE).count(),
            inactive_days=INACTIVE.days,
            past=[
                (session, words.ago(session.ended_at or now, now)) for session in past[:PAST_SHOWN]
            ],
            **kwargs,
        )


class RenameView(DevicesView):
    """A name for one device; where it is not taken, the list again, with the reason."""

    http_method_names = ["post"]

    def post(self, request: SignedInHttpRequest, pk: uuid.UUID) -> HttpResponse:
        session = get_object_or_404(active_sessions(request), pk=pk)
        form = NameForm(session, request.POST)
        if not form.is_valid():
            self.refused = form
            return self.render_to_response(self.get_context_data(), status=400)
        try:
            sessions.rename(session, form.cleaned_data["name"])
        except SessionRevoked:
            tell, text = messages.error, _("%(device)s has just been signed out.")
        else:
            tell, text = messages.success, _("This device is now called %(device)s.")
        tell(request, text % {"device": words.isolated(session)})
        return redirect("devices:list")


class ActivityView(PersonalPage, TemplateView):
    """What happened in one session, active or ended, newest first."""

    request: SignedInHttpRequest
    template_name = "devices/activity.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mine = DeviceSession.objects.filter(user_id=self.request.user.pk)
        session = get_object_or_404(mine, pk=self.kwargs["pk"])
        log = session.activities.order_by("-at", "-id")
        page = Paginator(log, ACTIVITIES_PER_PAGE).get_page(self.request.GET.get("page"))
        current = current_session(self.request)
        return super().get_context_data(
            card=cards([session], current)[0],
            page=page,
            entries=[(entry, *words.happening(entry)) for entry in page.object_list],
            **kwargs,
        )


class HistoryView(PersonalPage, View):
    """All sessions that are still kept, as a file to take home."""

    def get(self, request: SignedInHttpRequest) -> HttpResponseBase:
        lines = history.as_csv(request.user, current_session(request))
        return csv_download(lines, f"sessions-{timezone.now():%Y-%m-%d}.csv")
