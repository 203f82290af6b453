"""The access token in dj-rest-auth's cookie."""

from dj_rest_auth.app_settings import api_settings
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.request import Request

from devices import csrf
from devices.api.authentication import DeviceSessionAuthentication
from devices.http import vary
from devices.models import DeviceSession


class JWTCookieAuthentication(DeviceSessionAuthentication):
    """In place of dj-rest-auth's class of that name: a bearer token, or the cookie JWT_AUTH_COOKIE.

    A cookie is taken from pages of this site and of CSRF_TRUSTED_ORIGINS only; with JWT_AUTH_COOKIE_USE_CSRF
    it needs Django's CSRF token, too.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, DeviceSession] | None:
        vary(request, "Cookie")
        found = super().authenticate(request)
        name = api_settings.JWT_AUTH_COOKIE
        access = request.COOKIES.get(name) if name else None
        if found is not None or not access:
            return found
        if api_settings.JWT_AUTH_COOKIE_USE_CSRF:
            csrf.enforce_token(request)
        elif request.method not in csrf.SAFE_METHODS:
            csrf.enforce_origin(request)
        return self.admit(request, access.encode(errors="replace"))
