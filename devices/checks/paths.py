"""Import paths and URL names in DEVICES, which would otherwise fail at the first login."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

# What stands at each path.
PATHS = ("GEO_BACKEND", "LOGIN_PROOF", "LABEL_RULES", "RISK_RULES")
URL_NAMES = ("REAUTHENTICATION_URL", "PASSWORD_RESET_URL")


def check() -> Iterator[CheckMessage]:
    given = getattr(settings, "DEVICES", {})
    for key in PATHS:
        value = given.get(key) or ()
        for path in [value] if isinstance(value, str) else value:
            if not _is_callable(path):
                yield Error(
                    f"DEVICES['{key}']: there is nothing to call at {path!r}.",
                    hint="Give the import path of a function or class; see docs/settings.md.",
                    id="devices.E040",
                )
    for key in URL_NAMES:
        name = given.get(key)
        if name and "/" not in name and not _is_url(name):
            yield Error(
                f"DEVICES['{key}']: no URL is named {name!r}.",
                hint="Give the name of a URL without arguments.",
                id="devices.E041",
            )


def _is_callable(path: Any) -> bool:
    try:
        return callable(import_string(path))
    except (ImportError, AttributeError):
        return False


def _is_url(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True
