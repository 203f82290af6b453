"""What every answer of the site goes through."""

import json
import logging
from collections.abc import Callable
from typing import Any, Final

from allauth.core import ratelimit
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template import loader
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from accounts import addresses, allauth_views, limits
from devices.core.database import is_outage
from devices.exceptions import KeysUnavailable, in_words

from .probes import PROBES

logger = logging.getLogger("project")

# Seconds after which an outage is worth another try.
RETRY_AFTER: Final = 30


class Middleware:
    """Passes a request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class DatabaseAway(Middleware):
    """503 for pages and the admin while the database or a key is unavailable. The API answers itself."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 if the database or a signing key is not available."""
        response: HttpResponse
        if not (is_outage(exception) or isinstance(exception, KeysUnavailable)):
            return None
        logger.error("The database, or a key, is not available: %s", exception)
        if request.path_info.startswith("/api/"):
            detail = "The service is not available just now. Try again."
            response = JsonResponse({"detail": detail, "code": "unavailable"}, status=503)
        else:
            # Without the request: the signed-in user would need the database.
            response = HttpResponse(loader.render_to_string("503.html"), status=503)
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response


class Probes(Middleware):
    """Answers `/healthz` and `/readyz` before the rest of the site is asked.

    A probe calls the pod by its IP address, which is not in ALLOWED_HOSTS, and over plain HTTP.
    Nothing in the answers depends on the host.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info.removesuffix("/"))
        if probe is None:
            return self.get_response(request)
        response = probe()
        response.headers["Cache-Control"] = "no-store"
        return response


class KnownDoors(Middleware):
    """Guard all views of allauth. One that is not listed is answered 404: see accounts.allauth_views."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if _is_allauth(request):
            # Nearly all of them show the user.
            patch_cache_control(response, no_store=True, private=True)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Two requests at once wrote what only one of them can: 409 to an app, the page anew in a browser.

        allauth moves the mark of the primary address in two steps, of which the first was done then.
        """
        if not (isinstance(exception, IntegrityError) and _is_allauth(request)):
            return None
        if request.user.is_authenticated:
            addresses.restore_primary(request.user.pk)
        if hasattr(getattr(request, "allauth", None), "headless"):
            return JsonResponse({"status": 409}, status=409)
        return redirect(request.get_full_path())

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponse | None:
        """Refuse views of allauth that are not listed, and throttle logins by passkey."""
        match = request.resolver_match
        if match is None or not _is_allauth(request):
            return None
        if not allauth_views.is_known(match.view_name):
            logger.error(
                "A view of allauth is not listed in accounts.allauth_views: %s", match.route
            )
            raise Http404
        if match.view_name in allauth_views.PASSKEY_LOGIN:
            limited: HttpResponse | None = ratelimit.consume_or_429(
                request, action="passkey", limit_get=True
            )
            return limited
        return None


def _is_allauth(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.route.startswith(allauth_views.ROUTES)


class RetryAfter(Middleware):
    """The time to wait in every answer 429 (RFC 6585 §4), also in those of allauth, which names none.

    Its JSON gets the list of errors that its other answers have.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 429:
            return response
        seconds = limits.retry_after(request)
        response.headers.setdefault("Retry-After", str(seconds))
        if _is_allauth(request) and response.headers["Content-Type"] == "application/json":
            message = _("Too many attempts. Try again in %(time)s.") % {"time": in_words(seconds)}
            error = {"code": "too_many_attempts", "message": message}
            response.content = json.dumps({"status": 429, "errors": [error]}).encode()
        return response
