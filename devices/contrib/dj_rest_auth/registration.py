"""Registration and logins with another site, by which allauth would sign the browser in, too."""

from typing import Any

from dj_rest_auth.app_settings import api_settings
from dj_rest_auth.registration import views as stock
from django.contrib.auth import logout
from rest_framework.request import Request
from rest_framework.response import Response

from devices.web.cookie import is_signed_in

from .views import PasswordsAsTyped


class TokensOnly:
    """One login, one session, the tokens': what allauth does to Django's session is undone."""

    request: Any

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        plain: Any = request._request
        plain.is_for_tokens = not api_settings.SESSION_LOGIN
        try:
            response: Response = super().post(request, *args, **kwargs)  # type: ignore[misc]
        finally:
            if plain.is_for_tokens and is_signed_in(plain, plain.user):
                logout(plain)
        return response


class RegisterView(TokensOnly, PasswordsAsTyped, stock.RegisterView):
    """dj-rest-auth's, without a cookie session beside the tokens."""


class SocialLoginView(TokensOnly, stock.SocialLoginView):
    """dj-rest-auth's, without a cookie session beside the tokens. Subclass it as you would theirs."""


class SocialConnectView(TokensOnly, stock.SocialConnectView):
    """dj-rest-auth's: links an account of another site to one's own, and answers with the tokens one has."""
