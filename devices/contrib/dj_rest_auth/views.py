"""Those of dj-rest-auth's views that have to know sessions."""

from typing import Any

from dj_rest_auth import views as stock
from dj_rest_auth.app_settings import api_settings
from dj_rest_auth.jwt_auth import get_refresh_view, unset_jwt_cookies
from django.utils.translation import gettext_lazy as in_its_words
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.permissions import RecentlyConfirmed
from devices.core import sessions, tokens
from devices.exceptions import SessionError
from devices.http import get_client, get_session

from .serializers import CookieTokenRefreshSerializer


class PasswordsAsTyped:
    """Takes a password as it is: what is stripped where it is set is refused where it is asked for."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer, whose passwords are not stripped."""
        serializer = super().get_serializer(*args, **kwargs)  # type: ignore[misc]
        for name, field in serializer.fields.items():
            if "password" in name:
                field.trim_whitespace = False
        return serializer


class RefreshView(get_refresh_view()):  # type: ignore[misc]
    """A refresh moves the session on; the cookies follow."""

    serializer_class = CookieTokenRefreshSerializer


class LogoutView(stock.LogoutView):
    """Signing out ends the session: that of the access token, or of the refresh token in cookie or body."""

    def logout(self, request: Request) -> Response:
        session = get_session(request)
        if session is not None:
            sessions.logout(session)
        else:
            self._by_refresh_token(request)
        response = Response({"detail": in_its_words("Successfully logged out.")})
        unset_jwt_cookies(response)
        return response

    @staticmethod
    def _by_refresh_token(request: Request) -> None:
        name = api_settings.JWT_AUTH_REFRESH_COOKIE
        body: Any = request.data
        sent = body.get("refresh") if hasattr(body, "get") else None
        held = sent or (request.COOKIES.get(name) if name else None)
        try:
            claims = tokens.read_refresh(str(held or ""))
            sessions.logout_by_refresh_token(claims, get_client(request))
        except SessionError:
            # The same answer for any token (RFC 7009).
            return


class PasswordResetConfirmView(PasswordsAsTyped, stock.PasswordResetConfirmView):
    """dj-rest-auth's, which takes a password as it is."""


class PasswordChangeView(PasswordsAsTyped, stock.PasswordChangeView):
    """Asks for a recent proof where it does not ask for the old password (OLD_PASSWORD_FIELD_ENABLED)."""

    def get_permissions(self) -> list[Any]:
        if api_settings.OLD_PASSWORD_FIELD_ENABLED:
            return [IsAuthenticated()]
        return [IsAuthenticated(), RecentlyConfirmed()]
