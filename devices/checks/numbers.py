"""Numbers in DEVICES, and keys that are none of its settings."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import Conf, conf

# What each key of DEVICES may hold: the least number, and whether None switches it off.
NUMBERS = {
    "TOUCH_INTERVAL": (0, False),
    "REFRESH_GRACE": (0, False),
    "MAX_SESSIONS": (1, True),
    "STEP_UP_MAX_AGE": (1, True),
    "SHORT_SESSION_MAX_AGE": (1, False),
    "IMPERSONATION_MAX_AGE": (1, False),
    "LOGIN_FAILURES_PER_ACCOUNT": (1, False),
    "LOGIN_ATTEMPTS_PER_ADDRESS": (1, False),
    "INACTIVE_DAYS": (1, False),
    "RETENTION_DAYS": (0, False),
    "RISK_MEMORY_DAYS": (1, False),
    "RISK_DORMANT_DAYS": (1, False),
    "NOTICE_LEASE": (1, False),
    "IP_RETENTION_DAYS": (0, True),
    "ACTIVITY_RETENTION_DAYS": (1, True),
}


def check() -> Iterator[CheckMessage]:
    given = getattr(settings, "DEVICES", {})
    known = {name for name, value in vars(Conf).items() if isinstance(value, property)}
    for key in given.keys() - known:
        yield checks.Warning(
            f"DEVICES['{key}'] is not a setting.", hint="See docs/settings.md.", id="devices.W011"
        )
    if not is_number(given.get("SESSION_MAX_AGE", 90), 0) or not given.get("SESSION_MAX_AGE", 90):
        yield Error(
            "DEVICES['SESSION_MAX_AGE'] switches the absolute limit of sessions off.",
            hint="Set it to a number of days; NIST SP 800-63B asks for a limit.",
            id="devices.E012",
        )
    if not settings.USE_TZ:
        yield Error(
            "USE_TZ is off: times of sessions cannot be compared.",
            hint="Set USE_TZ to True; TIME_ZONE stays what is shown.",
            id="devices.E042",
        )
    days: Any = given.get("INACTIVE_DAYS")
    if is_number(days, 1) and timedelta(days=days) < conf.IDLE_LIMIT:
        yield checks.Warning(
            "DEVICES['INACTIVE_DAYS'] is less than a session may be idle, so it has no effect.",
            hint="Set SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] to as long as a session may be idle.",
            id="devices.W043",
        )
    for key, (least, optional) in NUMBERS.items():
        value = given.get(key, least)
        if not (is_number(value, least) or (value is None and optional)):
            yield Error(
                f"DEVICES['{key}'] is not a number of at least {least}.",
                hint="See docs/settings.md.",
                id="devices.E013",
            )


def is_number(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least
