"""Numbers and durations in DEVICES, and keys that are none of its settings."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import Conf, conf

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
    if not (age and is_duration(age, 0)):
        yield Error(
            "DEVICES['SESSION_MAX_AGE'] disables the absolute limit of sessions.",
            hint="Set it to a timedelta or a number of days; NIST SP 800-63B asks for a limit.",
            id="devices.E012",
        )
    if not settings.USE_TZ:
        yield Error(
            "USE_TZ is False: the app needs time-zone-aware times.",
            hint="Set USE_TZ to True. Pages still show times in TIME_ZONE.",
            id="devices.E042",
        )
    if is_duration(given.get("INACTIVE_DAYS"), 1) and conf.INACTIVE_DAYS < conf.IDLE_LIMIT:
        yield checks.Warning(
            "DEVICES['INACTIVE_DAYS'] is shorter than the idle limit, so it has no effect.",
            hint="SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] is the idle limit: shorten that instead.",
            id="devices.W043",
        )
    if is_duration(given.get("TOUCH_INTERVAL"), 0) and conf.TOUCH_INTERVAL >= conf.IDLE_LIMIT:
        yield Error(
            "DEVICES['TOUCH_INTERVAL'] is not shorter than the idle limit: sessions of pages end while used.",
            hint="SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] is the idle limit. A minute is usual.",
            id="devices.E054",
        )
    for key, (least, optional) in (NUMBERS | DURATIONS).items():
        value = given.get(key, least)
        is_right = is_duration if key in DURATIONS else is_number
        if not (is_right(value, least) or (value is None and optional)):
            kind = "timedelta or a number" if key in DURATIONS else "number"
            yield Error(
                f"DEVICES['{key}'] is not a {kind} of at least {least}.",
                hint="See docs/settings.md.",
                id="devices.E013",
            )


def is_number(value: Any, least: int) -> bool:
    """Return whether the value is a number (no bool) of at least `least`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def is_duration(value: Any, least: int) -> bool:
    """Return whether the value is a timedelta or a number, not below `least` in the setting's unit."""
    if isinstance(value, timedelta):
        return value > timedelta() or (value == timedelta() and least == 0)
    return is_number(value, least)
