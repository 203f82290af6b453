"""Each value in DEVICES by itself: of which kind it is, within which bounds, among which words."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.functional import Promise

from devices.conf import SECOND, UNITS, Conf
from devices.core.risk import rules

# What may stand for what a setting returns, and how that is called. Durations and numbers have a check of
# their own.
KINDS: Final[dict[Any, tuple[tuple[type, ...], str]]] = {
    bool: ((bool,), "True or False"),
    str: ((str, Promise), "a text"),
    Callable: ((str,), "an import path"),
    tuple: ((list, tuple, set, frozenset), "a list"),
    dict: ((Mapping,), "a dictionary"),
}


def check_kinds() -> Iterator[CheckMessage]:
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
    """Check numbers and durations, words, levels and points."""
    yield from _numbers()
    yield from _risk()
    yield from _site_data()


def _numbers() -> Iterator[CheckMessage]:
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


def _risk() -> Iterator[CheckMessage]:
    """Check the levels, points and rules of the risk score."""
    conf = Conf()
    levels = [str(level) for level in rules.LEVELS]
    thresholds: dict[str, Any] = {str(level): score for level, score in rules.LEVELS.items()}
    thresholds |= conf.RISK_LEVELS
    numbers = [score for score in thresholds.values() if score is not None]
    is_ordered = all(is_number(score, 1) for score in numbers) and numbers == sorted(numbers)
    if list(thresholds) != levels or not is_ordered:
        yield Error(
            "DEVICES['RISK_LEVELS'] has an unknown level, or is not in order.",
            hint=f"Give scores from 1 to 100, or None, for some of {', '.join(levels)}, in this order.",
            id="devices.E033",
        )
    unknown = conf.RISK_POINTS.keys() - rules.POINTS.keys()
    if unknown or not all(is_number(points, 0) for points in conf.RISK_POINTS.values()):
        yield Error(
            "DEVICES['RISK_POINTS'] has an unknown reason, or a value that is not a number.",
            hint=f"The reasons are {', '.join(rules.POINTS)}.",
            id="devices.E034",
        )


# What browsers know and delete without harm to the sessions. Others are ignored silently, as is a wrong case.
TYPES: Final = ("cache", "storage", "prefetchCache", "prerenderCache")
# W3C Clear Site Data, section 3.1, and "clientHints" of Chromium.
HARMFUL: Final = {
    "cookies": "it deletes those of other subdomains, and the one by which a device is known again",
    "*": 'it includes "cookies"',
    "clientHints": "the next sign-in knows less of its device",
    "executionContexts": "no browser does it",
}


def _site_data() -> Iterator[CheckMessage]:
    """Check that CLEAR_SITE_DATA names types of data that browsers may delete."""
    for name in Conf().CLEAR_SITE_DATA:
        if name not in TYPES:
            why = HARMFUL.get(str(name), "browsers do not know it")
            yield Error(
                f"DEVICES['CLEAR_SITE_DATA'] must not contain {name!r}: {why}.",
                hint=f"Write some of {', '.join(TYPES)}, without quotation marks within.",
                id="devices.E055",
            )
