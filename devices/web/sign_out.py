"""Signing devices out: one, all others, those long unused. A GET shows what would end; a POST ends it.

Both ask for a recent proof of who one is, but where somebody signs out where they are.
"""

import uuid
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView

from devices.core import sessions
from devices.http import get_session
from devices.models import SUSPICIOUS, DeviceSession, RevokeReason
from devices.shortcuts import list_sessions

from . import wording
from .cards import INACTIVE, cards
from .review import to_password
from .step_up import confirmed_page
from .views import PersonalPage, SignedInHttpRequest

# How many are named; the page always says how many there are.
NAMED: Final = 10


class SignOutView(PersonalPage, TemplateView):
    """One device, by name. Another than the one in hand asks for a recent proof, as at the API."""

    request: SignedInHttpRequest
    template_name = "devices/sign_out.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        current = get_session(request)
        view = super().dispatch
        if current is None or current.pk != kwargs["pk"]:
            # Before any lookup, so that an old confirmation reveals nothing about other sessions.
            view = confirmed_page(view)
        return view(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        session = self._find()
        if session is None:
            return self._gone()
        [card] = cards([session], get_session(request))
        return self.render_to_response(self.get_context_data(card=card))

    def post(self, request: SignedInHttpRequest, pk: uuid.UUID) -> HttpResponse:
        session = self._find()
        if session is None:
            return self._gone()
        if session == get_session(request):
            sessions.logout(session)
            logout(request)
            messages.success(request, _("You are signed out."))
            return redirect(settings.LOGIN_URL)
        sessions.revoke(session, reason=RevokeReason.USER, by=request.user)
        is_unusual = session.risk_level in SUSPICIOUS and session.reviewed_at is None
        if (is_unusual or "stranger" in request.POST) and (answer := to_password(request, session)):
            return answer
        messages.success(
            request, _("Signed out: %(device)s") % {"device": wording.isolated(session)}
        )
        return redirect("devices:list")

    def _find(self) -> DeviceSession | None:
        return list_sessions(self.request.user).filter(pk=self.kwargs["pk"]).first()

    def _gone(self) -> HttpResponse:
        """It ended while one was looking, or was sent twice. A foreign one is as unknown as any."""
        messages.info(self.request, _("That device is not signed in (any more)."))
        return redirect("devices:list")


@method_decorator(confirmed_page, name="dispatch")
class SignOutManyView(PersonalPage, TemplateView):
    """A set of the devices, never the current one, after a recent proof."""

    request: SignedInHttpRequest
    template_name = "devices/sign_out_many.html"
    idle: timedelta | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        current = get_session(self.request)
        chosen = list_sessions(self.request.user)
        if current is not None:
            chosen = chosen.exclude(pk=current.pk)
        if self.idle is not None:
            chosen = chosen.filter(last_active__lt=timezone.now() - self.idle)
        count = chosen.count()
        return super().get_context_data(
            cards=cards(list(chosen[:NAMED]), current),
            count=count,
            more=max(count - NAMED, 0),
            has_current=current is not None,
            inactive_days=self.idle.days if self.idle else None,
            **kwargs,
        )

    def post(self, request: SignedInHttpRequest) -> HttpResponse:
        current = get_session(request)
        n = sessions.revoke_all(
            request.user,
            reason=RevokeReason.USER_ALL,
            keep=current.pk if current else None,
            idle_since=timezone.now() - self.idle if self.idle else None,
            by=request.user,
        )
        messages.success(
            request, ngettext("Signed out %(n)s device.", "Signed out %(n)s devices.", n) % {"n": n}
        )
        return redirect("devices:list")


class SignOutOthersView(SignOutManyView):
    """All but the current one."""


class SignOutInactiveView(SignOutManyView):
    """Those not used for long."""

    idle = INACTIVE
