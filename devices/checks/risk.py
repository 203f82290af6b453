"""Levels and points of unusual logins."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core.watch import risk

from .numbers import is_number


def check() -> Iterator[CheckMessage]:
    conf = Conf()
    levels = [str(level) for level in risk.LEVELS]
    thresholds: dict[str, Any] = {str(level): score for level, score in risk.LEVELS.items()}
    thresholds |= conf.RISK_LEVELS
    numbers = [score for score in thresholds.values() if score is not None]
    is_ordered = all(is_number(score, 1) for score in numbers) and numbers == sorted(numbers)
    if list(thresholds) != levels or not is_ordered:
        yield Error(
            "DEVICES['RISK_LEVELS'] names no levels, or not in their order.",
            hint=f"Give scores from 1 to 100, or None, for some of {', '.join(levels)}, in this order.",
            id="devices.E033",
        )
    unknown = conf.RISK_POINTS.keys() - risk.POINTS.keys()
    if unknown or not all(is_number(points, 0) for points in conf.RISK_POINTS.values()):
        yield Error(
            "DEVICES['RISK_POINTS'] gives points to no reason of ours, or is no number.",
            hint=f"The reasons are {', '.join(risk.POINTS)}.",
            id="devices.E034",
        )
