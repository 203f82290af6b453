"""Which proxies are trusted, and which of their headers."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

# RFC 9110, 5.1; servers drop names with an underscore, which WSGI cannot tell from a hyphen.
_HEADER = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


def check() -> Iterator[CheckMessage]:
    """Check that trusted proxies are networks, and that a site behind a proxy names them."""
    given = getattr(settings, "DEVICES", {})
    proxies = given.get("TRUSTED_PROXIES", ())
    header = given.get("TRUSTED_PROXY_HEADER", "X-Forwarded-For")
    if isinstance(proxies, str) or not all(_is_network(cidr) for cidr in proxies):
        yield Error(
            "DEVICES['TRUSTED_PROXIES'] is not a list of networks.",
            hint="Write CIDRs without host bits, for example ['10.0.0.0/8', 'fd00::/8'].",
            id="devices.E014",
        )
    elif not proxies and (settings.USE_X_FORWARDED_HOST or settings.SECURE_PROXY_SSL_HEADER):
        yield checks.Warning(
            "The site is behind a proxy, but trusts none: all sessions have the proxy's address.",
            hint="List the proxy's network in DEVICES['TRUSTED_PROXIES'].",
            id="devices.W015",
        )
    elif everybody := [cidr for cidr in proxies if not ipaddress.ip_network(cidr).prefixlen]:
        yield checks.Warning(
            f"DEVICES['TRUSTED_PROXIES'] has {everybody[0]}, which is everybody: clients choose their "
            "address by a header, so that limits and unusual sign-ins mean nothing.",
            hint="List the networks of your proxies.",
            id="devices.W069",
        )

    if not (isinstance(header, str) and _HEADER.fullmatch(header)):
        yield Error(
            "DEVICES['TRUSTED_PROXY_HEADER'] is not the name of a header.",
            hint="Name the header with the client's address, such as 'X-Forwarded-For'.",
            id="devices.E060",
        )
    elif not proxies and header != "X-Forwarded-For":
        yield checks.Warning(
            "DEVICES['TRUSTED_PROXY_HEADER'] has no effect, because no proxy is trusted.",
            hint="List the proxy's network in DEVICES['TRUSTED_PROXIES'].",
            id="devices.W061",
        )


def _is_network(cidr: Any) -> bool:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        return False
    return isinstance(cidr, str)
