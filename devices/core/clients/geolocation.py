"""From an address to its place. Pure and offline; the backend is named by GEO_BACKEND."""

import ipaddress
import logging
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from django.utils.module_loading import import_string

from devices.conf import conf

from .networks import carries_others

logger = logging.getLogger(__name__)

CITY_LENGTH = 128
_ADDRESS_LENGTH = 45  # the longest text of an address: IPv6 with an embedded IPv4


class Location(NamedTuple):
    """Where an IP address is. Unknown parts are empty."""

    country: str = ""  # ISO 3166-1 alpha-2
    city: str = ""
    latitude: float | None = None  # degrees, north is positive
    longitude: float | None = None  # degrees, east is positive
    # Of a network that carries the traffic of people elsewhere only its own country is known, not theirs.
    is_uncertain: bool = False

    @property
    def certain_country(self) -> str:
        """The country of the user of the address, "" if it is unknown."""
        return "" if self.is_uncertain else self.country


class Backend(Protocol):
    """Made once per process. `locate` is asked for public addresses only; it may raise."""

    def locate(self, address: str) -> Location:
        """Return the place of a public IP address; an empty Location if unknown.

        An exception counts as unknown.
        """


def locate(address: str | None) -> Location:
    """Return the place of an address, or an empty one.

    Private, reserved and malformed addresses have none. Never raises and logs no address: a place
    is an ornament, and no login may fail for it.
    """
    public = public_address(address)
    if public is None:
        return Location()
    try:
        found = _backend(conf.GEO_BACKEND).locate(public)
        if not isinstance(found, Location):
            raise TypeError("A geo backend returns a Location.")
        return found
    except Exception as error:  # whatever a backend or its file may raise
        logger.warning("The geo backend %s failed: %s", conf.GEO_BACKEND, type(error).__name__)
        return Location()


def public_address(address: str | None) -> str | None:
    """Return the address that can be looked up, with what an IPv6 one embeds; None if it is not public."""
    if not address or len(address) > _ADDRESS_LENGTH:
        return None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    ip = embedded(ip) or ip
    return str(ip) if ip.is_global and not ip.is_multicast else None


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def embedded(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside of an IPv6 one: mapped, 6to4 (RFC 3056) or NAT64 (RFC 6052)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


@lru_cache(maxsize=4)
def _backend(path: str) -> Backend:
    backend: Backend = import_string(path)()
    return backend


class Iptocc:
    """The country by the regional registries' data, which the package iptocc carries in itself.

    It is where a network is registered. For relays, satellites, content networks and hosting that
    says little about who uses it: see `networks`.
    """

    def __init__(self) -> None:
        import iptocc

        self._country_code = iptocc.country_code

    def locate(self, address: str) -> Location:
        """Return the country in which the address is registered."""
        country = self._country_code(address) or ""
        return Location(country, is_uncertain=bool(country) and carries_others(address))


class GeoIP2:
    """City and coordinates from the MaxMind or DB-IP file that Django's GEOIP_PATH names.

    Needs the package geoip2. The file is opened once and kept open. What it does not know, and
    everything if it cannot be opened, is looked up in the registries' data.
    """

    def __init__(self) -> None:
        self._registries = Iptocc()
        self._database: Any = None
        try:
            from django.contrib.gis.geoip2 import GeoIP2 as Database

            self._database = Database()
        except Exception as error:  # whatever the package, the settings or the file may raise
            logger.error(
                "Cannot use the database of GEOIP_PATH; countries come from the registries' data: %s",
                type(error).__name__,
            )

    def locate(self, address: str) -> Location:
        """Return the place from the city database; from the registries if it is not there."""
        found = self._look_up(address)
        if not found.get("country_code"):
            return self._registries.locate(address)
        return Location(
            country=found["country_code"],
            city=(found.get("city") or "")[:CITY_LENGTH],
            latitude=found.get("latitude"),
            longitude=found.get("longitude"),
        )

    def _look_up(self, address: str) -> dict[str, Any]:
        if self._database is None:
            return {}
        from geoip2.errors import AddressNotFoundError

        try:
            if self._database.is_city:
                return dict(self._database.city(address))
            return dict(self._database.country(address))
        except AddressNotFoundError:
            return {}
