"""Import paths in DEVICES and SIMPLE_JWT, and URL names, which would otherwise fail at the first login."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from rest_framework_simplejwt.settings import IMPORT_STRINGS

from .names import SERIALIZERS

# Where each path of DEVICES is set, and with how many arguments it is called.
PATHS = {
    "CLAIMS": 1,
    "SESSION_POLICY": 2,
    "GEO_BACKEND": 0,
    "LOGIN_PROOF": 2,
    "ACCOUNT_RECOVERY_URL": 2,
    "PROVIDER_PEOPLE": 2,
    "LABEL_RULES": 1,
    "RISK_RULES": 2,
}
URL_NAMES = ("REAUTHENTICATION_URL", "PASSWORD_RESET_URL")


def check() -> Iterator[CheckMessage]:
    """Check that import paths and URL names in DEVICES exist."""
    given = getattr(settings, "DEVICES", {})
    for key, arguments in PATHS.items():
        value = given.get(key) or ()
        for path in [value] if isinstance(value, str) else value:
            called = found(path)
            if not callable(called):
                yield Error(
                    f"DEVICES['{key}']: {path!r} is not the import path of a function or class.",
                    hint="Give the import path of a function or class; see docs/settings.md.",
                    id="devices.E040",
                )
            elif not _takes(called, arguments):
                yield Error(
                    f"DEVICES['{key}']: {path} is called with {arguments} arguments, which it does not take.",
                    hint="See docs/settings.md for what it is called with.",
                    id="devices.E106",
                )
    for key in URL_NAMES:
        name = given.get(key)
        if name and "/" not in name and not _is_url(name):
            yield Error(
                f"DEVICES['{key}']: no URL is named {name!r}.",
                hint="Give the name of a URL without arguments.",
                id="devices.E041",
            )
    factor = given.get("SECOND_FACTOR")
    if factor and not _is_second_factor(factor):
        yield Error(
            "DEVICES['SECOND_FACTOR'] is not a class that verifies second factors.",
            hint="Give the import path of a class with the methods has and verify; see docs/step-up.md.",
            id="devices.E030",
        )


def check_simplejwt() -> Iterator[CheckMessage]:
    """Check that the import paths in SIMPLE_JWT exist: SimpleJWT reads them when it needs them."""
    given = getattr(settings, "SIMPLE_JWT", {})
    for key in (*IMPORT_STRINGS, *SERIALIZERS):
        value = given.get(key)
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, str) and not callable(found(path)):
                yield Error(
                    f"SIMPLE_JWT['{key}']: {path!r} is not the import path of a function or class.",
                    hint="Correct the path; see docs/existing-project.md.",
                    id="devices.E052",
                )


def found(path: Any) -> Any:
    """What an import path leads to; None if it leads nowhere, or is none."""
    # Django's releases raise different errors for what is no absolute path.
    if not isinstance(path, str) or path.startswith(".") or not path:
        return None
    try:
        return import_string(path)
    except ImportError:
        return None


def import_path(cls: type) -> str:
    """The path by which a class is imported."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_second_factor(path: str) -> bool:
    try:
        backend = found(path)()
    except TypeError:
        return False
    return callable(getattr(backend, "has", None)) and callable(getattr(backend, "verify", None))


def _takes(called: Callable[..., Any], arguments: int) -> bool:
    """Whether it can be called with so many arguments, as far as Python can tell."""
    try:
        inspect.signature(called).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:
        pass  # There is no signature, as of some functions in C.
    return True


def _is_url(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True
