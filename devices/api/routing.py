"""How a path of the API is served: with or without its trailing slash, never from a cache, in the
transactions of its own verbs, and without a login on a page."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.urls import URLPattern, re_path
from django.views.decorators.cache import cache_control


def endpoint(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """The URL pattern of `route`, a regular expression without anchors and slash at its end.

    Both spellings answer, since a redirect would lose the body of a POST. `no-store` holds for errors too.
    ATOMIC_REQUESTS does not: it would undo what was counted or revoked before an answer of 401. Nor does
    LoginRequiredMiddleware: each view asks for a token, or for the secret of a service. What the project
    captures before (`api/<version>/`) is not for the view.
    """
    captured = re.compile(route).groupindex

    @wraps(view)
    def answer(request: Any, *_others: str, **given: str) -> Any:
        return view(request, **{each: given[each] for each in captured})

    uncached = cache_control(no_store=True)(answer)
    served = login_not_required(transaction.non_atomic_requests(uncached))
    pattern: URLPattern = re_path(rf"^{route}/?$", served, name=name)
    return pattern
