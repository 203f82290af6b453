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
    asked = list(settings.MIDDLEWARE)
    if COOKIES in asked and MIDDLEWARE not in asked:
        yield Error(
            "Whoever signs in to the admin or to pages stays in, however their session ended.",
            hint=f"Put {MIDDLEWARE} behind {COOKIES} in MIDDLEWARE.",
            id="devices.E024",
        )
    elif MIDDLEWARE in asked and COOKIES in asked[asked.index(MIDDLEWARE) :]:
        yield Error(
            "What stands before the users of cookies are known cannot ask whether they still live.",
            hint=f"Put {MIDDLEWARE} behind {COOKIES} in MIDDLEWARE.",
            id="devices.E025",
        )
    elif MIDDLEWARE not in asked:
        yield checks.Warning(
            "A browser is not known again: each sign-in adds a session beside the one it had.",
            hint=f"Put {MIDDLEWARE} into MIDDLEWARE.",
            id="devices.W018",
        )
