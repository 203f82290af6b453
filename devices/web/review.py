"""Was this you? Asked by the link in a mail, of whoever has that mail, signed in or not."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from devices.core import sessions
from devices.core.watch import review
from devices.exceptions import ReviewLinkExpired, ReviewLinkInvalid, ReviewLinkSpent
from devices.models import Activity, DeviceSession

from . import words
from .stepup import recently_confirmed, session_of

ANSWERS = {"yes": True, "no": False}


# Whoever has the mail may answer, also where LoginRequiredMiddleware is.
@method_decorator([login_not_required, never_cache], name="dispatch")
class ReviewView(View):
    """Looking changes nothing, since scanners follow links; an answer counts once, and a no after a yes."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except ReviewLinkInvalid as error:
            return _refusal(request, error)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return _page(request, **_asked(self.find(request)))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        session = self.find(request)
        is_mine = ANSWERS.get(request.POST.get("answer", ""))
        if is_mine is None:
            return _page(request, status=400, **_asked(session))
        session = sessions.review(session.pk, is_mine=is_mine)
        answer = "yes" if is_mine else "no"
        return _page(request, session=session, answer=answer, password_url=review.password_url())

    def find(self, request: HttpRequest) -> DeviceSession:
        """The session that is asked about: whoever has the mail has its token."""
        return sessions.asked_about(review.session_of(request.GET.get(review.TOKEN, "")))


@method_decorator(recently_confirmed, name="dispatch")
class ReviewOtherView(ReviewView):
    """The same, asked in another session of the owner's: one that owes no proof, and never about itself."""

    def find(self, request: HttpRequest) -> DeviceSession:
        current, asked = session_of(request), self.kwargs["pk"]
        session = sessions.asked_about(asked)
        if current is None or current == session or current.user_id != session.user_id:
            raise ReviewLinkSpent
        return session


def _asked(session: DeviceSession) -> dict[str, Any]:
    return {"session": session, "is_answered": session.reviewed_at is not None, **_shown(session)}


def _shown(session: DeviceSession) -> dict[str, Any]:
    line = Activity.objects.filter(
        session_id=session.pk, user_id=session.user_id, kind__endswith=".suspicious"
    ).order_by("-at")
    strange = line.first()
    return {
        "place": words.place(session),
        "method": words.method(session),
        "reasons": words.reasons(strange.data) if strange else [],
    }


def _refusal(request: HttpRequest, error: ReviewLinkInvalid) -> HttpResponse:
    match error:
        case ReviewLinkExpired():
            why, status = (
                _("This link is older than seven days, so it does not work any more."),
                410,
            )
        case ReviewLinkSpent():
            why, status = _("This question was answered already, or the sign-in is long over."), 410
        case _:
            why, status = _("This link is not one of ours. Was it copied whole?"), 404
    return _page(request, status=status, why=why)


def _page(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    response = render(request, "devices/review.html", context, status=status)
    response.headers["X-Robots-Tag"] = "noindex"
    return response
