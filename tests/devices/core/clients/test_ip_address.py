"""Whose address counts: the peer's, unless trusted proxies say otherwise (A20)."""

import time
from ipaddress import ip_network

import pytest

from devices.core.clients.ip_address import resolve

NONE = ()
LOCAL = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:aa::/48"))
DIRECT, PROXY, INNER = "198.51.100.9", "10.0.0.1", "10.0.0.2"
CLIENT, FORGED = "203.0.113.7", "192.0.2.66"
V6 = "2001:db8:1::7"


def xff(*values):
    """Several lines of a header reach Django as one (PEP 3333 leaves it to servers, RFC 9110, 5.3)."""
    return {"forwarded": ",".join(values)}


def fwd(*values):
    return {"forwarded": ",".join(values), "is_rfc7239": True}


TABLE = {
    # The peer itself.
    "nothing at all": (None, xff(""), NONE, None),
    "a peer over IPv4": (DIRECT, xff(""), NONE, DIRECT),
    "a peer over IPv6, in its short form": ("2001:0db8:1:0::7", xff(""), NONE, V6),
    "a peer mapped into IPv6": (f"::ffff:{DIRECT}", xff(""), NONE, DIRECT),
    "a peer on a local link loses its zone": ("fe80::1%eth0", xff(""), NONE, "fe80::1"),
    "a peer that is a name": ("testserver", xff(""), NONE, None),
    "a peer of a megabyte": (":" * 1_000_000, xff(""), NONE, None),
    "a peer with a port is none": (f"{DIRECT}:443", xff(""), NONE, None),
    "a trusted peer that forwards nothing": (PROXY, xff(""), PROXIES, PROXY),
    # A direct peer may write what it likes.
    "direct, X-Forwarded-For": (DIRECT, xff(FORGED), NONE, DIRECT),
    "direct, Forwarded": (DIRECT, fwd(f"for={FORGED}"), NONE, DIRECT),
    "direct, 127.0.0.1 is no magic word": (DIRECT, xff("127.0.0.1"), LOCAL, DIRECT),
    "direct, names a proxy of ours": (DIRECT, xff(f"{FORGED}, {PROXY}"), PROXIES, DIRECT),
    "direct beside trusted proxies": (DIRECT, xff(FORGED), PROXIES, DIRECT),
    "direct over IPv6 beside trusted proxies": (V6, xff(FORGED), PROXIES, V6),
    "direct, 500 hops": (DIRECT, xff(", ".join([FORGED] * 500)), PROXIES, DIRECT),
    "a peer that is no address is not trusted": ("unix", xff(FORGED), PROXIES, None),
    # Behind a trusted proxy, from the right.
    "one proxy": (PROXY, xff(CLIENT), PROXIES, CLIENT),
    "one proxy, the client forged a hop": (PROXY, xff(f"{FORGED}, {CLIENT}"), PROXIES, CLIENT),
    "the client forged ours": (PROXY, xff(f"{FORGED}, {INNER}, {CLIENT}"), PROXIES, CLIENT),
    "the client forged loopback": (PROXY, xff(f"127.0.0.1, {CLIENT}"), PROXIES, CLIENT),
    "two proxies": (PROXY, xff(f"{CLIENT}, {INNER}"), PROXIES, CLIENT),
    "two proxies and a forged hop": (PROXY, xff(f"{FORGED}, {CLIENT}, {INNER}"), PROXIES, CLIENT),
    "an unknown proxy is the client": (PROXY, xff(f"{CLIENT}, {DIRECT}"), PROXIES, DIRECT),
    "all hops are ours: the leftmost": (PROXY, xff(f"10.9.9.9, {INNER}"), PROXIES, "10.9.9.9"),
    "several header lines count as one": (PROXY, xff(FORGED, CLIENT), PROXIES, CLIENT),
    "several lines, two proxies": (PROXY, xff(f"{FORGED}, {CLIENT}", INNER), PROXIES, CLIENT),
    "blanks and tabs": (PROXY, xff(f"\t {CLIENT} \t,  {INNER}"), PROXIES, CLIENT),
    "no blanks": (PROXY, xff(f"{CLIENT},{INNER}"), PROXIES, CLIENT),
    "500 forged hops": (PROXY, xff(", ".join([FORGED] * 500 + [CLIENT])), PROXIES, CLIENT),
    "a proxy mapped into IPv6": (f"::ffff:{PROXY}", xff(CLIENT), PROXIES, CLIENT),
    "a proxy over IPv6": ("2001:db8:aa::1", xff(CLIENT), PROXIES, CLIENT),
    "a Unix socket": ("", xff(CLIENT), LOCAL, CLIENT),
    "a Unix socket, unnamed": (None, xff(CLIENT), LOCAL, CLIENT),
    "a Unix socket under waitress": ("localhost", xff(CLIENT), LOCAL, CLIENT),
    "a Unix socket under uWSGI": ("0.0.0.0", xff(CLIENT), LOCAL, CLIENT),
    "a Unix socket under uWSGI without trusted proxies": ("0.0.0.0", xff(FORGED), NONE, None),
    "a Unix socket without trusted proxies": ("", xff(FORGED), NONE, None),
    "a Unix socket, forged hop": ("", xff(f"{FORGED}, {CLIENT}, 127.0.0.1"), LOCAL, CLIENT),
    "between Unix sockets": ("", xff(f"{CLIENT}, unix:"), LOCAL, CLIENT),
    "a Unix socket before a proxy": (PROXY, xff(f"{CLIENT},{INNER}, unix:"), PROXIES, CLIENT),
    "the client forged a Unix socket": (PROXY, xff(f"unix:, {CLIENT}"), PROXIES, CLIENT),
    "nothing but a Unix socket": ("", xff("unix:"), LOCAL, None),
    # The forms of a hop.
    "a port": (PROXY, xff(f"{CLIENT}:51234"), PROXIES, CLIENT),
    "IPv6": (PROXY, xff(V6), PROXIES, V6),
    "IPv6 in brackets": (PROXY, xff(f"[{V6}]"), PROXIES, V6),
    "IPv6 in brackets with a port": (PROXY, xff(f"[{V6}]:443"), PROXIES, V6),
    "IPv6 in capitals": (PROXY, xff("2001:DB8:1::7"), PROXIES, V6),
    "mapped into IPv6": (PROXY, xff(f"::ffff:{CLIENT}"), PROXIES, CLIENT),
    "mapped, in brackets, with a port": (PROXY, xff(f"[::ffff:{CLIENT}]:1"), PROXIES, CLIENT),
    "a proxy of ours mapped": (PROXY, xff(f"{CLIENT}, ::ffff:{INNER}"), PROXIES, CLIENT),
    "a zone": (PROXY, xff("fe80::7%en0"), PROXIES, "fe80::7"),
    # What cannot be read ends the walk, and only where it is reached.
    "an empty header": (PROXY, xff(""), PROXIES, PROXY),
    "blanks alone": (PROXY, xff("  "), PROXIES, PROXY),
    "a comma alone": (PROXY, xff(f",{CLIENT}"), PROXIES, CLIENT),
    "an empty hop": (PROXY, xff(f"{FORGED},,{CLIENT}"), PROXIES, CLIENT),
    "an empty hop on the right": (PROXY, xff(f"{CLIENT},"), PROXIES, PROXY),
    "junk on the left": (PROXY, xff(f"junk, {CLIENT}"), PROXIES, CLIENT),
    "junk on the right": (PROXY, xff(f"{CLIENT}, junk"), PROXIES, PROXY),
    "junk between proxies": (PROXY, xff(f"{CLIENT}, junk, {INNER}"), PROXIES, INNER),
    "junk over a Unix socket": ("", xff(f"{FORGED}, junk"), LOCAL, None),
    "junk from a client over a Unix socket": ("", xff(f"junk, {CLIENT}"), LOCAL, CLIENT),
    "junk of a client inside": (PROXY, xff(f"junk, {INNER}"), PROXIES, INNER),
    "unknown": (PROXY, xff(f"unknown, {CLIENT}"), PROXIES, CLIENT),
    "markup": (PROXY, xff(f"<script>alert(1)</script>, {CLIENT}"), PROXIES, CLIENT),
    "a quote": (PROXY, xff(f'", {CLIENT}'), PROXIES, CLIENT),
    "a new line": (PROXY, xff(f"{CLIENT}\n{FORGED}"), PROXIES, PROXY),
    "leading zeros": (PROXY, xff("010.0.0.1"), PROXIES, PROXY),
    "a number": (PROXY, xff("3405803783"), PROXIES, PROXY),
    "a network": (PROXY, xff(f"{CLIENT}/32"), PROXIES, PROXY),
    "digits of another script": (PROXY, xff("２03.0.113.7"), PROXIES, PROXY),
    "a port that is none": (PROXY, xff(f"{CLIENT}:http"), PROXIES, PROXY),
    "half a bracket": (PROXY, xff(f"[{V6}"), PROXIES, PROXY),
    "a zone on IPv4": (PROXY, xff(f"{CLIENT}%eth0"), PROXIES, PROXY),
    "a hop longer than any address": (PROXY, xff("1" * 65), PROXIES, PROXY),
    "a megabyte of colons": (PROXY, xff(":" * 1_000_000), PROXIES, PROXY),
    "a megabyte, and the client": (PROXY, xff("x" * 1_000_000, CLIENT), PROXIES, CLIENT),
    "a megabyte of commas": (PROXY, xff("," * 1_000_000), PROXIES, PROXY),
    "ten thousand hops": (PROXY, xff(", ".join([FORGED] * 10_000 + [CLIENT])), PROXIES, CLIENT),
    "ten thousand proxies": (PROXY, xff(", ".join([FORGED] + [INNER] * 10_000)), PROXIES, INNER),
    "a surrogate": (PROXY, xff("\ud800"), PROXIES, PROXY),
    # Forwarded, RFC 7239.
    "Forwarded": (PROXY, fwd(f"for={CLIENT}"), PROXIES, CLIENT),
    "Forwarded, capitals": (PROXY, fwd(f"For={CLIENT};Proto=https"), PROXIES, CLIENT),
    "Forwarded, all it may hold": (
        PROXY,
        fwd(f'by=10.0.0.1;for={CLIENT};host="a, b; c";proto=http'),
        PROXIES,
        CLIENT,
    ),
    "Forwarded, a forged hop": (PROXY, fwd(f"for={FORGED}, for={CLIENT}"), PROXIES, CLIENT),
    "Forwarded, lines": (PROXY, fwd(f"for={FORGED}", f"for={CLIENT}"), PROXIES, CLIENT),
    "Forwarded, two proxies": (PROXY, fwd(f"for={CLIENT}, for={INNER}"), PROXIES, CLIENT),
    "Forwarded, a port": (PROXY, fwd(f'for="{CLIENT}:4711"'), PROXIES, CLIENT),
    "Forwarded, a hidden port": (PROXY, fwd(f'for="{CLIENT}:_app"'), PROXIES, CLIENT),
    "Forwarded, IPv6 with a hidden port": (PROXY, fwd(f'for="[{V6}]:_app"'), PROXIES, V6),
    "Forwarded, IPv6": (PROXY, fwd(f'for="[{V6}]"'), PROXIES, V6),
    "Forwarded, IPv6 with a port": (PROXY, fwd(f'for="[{V6}]:4711"'), PROXIES, V6),
    "Forwarded, an escape": (PROXY, fwd(r'for="203.0.\113.7"'), PROXIES, CLIENT),
    "Forwarded, unknown": (PROXY, fwd(f"for={FORGED}, for=unknown"), PROXIES, PROXY),
    "Forwarded, a client unknown to a proxy": (
        PROXY,
        fwd(f"for=unknown, for={INNER}"),
        PROXIES,
        INNER,
    ),
    "Forwarded, obfuscated": (PROXY, fwd(f"for={FORGED}, for=_hidden"), PROXIES, PROXY),
    "Forwarded, no for": (PROXY, fwd(f"for={FORGED}, proto=https"), PROXIES, PROXY),
    "Forwarded, for twice": (PROXY, fwd(f"for={FORGED};for={CLIENT}"), PROXIES, PROXY),
    "Forwarded, colon unquoted": (PROXY, fwd(f"for={CLIENT}:80"), PROXIES, PROXY),
    "Forwarded, no value": (PROXY, fwd("for="), PROXIES, PROXY),
    "Forwarded, trailing comma": (PROXY, fwd(f"for={CLIENT},"), PROXIES, PROXY),
    "Forwarded, quotes without end": (PROXY, fwd('for="' + "\\" * 30_001), PROXIES, PROXY),
    # Whatever the client leaves open, a proxy's own element stands.
    "Forwarded, a forged quote": (PROXY, fwd('for="', f"for={CLIENT}"), PROXIES, CLIENT),
    "Forwarded, a forged quote before a quoted address": (
        PROXY,
        fwd(f'for={FORGED};host="x', f'for="[{V6}]"'),
        PROXIES,
        V6,
    ),
    "Forwarded, a forged quote and a comma in one of ours": (
        PROXY,
        fwd('host="', f'for={CLIENT};host="a, b"'),
        PROXIES,
        CLIENT,
    ),
    "Forwarded, a forged escape": (PROXY, fwd('host="\\', f"for={CLIENT}"), PROXIES, CLIENT),
    "Forwarded, a forged element that is broken": (
        PROXY,
        fwd("for=", f"for={CLIENT}"),
        PROXIES,
        CLIENT,
    ),
}


@pytest.mark.parametrize(("peer", "headers", "trusted", "expected"), TABLE.values(), ids=TABLE)
def test_the_address_of_the_client(peer, headers, trusted, expected):
    assert resolve(peer, trusted=trusted, **headers) == expected


@pytest.mark.parametrize("is_rfc7239", [False, True])
@pytest.mark.parametrize(
    "piece",
    [
        ":",
        ",",
        "1.1.1.1,",
        "10.0.0.1,",
        "[",
        '"',
        "\\",
        "for=",
        'for="',
        "for=1.1.1.1,",
        "for=10.0.0.1,",
        ";",
        " ",
        "%",
        "\x00",
    ],
)
def test_no_header_takes_more_than_a_few_milliseconds(is_rfc7239, piece):
    for length in (30_000, 1_000_000):
        value = piece * (length // len(piece))
        start = time.process_time()
        resolve(PROXY, value, PROXIES, is_rfc7239=is_rfc7239)
        assert time.process_time() - start < 0.05
