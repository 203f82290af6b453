"""What shared signals need of the settings."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.checks import values
from devices.conf import conf

from . import events, outbox


@checks.register("devices")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check what services with event streams need: an https issuer, and signing keys."""
    # Whose values are of another kind is told first, by the app's own check.
    return [] if any(values.check_kinds()) else list(_check())


def _check() -> Iterator[CheckMessage]:
    if not outbox.services():
        # Nobody may have a stream yet.
        return
    if urlsplit(events.issuer()).scheme != "https":
        yield Error(
            "Shared signals need an https URL as the issuer.",
            hint="Set SIMPLE_JWT['ISSUER']; see docs/ssf.md.",
            id="devices.E140",
        )
    if conf.SIGNING_KEYS is None:
        yield Error(
            "Shared signals need signing keys.",
            hint="Set DEVICES['SIGNING_KEYS']; see docs/keys.md.",
            id="devices.E141",
        )
