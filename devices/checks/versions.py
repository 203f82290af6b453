"""Packages that parts of the app are for: whether they are as new as a part needs.

pip compares them only if a project names the part as an extra, as in `drf-devices[allauth]`.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from django.conf import settings
from django.core.checks import CheckMessage, Error

# The oldest release that a module works with; pyproject.toml has the same numbers.
NEEDED: Final = (
    ("devices.contrib.allauth", "django-allauth", "65.22.1"),
    ("devices.contrib.dj_rest_auth", "dj-rest-auth", "7.2"),
    ("devices.contrib.ninja", "django-ninja", "1.7"),
    ("devices.contrib.oauth_toolkit", "django-oauth-toolkit", "3.4"),
    ("devices.contrib.oauth_toolkit", "oauthlib", "3.3"),
)
# The settings that name such a module, which an older package may not even let be imported.
SETTINGS: Final = (
    "ACCOUNT_ADAPTER",
    "DEVICES",
    "HEADLESS_TOKEN_STRATEGY",
    "OAUTH2_PROVIDER",
    "REST_AUTH",
)


def check() -> Iterator[CheckMessage]:
    """Check the package behind each part in use. Otherwise the first login would find out, by a 500."""
    named = repr([getattr(settings, name, None) for name in SETTINGS])
    for module, package, needed in NEEDED:
        if not (module in sys.modules or module in named):
            continue
        try:
            installed = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        if _numbers(installed) < _numbers(needed):
            yield Error(
                f"{package} {installed} is installed, and {module} needs {needed} or newer.",
                hint=f'Install "{package}>={needed}".',
                id="devices.E156",
            )


def _numbers(version: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", version)]
