"""Import paths in DEVICES and SIMPLE_JWT, and URL names, which would otherwise fail at the first login."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from rest_framework_simplejwt.settings import IMPORT_STRINGS

from .names import SERIALIZERS

# What each path leads to.
PATHS = (
    "CLAIMS",
    "SESSION_POLICY",
    "GEO_BACKEND",
    "LOGIN_PROOF",
    "ACCOUNT_RECOVERY_URL",
    "PROVIDER_PEOPLE",
    "LABEL_RULES",
    "RISK_RULES",
)
URL_NAMES = ("REAUTHENTICATION_URL", "PASSWORD_RESET_URL")


def check() -> Iterator[CheckMessage]:
    """Check that import paths and URL names in DEVICES exist."""
    given = getattr(settings, "DEVICES", {})
    for key in PATHS:
        value = given.get(key) or ()
        for path in [value] if isinstance(value, str) else value:
            if not _is_callable(path):
                yield Error(
                    f"DEVICES['{key}']: {path!r} is not the import path of a function or class.",
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


def check_simplejwt() -> Iterator[CheckMessage]:
    """Check that the import paths in SIMPLE_JWT exist: SimpleJWT reads them when it needs them."""
    given = getattr(settings, "SIMPLE_JWT", {})
    for key in (*IMPORT_STRINGS, *SERIALIZERS):
        value = given.get(key)
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, str) and not _is_callable(path):
                yield Error(
                    f"SIMPLE_JWT['{key}']: {path!r} is not the import path of a function or class.",
                    hint="Correct the path; see docs/existing-project.md.",
                    id="devices.E052",
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
