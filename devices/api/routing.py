"""How a path of the API is served: with or without its trailing slash, never from a cache, and in the
transactions of its own verbs."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.urls import URLPattern, re_path
from django.views.decorators.cache import cache_control


def endpoint(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """The URL pattern of `route`, a regular expression without anchors and slash at its end.

    Both spellings answer, since a redirect would lose the body of a POST. `no-store` holds for errors too.
    ATOMIC_REQUESTS does not: it would undo what was counted or revoked before an answer of 401.
    """
    served = transaction.non_atomic_requests(cache_control(no_store=True)(view))
    pattern: URLPattern = re_path(rf"^{route}/?$", served, name=name)
    return pattern
