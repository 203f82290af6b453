"""Whether every way in asks for the session: authentication classes, serializers, backends, middleware."""

from collections.abc import Iterator
from inspect import signature
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt import settings as simplejwt

from .names import AUTHENTICATION, BACKEND, COOKIES, MIDDLEWARE, READERS, SERIALIZERS
from .urls import takes_ended_sessions


def check() -> Iterator[CheckMessage]:
    ours = import_string(AUTHENTICATION)
    asked: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    lax = [cls.__name__ for cls in asked if takes_ended_sessions(cls)]
    if lax or not any(issubclass(cls, ours) for cls in asked):
        yield Error(
            "The API does not ask whether a token's session is alive"
            + (f": {', '.join(lax)} lets it in." if lax else "."),
            hint=f"Put {AUTHENTICATION}, or a class derived from it, in place of SimpleJWT's into "
            "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'].",
            id="devices.E001",
        )
    for setting, name in SERIALIZERS.items():
        if not issubclass(
            import_string(getattr(simplejwt.api_settings, setting)), import_string(name)
        ):
            yield Error(
                f"SIMPLE_JWT['{setting}'] makes or takes tokens that have no session.",
                hint=f"Point it to {name} or a subclass; see docs/settings.md.",
                id="devices.E002",
            )
    backends = [import_string(name) for name in settings.AUTHENTICATION_BACKENDS]
    if not any(issubclass(backend, import_string(BACKEND)) for backend in backends):
        yield checks.Warning(
            "Passwords may be tried without limit.",
            hint=f"Put {BACKEND} into AUTHENTICATION_BACKENDS in place of Django's ModelBackend.",
            id="devices.W003",
        )
    elif early := _unlimited(backends, import_string(BACKEND)):
        yield Error(
            f"The right password gets in when guesses are blocked: {early} is asked before ours.",
            hint=f"Remove it, or put {BACKEND} first.",
            id="devices.E039",
        )
    yield from _middleware()


def _unlimited(backends: list[Any], ours: type) -> str:
    """Which backends check passwords before ours counts the attempt."""
    before = takewhile(lambda backend: not issubclass(backend, ours), backends)
    return ", ".join(
        backend.__name__
        for backend in before
        if issubclass(backend, ModelBackend)
        and "password" in signature(backend.authenticate).parameters
    )


def _middleware() -> Iterator[CheckMessage]:
    asked = [import_string(path) for path in settings.MIDDLEWARE]
    cookies = _place(asked, import_string(COOKIES))
    ours = _place(asked, import_string(MIDDLEWARE))
    behind = f"Put {MIDDLEWARE} directly behind {COOKIES} in MIDDLEWARE."
    if ours is None and cookies is not None:
        yield Error(
            "Whoever signs in to the admin or to pages stays in, however their session ended.",
            hint=behind,
            id="devices.E024",
        )
    elif ours is None:
        yield checks.Warning(
            "A browser is not known again: each sign-in adds a session beside the one it had.",
            hint=f"Put {MIDDLEWARE} into MIDDLEWARE.",
            id="devices.W018",
        )
    elif cookies is not None:
        between = settings.MIDDLEWARE[cookies + 1 : ours]
        early = [path for path in between if path in READERS or not path.startswith("django.")]
        if ours < cookies or early:
            names = ", ".join(early) or COOKIES
            yield Error(
                f"Middleware may see a user whose session has ended: {names} comes before ours.",
                hint=behind,
                id="devices.E025",
            )


def _place(classes: list[Any], wanted: type) -> int | None:
    """Where a class or a subclass of it first stands. Middleware may be functions, too."""
    found = (
        place
        for place, each in enumerate(classes)
        if isinstance(each, type) and issubclass(each, wanted)
    )
    return next(found, None)
