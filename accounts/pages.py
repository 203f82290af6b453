"""Pages of the account that allauth has not, and views of allauth's that ask for more here."""

from typing import Any

from allauth.account import views
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core import ratelimit
from allauth.headless.account.views import ChangePasswordView
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from devices.exceptions import OtpInvalid, OtpRequired, TooManyAttempts
from devices.web.step_up import confirmed_page

from . import limits, recovery
from .adapters import SIGN_IN_AGAIN
from .recovery import RecoveryError

# A new password ends all other sessions, so it asks for the proof that ending them asks for. allauth asks for
# the current password only, and would keep what was typed in a session while somebody confirms.
password_change = confirmed_page(views.password_change)
password_set = confirmed_page(views.password_set)


class AppPasswordView(ChangePasswordView):
    """The same for apps."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise_if_reauthentication_required(request, app="allauth.account")
        return super().handle(request, *args, **kwargs)


class SignInAgainView(RedirectURLMixin, LoginRequiredMixin, TemplateView):
    """How people confirm that it is them who have neither a password nor a second factor here."""

    template_name = "account/sign_in_again.html"

    def get_default_redirect_url(self) -> str:
        return reverse("devices:list")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        where = self.get_success_url()
        logout(request)
        request.session[SIGN_IN_AGAIN] = True
        return redirect_to_login(where, redirect_field_name=REDIRECT_FIELD_NAME)


# The link in the e-mail is enough, also with LoginRequiredMiddleware.
@method_decorator([login_not_required, never_cache], name="dispatch")
class RecoverView(View):
    """The link that takes an account back. Looking changes nothing, since scanners follow links."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        limited = ratelimit.consume_or_429(request, action="recover", limit_get=True)
        if limited is not None:
            return limited
        try:
            return super().dispatch(request, *args, **kwargs)
        except RecoveryError as error:
            return _recover_page(request, status=error.status, why=error.message)

    def get(self, request: HttpRequest) -> HttpResponse:
        point = recovery.find(request.GET.get(recovery.TOKEN, ""))
        if point.was_used:
            return _recover_page(request, is_done=True)
        return _recover_page(request, plan=recovery.plan(point))

    def post(self, request: HttpRequest) -> Any:
        point = recovery.find(request.GET.get(recovery.TOKEN, ""))
        if point.was_used:
            return _recover_page(request, is_done=True)
        code = request.POST.get("code", "").strip()
        try:
            user = recovery.recover(point, request, code)
        except (OtpRequired, OtpInvalid) as error:
            plan = recovery.plan(point)
            return _recover_page(request, status=400, plan=plan, problem=error.message)
        except TooManyAttempts as error:
            return limits.respond(request, error)
        if request.user.pk == user.pk:
            logout(request)
        messages.success(request, _("The account is yours again. Choose a new password."))
        return redirect(recovery.choose_password_url(user))


def _recover_page(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    response = render(request, "account/recover.html", context, status=status)
    response.headers["X-Robots-Tag"] = "noindex"
    return response
