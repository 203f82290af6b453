"""Whether browsers can bind sessions to a key (DBSC), where they are asked to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import conf

from . import urls
from .numbers import is_duration

# Chromium 156 signs six times in nine minutes for all of a site, and renews up to two minutes ahead.
SHORTEST: Final = timedelta(minutes=5)


def check() -> Iterator[CheckMessage]:
    """Check what DBSC needs, if it is on."""
    if not conf.DBSC:
        return
    if not _has_endpoints():
        yield Error(
            "DEVICES['DBSC'] is on, but its URLs are missing, so no browser can bind a session.",
            hint="Include devices.web.urls in the URLconf, or devices.contrib.cookies.urls for apps alone.",
            id="devices.E110",
        )
    if settings.SESSION_COOKIE_DOMAIN or settings.SESSION_COOKIE_PATH != "/":
        yield Error(
            "DEVICES['DBSC'] is on, but the session cookie goes to other hosts, too, or only to some paths. "
            "The cookie that browsers renew is sent to this host and all its paths. Bound sessions would be "
            "refused elsewhere.",
            hint="Remove SESSION_COOKIE_DOMAIN and SESSION_COOKIE_PATH, or DEVICES['DBSC'].",
            id="devices.E111",
        )
    if not settings.SESSION_COOKIE_SECURE:
        yield checks.Warning(
            "DEVICES['DBSC'] is on, but the session cookie is also sent over plain HTTP. "
            "Browsers bind sessions over HTTPS only.",
            hint="Serve the site over HTTPS and set SESSION_COOKIE_SECURE.",
            id="devices.W112",
        )
    age: Any = getattr(settings, "DEVICES", {}).get("DBSC_COOKIE_AGE", 600)
    if is_duration("DBSC_COOKIE_AGE", age, 1) and conf.DBSC_COOKIE_AGE < SHORTEST:
        yield checks.Warning(
            "DEVICES['DBSC_COOKIE_AGE'] is so short that browsers stop renewing the cookie: "
            "Chromium signs at most six times in nine minutes.",
            hint=f"Set it to {SHORTEST.seconds} or more.",
            id="devices.W113",
        )


def _has_endpoints() -> bool:
    served = urls.views()
    return any(getattr(view, "proves_binding", False) for view in served)
