"""Levels and points of unusual logins."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core.risk import rules

from .numbers import is_number


def check() -> Iterator[CheckMessage]:
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
