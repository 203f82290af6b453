"""Who operates the network of an address, from a database that ASN_DATABASE names. Offline."""

import logging
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from devices.conf import conf

from .geolocation import public_address

logger = logging.getLogger(__name__)

# A number has 32 bits (RFC 6793).
_NUMBER: Final = re.compile(r"AS([1-9]\d{0,9})", re.IGNORECASE)


class Operator(NamedTuple):
    """An autonomous system: a network under one operator."""

    asn: int
    name: str

    def __str__(self) -> str:
        return f"AS{self.asn} {self.name}".rstrip()


def operator_of(address: str | None) -> Operator | None:
    """Return who operates the network of an address; None if that is not known.

    Never raises, as `geolocation.locate`.
    """
    if not conf.ASN_DATABASE or (public := public_address(address)) is None:
        return None
    try:
        found = _reader(conf.ASN_DATABASE).get(public) or {}
        return Operator(
            int(found["autonomous_system_number"]),
            str(found.get("autonomous_system_organization", "")),
        )
    except KeyError:
        return None
    except Exception as error:  # whatever the package or the file may raise
        logger.warning("ASN_DATABASE cannot be used: %s", type(error).__name__)
        return None


def asn_of(address: str | None) -> int | None:
    """Return the number of the network that an address belongs to; None if it is not known."""
    operator = operator_of(address)
    return operator.asn if operator else None


def asn_in(text: str) -> int | None:
    """Return the number that a text such as "AS64496" states; None if it states none, or none is known."""
    match = _NUMBER.fullmatch(text)
    return int(match[1]) if match and conf.ASN_DATABASE else None


@lru_cache(maxsize=1)
def _reader(path: str) -> Any:
    import maxminddb

    return maxminddb.open_database(path)
