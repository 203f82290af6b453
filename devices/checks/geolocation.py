"""The city database, which would otherwise be missed at the first login only."""

import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from devices.conf import conf
from devices.core.clients.geolocation import GeoIP2

# The first networks of a database may have no country; in a real one some of these do.
_LOOKED_AT = 1000


def check() -> Iterator[CheckMessage]:
    """Check that the databases of addresses can be read, if they are set."""
    if conf.ASN_DATABASE and (problem := _problem_of_operators(Path(conf.ASN_DATABASE))):
        yield checks.Warning(
            f"The database of network operators cannot be used: {problem}.",
            hint="Set ASN_DATABASE to an ASN database of MaxMind or DB-IP (.mmdb), or leave it out.",
            id="devices.W105",
        )
    try:
        backend = import_string(conf.GEO_BACKEND)
    except ImportError:
        return  # which devices.E040 says
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
