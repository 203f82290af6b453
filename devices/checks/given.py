"""Which of Django's settings the project has made itself."""

import sys
import warnings
from typing import Any

from django.conf import global_settings, settings


def is_given(name: str) -> bool:
    """Whether the project has set it.

    For Django, a class of django-configurations sets all: it has a copy of each of Django's own.
    """
    given: Any = settings
    if not given.is_overridden(name):
        return False
    if "configurations" not in sys.modules:
        return True
    with warnings.catch_warnings(action="ignore"):  # Their deprecation is told by Django itself.
        return bool(getattr(given, name) != getattr(global_settings, name, None))
