"""The page "Was this you?", behind the link in an e-mail. Nobody has to be signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from devices.core import sessions, step_up
from devices.core.notifications import review_links
from devices.exceptions import ReviewLinkExpired, ReviewLinkInvalid, ReviewLinkSpent
from devices.models import Activity, DeviceSession

from . import wording
from .step_up import session_of, to_confirm, to_sign_in

ANSWERS = {"yes": True, "no": False}


# The link in the e-mail is enough, also with LoginRequiredMiddleware.
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
        return self.answered(request, sessions.review(session.pk, is_mine=is_mine), is_mine)

    def answered(self, request: HttpRequest, session: DeviceSession, is_mine: bool) -> HttpResponse:
        """Render the page that follows the answer."""
        answer = "yes" if is_mine else "no"
        return _page(
            request, session=session, answer=answer, password_url=review_links.password_url()
        )

    def find(self, request: HttpRequest) -> DeviceSession:
        """The session in question, by the token in the e-mail."""
        return sessions.get_pending_review(
            review_links.session_of(request.GET.get(review_links.TOKEN, ""))
        )


class ReviewOtherView(ReviewView):
    """The same, asked in another session of the owner's: one that owes no proof, and never about itself.

    A yes leads back to the list, a no to another password.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        current = session_of(request)
        if current is None:
            return to_sign_in(request)
        if step_up.missing_proof(current):
            # To the question itself, since the form that was sent may stand on another page.
            return to_confirm(request, request.path)
        return super().dispatch(request, *args, **kwargs)

    def answered(self, request: HttpRequest, session: DeviceSession, is_mine: bool) -> HttpResponse:
        device = {"device": wording.isolated(session)}
        if is_mine:
            messages.success(request, _("We know %(device)s as yours from now on.") % device)
            return redirect("devices:list")
        return to_password(request, session) or super().answered(request, session, is_mine)

    def find(self, request: HttpRequest) -> DeviceSession:
        current, asked = session_of(request), self.kwargs["pk"]
        session = sessions.get_pending_review(asked)
        if current is None or current == session or current.user_id != session.user_id:
            raise ReviewLinkSpent
        return session


def to_password(request: HttpRequest, session: DeviceSession) -> HttpResponse | None:
    """Where signing out a stranger ends: at another password. None where the site has no page for it."""
    url = review_links.change_url()
    if not url:
        return None
    text = _(
        "Signed out: %(device)s. Now choose another password, because that person may know yours. This signs"
        " out all other devices, too."
    )
    messages.warning(request, text % {"device": wording.isolated(session)})
    return redirect(url)


def _asked(session: DeviceSession) -> dict[str, Any]:
    return {"session": session, "is_answered": session.reviewed_at is not None, **_shown(session)}


def _shown(session: DeviceSession) -> dict[str, Any]:
    line = Activity.objects.filter(
        session_id=session.pk, user_id=session.user_id, kind__endswith=".suspicious"
    ).order_by("-at")
    unusual = line.first()
    return {
        "place": wording.place(session),
        "method": wording.method(session),
        "reasons": wording.reasons(unusual.data) if unusual else [],
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
