"""Where clients are: which proxies are believed, and the databases of addresses."""

import importlib.util
import ipaddress
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import conf
from devices.core.clients.geolocation import GeoIP2

from .paths import found

# RFC 9110, 5.1; servers drop names with an underscore, which WSGI cannot tell from a hyphen.
_HEADER = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


def check() -> Iterator[CheckMessage]:
    """Check the trusted proxies, and that databases of addresses can be read."""
    yield from _proxies()
    yield from _geolocation()


def _proxies() -> Iterator[CheckMessage]:
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


# The first networks of a database may have no country; in a real one some of these do.
_LOOKED_AT = 1000


def _geolocation() -> Iterator[CheckMessage]:
    """Check that the databases of addresses can be read, if they are set."""
    if conf.ASN_DATABASE and (problem := _problem_of_operators(Path(conf.ASN_DATABASE))):
        yield checks.Warning(
            f"The database of network operators cannot be used: {problem}.",
            hint="Set ASN_DATABASE to an ASN database of MaxMind or DB-IP (.mmdb), or leave it out.",
            id="devices.W105",
        )
    backend = found(conf.GEO_BACKEND)  # devices.E040 says if it is none.
    if not (isinstance(backend, type) and issubclass(backend, GeoIP2)):
        return
    if problem := _problem():
        yield checks.Warning(
            f"The city database cannot be used: {problem}.",
            hint="Set GEOIP_PATH to a City or Country database of MaxMind or DB-IP (.mmdb). Until "
            "then places are countries, from the registries' data.",
            id="devices.W101",
        )


def _problem_of_operators(path: Path) -> str:
    if importlib.util.find_spec("maxminddb") is None:
        return "the package geoip2 is not installed"
    if not path.is_file():
        return f"there is no file {path}"
    try:
        has_numbers = any("autonomous_system_number" in record for record in _records(path))
    except Exception as error:  # whatever the file makes the library raise
        return f"{path}: {error}"
    return "" if has_numbers else f"{path} has no numbers in the form of MaxMind's databases"


def _problem() -> str:
    if importlib.util.find_spec("geoip2") is None:
        return "the package geoip2 is not installed"
    path = getattr(settings, "GEOIP_PATH", None)
    if not path:
        return "GEOIP_PATH is not set"
    if not Path(path).exists():
        return f"there is no {path}"
    try:
        from django.contrib.gis.geoip2 import GeoIP2 as Database

        Database()
    except Exception as error:  # whatever the file makes the library raise
        return f"{path}: {error}"
    if Path(path).is_file() and not _has_countries(Path(path)):
        return f"{path} has no countries in the form of MaxMind's databases"
    return ""


def _has_countries(path: Path) -> bool:
    return any(
        isinstance(country := record.get("country"), dict) and "iso_code" in country
        for record in _records(path)
    )


def _records(path: Path) -> list[dict[str, Any]]:
    """Return the first records of a database."""
    import maxminddb

    with maxminddb.open_database(path) as database:
        found: Iterator[Any] = (record for _, record in islice(database, _LOOKED_AT))
        return [record for record in found if isinstance(record, dict)]
