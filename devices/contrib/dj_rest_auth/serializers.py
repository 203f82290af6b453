"""dj-rest-auth's serializers, with what a session has to know of a login."""

from typing import Any

from dj_rest_auth import serializers as stock
from dj_rest_auth.app_settings import api_settings

from devices.api.serializers import (
    FlagField,
    OtpField,
    TextField,
    TokenRefreshSerializer,
    answered,
)
from devices.exceptions import SessionRequired


class LoginSerializer(stock.LoginSerializer):
    """REST_AUTH["LOGIN_SERIALIZER"]: takes `otp` and `remember`, too, and answers 429 to too many guesses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A password is taken as it is.
        self.fields["password"].trim_whitespace = False
        self.fields["otp"] = OtpField(required=False, allow_blank=True)
        self.fields["remember"] = FlagField(write_only=True, default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        told = {"otp": attrs.pop("otp", ""), "remember": attrs.pop("remember")}
        with answered():
            attrs = super().validate(attrs)
        # For SessionTokens, which dj-rest-auth gives the user alone.
        self.context["request"]._request.rest_auth_login = told
        return attrs


class CookieTokenRefreshSerializer(TokenRefreshSerializer):
    """A refresh token from the body, or else from JWT_AUTH_REFRESH_COOKIE, moves its session on."""

    refresh = TextField(required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        cookie = api_settings.JWT_AUTH_REFRESH_COOKIE
        held = self.context["request"].COOKIES.get(cookie, "") if cookie else ""
        refresh = attrs.get("refresh") or held
        if not refresh:
            raise SessionRequired
        return super().validate({"refresh": refresh})
