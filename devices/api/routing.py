"""How a path of the API is served: with or without its trailing slash, and never from a cache."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path
from django.views.decorators.cache import cache_control


def endpoint(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """The URL pattern of `route`, a regular expression without anchors and slash at its end.

    Both spellings answer, since a redirect would lose the body of a POST. `no-store` holds for errors too.
    """
    pattern: URLPattern = re_path(rf"^{route}/?$", cache_control(no_store=True)(view), name=name)
    return pattern
