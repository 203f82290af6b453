"""Numbers and durations in DEVICES, and keys that are none of its settings."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import SECOND, UNITS, Conf

# In more than this, no date of today's can be reckoned with.
LONGEST = timedelta(days=36525)
# What each key of DEVICES may hold: the least number, and whether None switches it off. A duration may be a
# timedelta, too.
DURATIONS = {
    "TOUCH_INTERVAL": (0, False),
    "REFRESH_GRACE": (0, False),
    "STEP_UP_MAX_AGE": (1, True),
    "SHORT_SESSION_MAX_AGE": (1, False),
    "IMPERSONATION_MAX_AGE": (1, False),
    "INACTIVE_DAYS": (1, False),
    "RETENTION_DAYS": (0, False),
    "RISK_MEMORY_DAYS": (1, False),
    "RISK_DORMANT_DAYS": (1, False),
    "NOTICE_LEASE": (1, False),
    "FEED_WAIT": (0, False),
    "DBSC_COOKIE_AGE": (1, False),
    "DPOP_MAX_AGE": (1, False),
    "IP_RETENTION_DAYS": (0, True),
    "ACTIVITY_RETENTION_DAYS": (1, True),
    "TRUSTED_DEVICE_MAX_AGE": (1, True),
}
NUMBERS = {
    "MAX_SESSIONS": (1, True),
    "LOGIN_FAILURES_PER_ACCOUNT": (1, False),
    "LOGIN_ATTEMPTS_PER_ADDRESS": (1, False),
    "FEED_WAITERS": (0, False),
}


def check() -> Iterator[CheckMessage]:
    """Check that each key of DEVICES is a setting, and that numbers and durations are in range."""
    given = getattr(settings, "DEVICES", {})
    known = {name for name, value in vars(Conf).items() if isinstance(value, cached_property)}
    for key in given.keys() - known:
        yield checks.Warning(
            f"DEVICES['{key}'] is not a setting.", hint="See docs/settings.md.", id="devices.W011"
        )
    age = given.get("SESSION_MAX_AGE", 90)
    if not (age and is_duration("SESSION_MAX_AGE", age, 0)):
        yield Error(
            "DEVICES['SESSION_MAX_AGE'] is no limit: not a duration above 0 and of at most 100 years.",
            hint="Set it to a timedelta or a number of days; NIST SP 800-63B asks for a limit.",
            id="devices.E012",
        )
    if not settings.USE_TZ:
        yield Error(
            "USE_TZ is False: the app needs time-zone-aware times.",
            hint="Set USE_TZ to True. Pages still show times in TIME_ZONE.",
            id="devices.E042",
        )
    for key, (least, optional) in (NUMBERS | DURATIONS).items():
        value = given.get(key, least)
        is_right = is_duration(key, value, least) if key in DURATIONS else is_whole(value, least)
        if not (is_right or (value is None and optional)):
            kind = "a timedelta or a number" if key in DURATIONS else "a whole number"
            most = " and at most 100 years" if key in DURATIONS else ""
            yield Error(
                f"DEVICES['{key}'] is not {kind} of at least {least}{most}.",
                hint="See docs/settings.md.",
                id="devices.E013",
            )


def is_whole(value: Any, least: int) -> bool:
    """Return whether the value is a whole number of at least `least`."""
    return is_number(value, least) and isinstance(value, int)


def is_number(value: Any, least: int) -> bool:
    """Return whether the value is a number (no bool) of at least `least`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def is_duration(key: str, value: Any, least: int) -> bool:
    """Return whether the value is a timedelta or a number, not below `least` in the unit of `key`.

    It is no longer than 100 years, either: dates could not be reckoned with it.
    """
    if isinstance(value, timedelta):
        return (timedelta() < value <= LONGEST) or (value == timedelta() and least == 0)
    return is_number(value, least) and value <= LONGEST / UNITS.get(key, SECOND)
