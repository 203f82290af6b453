"""The address of the client: the peer's, or behind trusted proxies the one that they state. Pure.

Forwarding headers grow to the right: each proxy appends the address that it was called from. What the
client wrote itself stands left of its own address, and nothing left of that is ever read.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Bits of an IPv6 address that one customer has at least, as a network.
IPV6_CUSTOMER: Final = 64

# REMOTE_ADDR behind a Unix socket: most servers have none, waitress a name, uWSGI an address of nobody.
_NO_PEERS: Final = (None, "", "localhost", "0.0.0.0")
# What nginx writes of a proxy that called it through a Unix socket.
_UNIX_SOCKET: Final = "unix:"
_REACH: Final = 4096  # characters, counted from the right; no chain of proxies is longer
_HOPS: Final = 64
_HOP_LENGTH: Final = 64  # characters; some parsers take quadratic time on long text


def resolve(
    peer: str | None, forwarded: str, trusted: Sequence[Network], *, is_rfc7239: bool = False
) -> str | None:
    """Return the IP address of the client, or None if it is unknown. Never raises.

    `peer` is REMOTE_ADDR; that of a Unix socket is a local proxy, and trusted as soon as any proxy
    is. `forwarded` is the value of the one header that the proxies write: a list of
    addresses, or with `is_rfc7239` the elements of `Forwarded` (RFC 7239, 4).

    The hops are walked from the right, up to the first that is not trusted. A hop that cannot be
    read ends the walk as well; then the last proxy before it is the answer.
    """
    client = None if peer in _NO_PEERS else _address(peer)
    is_proxy = bool(trusted) if peer in _NO_PEERS else _is_trusted(client, trusted)
    hops = islice(_hops(forwarded), _HOPS)
    while is_proxy and (hop := next(hops, None)) is not None:
        stated = _for(hop) if is_rfc7239 else hop.strip(" \t")
        if stated == _UNIX_SOCKET:
            continue
        address = _address(_without_port(stated))
        if address is None:
            break
        client, is_proxy = address, _is_trusted(address, trusted)
    return None if client is None else str(client)


def customer_block(address: str) -> str:
    """What counts as one address: an IPv6 customer has a whole /64 to choose from."""
    ip = ipaddress.ip_address(address)
    return str(ip if ip.version == 4 else ipaddress.ip_network((ip, IPV6_CUSTOMER), strict=False))


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _hops(value: str) -> Iterator[str]:
    """The elements of a list, the last one first. A comma in quotes is text (RFC 9110, 5.6.1 and 5.6.4)."""
    # From the right, too: what a client wrote with one quote in it must not swallow what a proxy appended.
    end, is_quoted = len(value), False
    start = max(end - _REACH, 0)
    for place in range(end - 1, start - 1, -1):
        if value[place] == '"' and value[place - 1 : place] != "\\":
            is_quoted = not is_quoted
        elif value[place] == "," and not is_quoted:
            yield value[place + 1 : end]
            end = place
    if start == 0:
        yield value[:end]


# One parameter of RFC 7239, 4, and the sign before the next one.
_PAIR = re.compile(
    r"[ \t]{0,8}([!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r'("(?:[^"\\]|\\.)*+"|[!#$%&\'*+.^_`|~0-9A-Za-z-]+)'
    r"[ \t]{0,8}(;|$)"
)


def _for(element: str) -> str:
    """The `for` of an element of `Forwarded`; "" where it has none, or is broken."""
    stated: str | None = None
    place, sign = 0, ";"
    while sign:
        pair = _PAIR.match(element, place)
        if pair is None:
            return ""
        name, text, sign = pair.groups()
        if name.lower() == "for":
            if stated is not None:
                return ""  # RFC 7239, 4: each parameter at most once
            stated = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        place = pair.end()
    return stated or ""


# A proxy may hide the port that it saw (RFC 7239, 6.3).
_PORT = re.compile(
    r"\[([^\[\]]+)\](?::(?:\d{1,5}|_[\w.-]+))?|([0-9.]+):(?:\d{1,5}|_[\w.-]+)", re.ASCII
)


def _without_port(hop: str) -> str:
    """Return the address of "192.0.2.1:80", "[2001:db8::1]" or "[2001:db8::1]:80"."""
    if len(hop) > _HOP_LENGTH:
        return ""
    match = _PORT.fullmatch(hop)
    return (match.group(1) or match.group(2)) if match else hop


def _address(text: str) -> Address | None:
    """Parse an address: without its zone, which means something on one machine only (RFC 4007, 6),
    and an IPv4 address mapped into IPv6 as what it is."""
    if len(text) > _HOP_LENGTH:
        return None
    try:
        ip = ipaddress.ip_address(text)
        if isinstance(ip, ipaddress.IPv6Address):
            return ip.ipv4_mapped or ipaddress.IPv6Address(int(ip))
    except ValueError:
        return None
    return ip
