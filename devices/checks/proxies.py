"""Which proxies are trusted."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error


def check() -> Iterator[CheckMessage]:
    proxies = getattr(settings, "DEVICES", {}).get("TRUSTED_PROXIES", ())
    if isinstance(proxies, str) or not all(_is_network(cidr) for cidr in proxies):
        yield Error(
            "DEVICES['TRUSTED_PROXIES'] is not a list of networks.",
            hint="Write CIDRs without host bits, for example ['10.0.0.0/8', 'fd00::/8'].",
            id="devices.E014",
        )
    elif not proxies and (settings.USE_X_FORWARDED_HOST or settings.SECURE_PROXY_SSL_HEADER):
        yield checks.Warning(
            "The site stands behind a proxy, but none is trusted: all sessions show the proxy's address.",
            hint="List the proxy's network in DEVICES['TRUSTED_PROXIES'].",
            id="devices.W015",
        )


def _is_network(cidr: Any) -> bool:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        return False
    return isinstance(cidr, str)
