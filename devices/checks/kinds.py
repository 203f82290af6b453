"""Whether each value in DEVICES is of the kind of its setting: a text is no list, and "false" is true."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.functional import Promise

from devices.conf import Conf

# What may stand for what a setting returns, and how that is called. Durations and numbers have a check of
# their own.
KINDS: Final[dict[Any, tuple[tuple[type, ...], str]]] = {
    bool: ((bool,), "True or False"),
    str: ((str, Promise), "a text"),
    Callable: ((str,), "an import path"),
    tuple: ((list, tuple, set, frozenset), "a list"),
    dict: ((Mapping,), "a dictionary"),
}


def check() -> Iterator[CheckMessage]:
    """Check that each setting has a value of its type."""
    given = getattr(settings, "DEVICES", {})
    if not isinstance(given, Mapping):
        yield _error("DEVICES is not a dictionary.")
        return
    for key, value in given.items():
        setting = vars(Conf).get(key)
        if isinstance(setting, cached_property) and (kind := _kind(setting)) is not None:
            allowed, called = kind
            if not isinstance(value, allowed):
                yield _error(f"DEVICES['{key}'] is not {called}: {value!r}.")


def _kind(setting: cached_property[Any]) -> tuple[tuple[type, ...], str] | None:
    returned = get_type_hints(setting.func)["return"]
    hints = [get_origin(hint) or hint for hint in get_args(returned) or [returned]]
    if get_origin(returned) in KINDS:
        hints = [get_origin(returned)]
    kinds = [KINDS[hint] for hint in hints if hint in KINDS]
    if not kinds:
        return None
    allowed, called = kinds[0]
    return ((*allowed, NoneType), f"{called} or None") if NoneType in hints else (allowed, called)


def _error(message: str) -> Error:
    return Error(message, hint="See docs/settings.md.", id="devices.E048")
