"""What browsers delete at sign-out: CLEAR_SITE_DATA."""

from collections.abc import Iterator
from typing import Final

from django.core.checks import CheckMessage, Error

from devices.conf import Conf

# What browsers know and delete without harm to the sessions. Others are ignored silently, as is a wrong case.
TYPES: Final = ("cache", "storage", "prefetchCache", "prerenderCache")
# W3C Clear Site Data, section 3.1, and "clientHints" of Chromium.
HARMFUL: Final = {
    "cookies": "it deletes those of other subdomains, and the one by which a device is known again",
    "*": 'it includes "cookies"',
    "clientHints": "the next sign-in knows less of its device",
    "executionContexts": "no browser does it",
}


def check() -> Iterator[CheckMessage]:
    """Check that CLEAR_SITE_DATA names types of data that browsers may delete."""
    for name in Conf().CLEAR_SITE_DATA:
        if name not in TYPES:
            why = HARMFUL.get(str(name), "browsers do not know it")
            yield Error(
                f"DEVICES['CLEAR_SITE_DATA'] must not contain {name!r}: {why}.",
                hint=f"Write some of {', '.join(TYPES)}, without quotation marks within.",
                id="devices.E055",
            )
