"""Pages of the account that allauth has not, and views of allauth's that ask for more here."""

from typing import Any

from allauth.account import views
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.headless.account.views import ChangePasswordView
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.generic import TemplateView

from devices.web.stepup import recently_confirmed

# A new password ends all other sessions, so it asks for the proof that ending them asks for. allauth asks for
# the current password only, and would keep what was typed in a session while somebody confirms.
password_change = recently_confirmed(views.password_change)
password_set = recently_confirmed(views.password_set)


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
        return redirect_to_login(where, redirect_field_name=REDIRECT_FIELD_NAME)
