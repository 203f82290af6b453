"""The address of the client: the peer's, or behind trusted proxies the one that they state. Pure.

Only `X-Forwarded-For` and `Forwarded` (RFC 7239) are read. Both grow to the right: each proxy adds
the address that it was called from, so whatever the client wrote itself stands furthest left.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDING_HEADERS: Final = ("x-forwarded-for", "forwarded")

_HEADER_LENGTH: Final = 32_768  # characters; a longer header is dropped unread
_HOPS: Final = 512
_HOP_LENGTH: Final = 64  # characters; some parsers take quadratic time on long text


def resolve(
    peer: str | None,
    forwarded: Mapping[str, Sequence[str] | str],
    trusted: Sequence[Network],
    header: str | None = None,
) -> str | None:
    """Return the address of the client, or None if nothing tells it. Never raises.

    `peer` is REMOTE_ADDR; the empty one of a Unix socket is a local proxy, and trusted as soon as
    any proxy is. `forwarded` maps lower-case header names to their values. From a trusted peer the
    hops are walked from the right up to the first that is not trusted; if all are, the leftmost is
    the client. It is all or nothing: one malformed, unknown or obfuscated hop drops the header.

    A proxy that writes one of the headers lets a client's own version of the other pass. So with
    both present they must agree, else the peer is the answer. `header` names the one that the
    proxies write; then the other is never looked at.
    """
    own = _address(peer or "")
    if not trusted or (peer and (own is None or not _is_trusted(own, trusted))):
        return _text(own)
    names = (header.lower(),) if header else FORWARDING_HEADERS
    stated = {_client(name, forwarded[name], trusted) for name in names if forwarded.get(name)}
    if len(stated) == 1 and (client := stated.pop()):
        return str(client)
    return _text(own)


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _client(name: str, values: Sequence[str] | str, trusted: Sequence[Network]) -> Address | None:
    """Return the client that a header states, None where it does not parse."""
    value = values if isinstance(values, str) else ",".join(values)
    if len(value) > _HEADER_LENGTH or value.count(",") >= _HOPS:
        return None
    hops = _forwarded(value) if name == "forwarded" else value.split(",")
    addresses = [_address(_without_port(hop.strip(" \t"))) for hop in hops]
    known = [address for address in addresses if address is not None]
    if not known or len(known) < len(addresses):
        return None
    return next((hop for hop in reversed(known) if not _is_trusted(hop, trusted)), known[0])


# One parameter of RFC 7239, 4, and the sign before the next one.
_PAIR = re.compile(
    r"[ \t]{0,8}([!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r'("(?:[^"\\]|\\.)*+"|[!#$%&\'*+.^_`|~0-9A-Za-z-]+)'
    r"[ \t]{0,8}([;,]|$)"
)


def _forwarded(value: str) -> list[str]:
    """Return the `for` of each element, "" where it has none; [""] for a broken header."""
    hops: list[str] = []
    hop: str | None = None
    place, sign = 0, ","
    while sign:
        pair = _PAIR.match(value, place)
        if pair is None:
            return [""]
        name, text, sign = pair.groups()
        if name.lower() == "for":
            if hop is not None:
                return [""]  # RFC 7239, 4: each parameter at most once
            hop = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        if sign != ";":
            hops.append(hop or "")
            hop = None
        place = pair.end()
    return hops


_PORT = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}", re.ASCII)


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
