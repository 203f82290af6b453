"""Pages of the account that allauth has not."""

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.generic import TemplateView


class SignInAgainView(RedirectURLMixin, LoginRequiredMixin, TemplateView):
    """How people confirm that it is them who have neither a password nor a second factor here."""

    template_name = "account/sign_in_again.html"

    def get_default_redirect_url(self) -> str:
        return reverse("devices")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        where = self.get_success_url()
        logout(request)
        return redirect_to_login(where, redirect_field_name=REDIRECT_FIELD_NAME)
