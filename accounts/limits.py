"""When one may try again what allauth counts: it answers 429 and does not say."""

import math
import time
from typing import Any, Final

from allauth.account import app_settings
from allauth.core import ratelimit
from allauth.core.internal.ratelimit import Rate, get_cache_key, get_rates
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from devices.exceptions import TooManyAttempts

APP: Final = "allauth.account"


def consume(request: HttpRequest, action: str, *, key: str | None = None) -> None:
    """Count one more of an action. Raises TooManyAttempts, with the time to wait."""
    if not ratelimit.consume(request, action=action, key=key):
        raise TooManyAttempts(retry_after=wait(request, action, key=key) or 1)


def wait(request: HttpRequest, action: str, *, key: str | None = None) -> int:
    """Return the seconds until the action is allowed again; 0 if it is. Limits by a key need that key."""
    now = time.time()
    waits = [0.0]
    for rate in get_rates(app=APP, action=action):
        if _applies(rate, request, key):
            place = get_cache_key(request, app=APP, action=action, rate=rate, key=key)
            # The newest first. It is allowed once the last of as many as are allowed is too old to count.
            if len(history := cache.get(place, [])) >= rate.amount:
                waits.append(history[rate.amount - 1] + rate.duration - now)
    return math.ceil(max(waits))


def respond(request: HttpRequest, error: TooManyAttempts) -> HttpResponse:
    """Answer 429 as allauth does, with the time to wait."""
    request.retry_after = error.retry_after  # type: ignore[attr-defined]
    response: HttpResponse = ratelimit.respond_429(request)
    return response


def retry_after(request: Any) -> int:
    """Return the seconds to wait after an answer 429: as it was raised, or as allauth counts whoever asks."""
    known: int | None = getattr(request, "retry_after", None)
    if known is None:
        # Which of its limits refused it, allauth does not tell: after the longest wait all of them let it.
        known = max((wait(request, action) for action in app_settings.RATE_LIMITS), default=0)
        request.retry_after = known
    return max(known, 1)


def _applies(rate: Rate, request: HttpRequest, key: str | None) -> bool:
    match rate.per:
        case "user":
            return request.user.is_authenticated
        case "key":
            return key is not None
    return True
