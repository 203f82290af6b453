"""Layer 3: CSRF checks of requests that a cookie authenticates, where Django's middleware has not run them.

Browsers send cookies with requests of other sites, and never an Authorization header.
"""

from typing import Any, Final

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.request import Request

from .exceptions import CsrfFailed
from .http import plain_request

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")


class _Check(CsrfViewMiddleware):
    """Django's checks, which return the reason of a refusal instead of a page."""

    def __init__(self) -> None:
        super().__init__(lambda request: None)  # type: ignore[arg-type]

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason

    def is_trusted_origin(self, request: HttpRequest) -> bool:
        """Whether the Origin header names this site, or one of CSRF_TRUSTED_ORIGINS."""
        return bool(super()._origin_verified(request))  # type: ignore[misc]


def enforce_token(request: HttpRequest | Request) -> None:
    """Require Django's CSRF token, and a good Origin or Referer, unless the method is safe.

    Raises CsrfFailed. Nothing is checked twice: what CsrfViewMiddleware has accepted stays accepted.
    """
    plain = plain_request(request)
    check = _Check()
    check.process_request(plain)
    if check.process_view(plain, None, (), {}):  # type: ignore[arg-type]
        raise CsrfFailed


def enforce_origin(request: HttpRequest | Request) -> None:
    """Require that a page of this site, or of CSRF_TRUSTED_ORIGINS, sent the request. Raises CsrfFailed.

    For endpoints that take nothing but a cookie, so that no CSRF token has to be fetched first. Browsers say
    by Sec-Fetch-Site (Fetch Metadata) where a request comes from, on HTTPS and on localhost, and no script
    can set it. Where it is missing, or names another origin of the same site, Origin decides. Not earlier: a
    page with the referrer policy "no-referrer" may send `Origin: null` to its own site. A request with
    neither header is refused.
    """
    plain = plain_request(request)
    if getattr(plain, "_dont_enforce_csrf_checks", False):
        # Django's test client.
        return
    site = plain.META.get("HTTP_SEC_FETCH_SITE", "")
    if site == "same-origin":
        return
    is_named = site in ("", "same-site") and "HTTP_ORIGIN" in plain.META
    if not (is_named and _Check().is_trusted_origin(plain)):
        raise CsrfFailed
