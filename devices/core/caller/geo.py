"""From an address to its place. Pure and offline; the backend is named by GEO_BACKEND."""

import ipaddress
import logging
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from django.utils.module_loading import import_string

from devices.conf import conf

logger = logging.getLogger(__name__)

CITY_LENGTH = 128
_ADDRESS_LENGTH = 45  # the longest text of an address: IPv6 with an embedded IPv4


class Location(NamedTuple):
    country: str = ""  # ISO 3166-1 alpha-2
    city: str = ""
    latitude: float | None = None  # degrees, north is positive
    longitude: float | None = None  # degrees, east is positive


class Backend(Protocol):
    """Made once per process. `locate` is asked for public addresses only; it may raise."""

    def locate(self, address: str) -> Location: ...


def locate(address: str | None) -> Location:
    """Return the place of an address, or an empty one.

    Private, reserved and malformed addresses have none. Never raises and logs no address: a place
    is an ornament, and no login may fail for it.
    """
    public = _public(address)
    if public is None:
        return Location()
    try:
        return _backend(conf.GEO_BACKEND).locate(public)
    except Exception as error:  # whatever a backend or its file may raise
        logger.warning("The geo backend %s failed: %s", conf.GEO_BACKEND, type(error).__name__)
        return Location()


def _public(address: str | None) -> str | None:
    if not address or len(address) > _ADDRESS_LENGTH:
        return None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip) if ip.is_global and not ip.is_multicast else None


@lru_cache(maxsize=4)
def _backend(path: str) -> Backend:
    backend: Backend = import_string(path)()
    return backend


class Iptocc:
    """The country by the regional registries' data, which the package iptocc carries in itself."""

    def __init__(self) -> None:
        import iptocc

        self._country_code = iptocc.country_code

    def locate(self, address: str) -> Location:
        return Location(country=self._country_code(address) or "")


class GeoIP2:
    """City and coordinates from the MaxMind or DB-IP file that Django's GEOIP_PATH names.

    Needs the package geoip2. The file is opened once and kept open.
    """

    def __init__(self) -> None:
        from django.contrib.gis.geoip2 import GeoIP2 as Database
        from geoip2.errors import AddressNotFoundError

        self._database = Database()
        self._not_found = AddressNotFoundError

    def locate(self, address: str) -> Location:
        try:
            found = self._look_up(address)
        except self._not_found:
            return Location()
        return Location(
            country=found.get("country_code") or "",
            city=(found.get("city") or "")[:CITY_LENGTH],
            latitude=found.get("latitude"),
            longitude=found.get("longitude"),
        )

    def _look_up(self, address: str) -> dict[str, Any]:
        if self._database.is_city:
            return dict(self._database.city(address))
        return dict(self._database.country(address))
