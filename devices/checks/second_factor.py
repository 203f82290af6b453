"""Whether what knows second factors is there."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from devices.conf import Conf


def check() -> Iterator[CheckMessage]:
    """Check that SECOND_FACTOR names a class with the methods `has` and `verify`."""
    path = Conf().SECOND_FACTOR
    if path is not None and not _is_second_factor(path):
        yield Error(
            "DEVICES['SECOND_FACTOR'] is not a class that verifies second factors.",
            hint="Give the import path of a class with the methods has and verify; see docs/step-up.md.",
            id="devices.E030",
        )


def _is_second_factor(path: str) -> bool:
    try:
        backend = import_string(path)()
    except (ImportError, TypeError):
        return False
    return callable(getattr(backend, "has", None)) and callable(getattr(backend, "verify", None))
