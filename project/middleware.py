"""What every answer of the site goes through."""

import logging
from collections.abc import Callable
from typing import Any

from allauth.core import ratelimit
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control

from accounts import doors
from devices.core.database import is_outage

logger = logging.getLogger("project")


class DatabaseAway:
    """503 while the database does not answer, for what is not the API's own to say: pages, the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not is_outage(exception):
            return None
        logger.error("The database does not answer: %s", exception)
        if request.path_info.startswith("/api/"):
            detail = "The service is not available just now. Try again."
            return JsonResponse({"detail": detail, "code": "unavailable"}, status=503)
        return HttpResponse(
            "Not available just now. Try again.", status=503, content_type="text/plain"
        )


class KnownDoors:
    """What holds for all views of allauth. One that nobody has looked at is 404: see accounts.doors."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if doors.is_allauth(request.resolver_match):
            # Whose account it is stands on nearly each of them.
            patch_cache_control(response, no_store=True, private=True)
        return response

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None:
            return None
        if not doors.is_known(match):
            logger.error("A view of allauth is not listed in accounts.doors: %s", match.route)
            raise Http404
        if match.view_name in doors.PASSKEY_LOGIN:
            limited: HttpResponse | None = ratelimit.consume_or_429(
                request, action="passkey", limit_get=True
            )
            return limited
        return None


class RetryAfter:
    """`Retry-After` in every answer 429 (RFC 6585 §4), also in those of allauth, which names none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 429:
            response.headers.setdefault("Retry-After", "60")
        return response
