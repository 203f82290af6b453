"""What the URLconf serves: views with an authentication or a serializer of their own."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework.views import APIView
from rest_framework_simplejwt import settings as simplejwt
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import TokenViewBase

from .names import AUTHENTICATION, SERIALIZERS

STOCK = "rest_framework_simplejwt.serializers"


def check() -> Iterator[CheckMessage]:
    for view in views(get_resolver().url_patterns):
        cls = getattr(view, "cls", None)
        if isinstance(cls, type) and issubclass(cls, APIView):
            yield from _authentication(view, cls)
        if isinstance(cls, type) and issubclass(cls, TokenViewBase):
            yield from _serializer(view, cls)


def views(patterns: list[Any]) -> Iterator[Any]:
    """The callback of each URL, with those that are included."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns)
        else:
            yield pattern.callback


def takes_ended_sessions(cls: type) -> bool:
    """Whether an authentication class reads the tokens of SimpleJWT, and not by way of ours."""
    return issubclass(cls, JWTAuthentication) and not issubclass(cls, import_string(AUTHENTICATION))


def _authentication(view: Any, cls: Any) -> Iterator[CheckMessage]:
    given = getattr(view, "initkwargs", {}).get(
        "authentication_classes", cls.authentication_classes
    )
    # Those of the settings are another check's.
    own = set(given) - set(drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    for each in own:
        if isinstance(each, type) and takes_ended_sessions(each):
            yield Error(
                f"{_name(cls)} lets tokens in after their session has ended, by {_name(each)}.",
                hint=f"Use {AUTHENTICATION} there, or derive the class from it.",
                id="devices.E047",
            )


def _serializer(view: Any, cls: Any) -> Iterator[CheckMessage]:
    try:
        used = cls(**getattr(view, "initkwargs", {})).get_serializer_class()
    except Exception:  # whatever a view wants to know of its request first
        return
    told = {import_string(getattr(simplejwt.api_settings, setting)) for setting in SERIALIZERS}
    ours = tuple(import_string(name) for name in SERIALIZERS.values())
    is_stock = any(base.__module__ == STOCK for base in used.__mro__)
    if is_stock and used not in told and not issubclass(used, ours):
        yield Error(
            f"{_name(cls)} makes or takes tokens that have no session, by {_name(used)}.",
            hint=f"Derive the serializer from one of {', '.join(SERIALIZERS.values())}. "
            "There are no sliding tokens.",
            id="devices.E038",
        )


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
