"""The cookies: their names and attributes, and who reads them."""

from datetime import datetime
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request

from devices.http import is_secure

# Django hides cookies with "token" in their name from the error reports that it mails to ADMINS.
REFRESH: Final = "refresh_token"
ACCESS: Final = "access_token"


def read(request: HttpRequest | Request, name: str) -> str:
    """Return the token in one of the cookies, or ""."""
    value: str = request.COOKIES.get(_full(request, name), "")
    return value


def write(
    request: HttpRequest | Request,
    response: HttpResponseBase,
    name: str,
    token: str,
    until: datetime,
) -> None:
    """Set one of the cookies, for the lifetime of its token.

    No script reads it (HttpOnly), no other site has it sent (SameSite=Strict), and over HTTPS no other host
    of the domain can set it (`__Host-`, RFC 6265bis, section 4.1.3.2).
    """
    response.set_cookie(
        _full(request, name),
        token,
        max_age=until - timezone.now(),
        secure=is_secure(request),
        httponly=True,
        samesite="Strict",
    )


def clear(request: HttpRequest | Request, response: HttpResponseBase) -> None:
    """Delete both cookies."""
    for name in (REFRESH, ACCESS):
        response.delete_cookie(_full(request, name), samesite="Strict")


def _full(request: HttpRequest | Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name
