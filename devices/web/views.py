"""Your devices, as pages: where you are signed in, what happened there, and a name for each."""

import uuid
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AbstractBaseUser
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from devices.core import sessions, trusted_devices
from devices.core.log import export
from devices.core.log.sanitize import has_controls
from devices.exceptions import SessionRevoked
from devices.http import csv_download, get_session
from devices.models import DeviceSession, DeviceSessionQuerySet
from devices.shortcuts import list_sessions

from . import watch, wording
from .cards import INACTIVE, NameForm, cards, groups, told_apart

# One page holds everybody's devices but those of a host project without a limit.
PAGE_SIZE: Final = 100
ACTIVITIES_PER_PAGE: Final = 25
PAST_SHOWN: Final = 20
# Unusual sign-ins that stand at the top; what is more than these, among the others.
UNANSWERED_SHOWN: Final = 5
# From so many on, the list can be narrowed, and what can be done to a device is shown once it is opened.
FILTERED_FROM: Final = 16
SOUGHT_LENGTH: Final = 64


class SignedInHttpRequest(HttpRequest):
    """A request as the views behind LoginRequiredMixin see it. For annotations."""

    user: AbstractBaseUser  # type: ignore[assignment]
    device_session: DeviceSession | None


@method_decorator(never_cache, name="dispatch")
class PersonalPage(LoginRequiredMixin):
    """For pages with personal data: no cache shows them after the sign-out.

    While one is open in a browser, it notices that its session was signed out elsewhere.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the URL at which the page learns that its session has ended."""
        current = get_session(self.request)  # type: ignore[attr-defined]
        kwargs.setdefault("watch", watch.url_of(current) if current else "")
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return context


class DevicesView(PersonalPage, TemplateView):
    """What needs an answer, the current device, and the others by what kind of device they are."""

    request: SignedInHttpRequest
    template_name = "devices/devices.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        current = get_session(self.request)
        others = list_sessions(self.request.user)
        here: list[DeviceSession] = []
        if current is not None:
            # Asked for anew: what every request brings along holds no more than every request needs.
            here = list(others.filter(pk=current.pk))
            others = others.exclude(pk=current.pk)
        unanswered = list(others.pending_review()[:UNANSWERED_SHOWN])
        sought = sought_by(self.request)
        rest = others.exclude(pk__in=[session.pk for session in unanswered])
        page = Paginator(found(rest, sought), PAGE_SIZE).get_page(self.request.GET.get("page"))
        shown = cards([*here, *unanswered, *page.object_list], current)
        rows = shown[len(here) + len(unanswered) :]
        now = timezone.now()
        used = [card for card in rows if now - card.session.last_active <= INACTIVE]
        if sought or page.has_other_pages():
            others_count = others.count()
            inactive_count = others.filter(last_active__lt=now - INACTIVE).count()
        else:
            others_count = len(unanswered) + len(rows)
            idle = (now - session.last_active for session in unanswered)
            inactive_count = len(rows) - len(used) + sum(time > INACTIVE for time in idle)
        past = DeviceSession.objects.filter(user_id=self.request.user.pk).ended_lately(now)
        return super().get_context_data(
            current=shown[0] if here else None,
            unanswered=told_apart(shown[len(here) :][: len(unanswered)]),
            # A search shows what it finds, folded or not.
            groups=groups(rows if sought else used, by_kind=others_count >= FILTERED_FROM),
            inactive=[] if sought else told_apart(rows[len(used) :]),
            page=page,
            others_count=others_count,
            is_short=others_count < FILTERED_FROM,
            sought=sought,
            inactive_count=inactive_count,
            inactive_days=INACTIVE.days,
            past=[
                (session, wording.icon(session), wording.ago(session.ended_at or now, now))
                for session in past[:PAST_SHOWN]
            ],
            trusted=[
                (each, wording.icon(each), wording.ahead(trusted_devices.until(each), now))
                for each in trusted_devices.of_user(self.request.user)
            ],
            **kwargs,
        )


def sought_by(request: HttpRequest) -> str:
    """What the list shall be narrowed to, by the form above it; "" for all."""
    text = request.GET.get("q", "").strip()[:SOUGHT_LENGTH]
    return "" if has_controls(text) else text


def found(mine: DeviceSessionQuerySet, sought: str) -> DeviceSessionQuerySet:
    """Those of one's own devices whose name, label, place or address has this text in it."""
    if not sought:
        return mine
    columns = ("name", "device", "city", "ip_address", "last_ip")
    of_text = reduce(or_, (Q(**{f"{column}__icontains": sought}) for column in columns))
    return mine.filter(of_text | Q(country__in=wording.countries_called(sought)))


class ActivityView(PersonalPage, TemplateView):
    """One session, active or ended: what it is, what can be done to it, and what happened, newest first."""

    request: SignedInHttpRequest
    template_name = "devices/activity.html"
    refused: NameForm | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mine = DeviceSession.objects.filter(user_id=self.request.user.pk)
        session = get_object_or_404(mine, pk=self.kwargs["pk"])
        log = session.activities.filter(user_id=session.user_id).order_by("-at", "-id")
        page = Paginator(log, ACTIVITIES_PER_PAGE).get_page(self.request.GET.get("page"))
        current = get_session(self.request)
        return super().get_context_data(
            card=cards([session], current, self.refused)[0],
            page=page,
            happenings=wording.happenings(page.object_list),
            **kwargs,
        )


class ForgetTrustedView(PersonalPage, View):
    """Ask for the second factor again on one device. That makes a login harder, so that it takes no proof."""

    http_method_names = ["post"]

    def post(self, request: SignedInHttpRequest, pk: uuid.UUID) -> HttpResponse:
        if trusted_devices.forget_one(request.user, pk):
            messages.success(request, _("The second factor is asked for on that device again."))
        return redirect("devices:list")


class RenameView(ActivityView):
    """A name for one device; where it is not taken, its page again, with the reason."""

    http_method_names = ["post"]

    def post(self, request: SignedInHttpRequest, pk: uuid.UUID) -> HttpResponse:
        session = get_object_or_404(list_sessions(request.user), pk=pk)
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
        tell(request, text % {"device": wording.isolated(session)})
        return redirect("devices:activity", pk=pk)


class HistoryView(PersonalPage, View):
    """All sessions that are still kept, as a file to take home."""

    def get(self, request: SignedInHttpRequest) -> HttpResponseBase:
        lines = export.as_csv(request.user, get_session(request))
        return csv_download(lines, f"sessions-{timezone.now():%Y-%m-%d}.csv")
