"""Whether every way in asks for the session: authentication classes, serializers, backends, middleware."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt import settings as simplejwt

# The doors are named, not imported: a door does not depend on another.
AUTHENTICATION = "devices.api.authentication.DeviceSessionAuthentication"
BACKEND = "devices.backends.LimitedModelBackend"
COOKIES = "django.contrib.auth.middleware.AuthenticationMiddleware"
MIDDLEWARE = "devices.web.middleware.DeviceMiddleware"
# Of Django's own, those that read `request.user` before the view is called.
READERS = {
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
}
SERIALIZERS = {
    "TOKEN_OBTAIN_SERIALIZER": "devices.api.serializers.SessionStartSerializer",
    "TOKEN_REFRESH_SERIALIZER": "devices.api.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "devices.api.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "devices.api.serializers.TokenBlacklistSerializer",
}


def check() -> Iterator[CheckMessage]:
    ours = import_string(AUTHENTICATION)
    asked: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    if not any(issubclass(cls, ours) for cls in asked):
        yield Error(
            "The API does not ask whether a token's session is alive.",
            hint=f"Put {AUTHENTICATION} into REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'].",
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
    yield from _middleware()


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
