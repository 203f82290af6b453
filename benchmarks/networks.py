"""Writes devices/core/clients/networks.py anew: networks that carry the traffic of people who are elsewhere.

Needs asn-ipv4.csv and asn-ipv6.csv of https://github.com/sapics/ip-location-db (lines of first address, last
address, number of the autonomous system, its name), made from RouteViews (CC BY 4.0):

    python -m benchmarks.networks FOLDER

The numbers are those of the operators in the registries. Of relays and satellites every network counts; of
content networks and hosting those of 16,384 addresses and more (IPv6: a /34), which are 96 of 100 addresses.
"""

import argparse
import csv
import ipaddress
import textwrap
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).parent.parent / "devices/core/clients/networks.py"

# Relays of browsers and companies, VPNs, satellites: whoever comes from there is a person, and elsewhere.
CARRIERS = {
    36183: "Akamai, for iCloud Private Relay",
    54113: "Fastly",
    14593: "Starlink",
    7155: "Viasat",
    40306: "Viasat",
    6621: "HughesNet",
    13955: "HughesNet",
    22351: "Intelsat",
    800: "OneWeb",
    22616: "Zscaler",
    62044: "Zscaler",
    53813: "Zscaler",
    55256: "Netskope",
    62371: "Proton",
    209103: "Proton",
    39351: "Mullvad",
}
# Content networks and hosting, which relays and VPNs use.
HOSTS = {
    **dict.fromkeys((13335, 209242, 132892, 202623), "Cloudflare"),
    **dict.fromkeys((20940, 16625, 12222, 21342, 21357, 32787, 31108, 18717), "Akamai"),
    **dict.fromkeys((16509, 14618, 8987), "Amazon"),
    **dict.fromkeys((15169, 396982), "Google"),
    **dict.fromkeys((8075, 8068), "Microsoft"),
    **dict.fromkeys((45102, 37963, 134963), "Alibaba"),
    **dict.fromkeys((132203, 45090), "Tencent"),
    **dict.fromkeys((136907, 55990), "Huawei Cloud"),
    **dict.fromkeys((24940, 213230, 212317), "Hetzner"),
    **dict.fromkeys((60781, 28753, 30633, 59253), "Leaseweb"),
    **dict.fromkeys((51167, 40021), "Contabo"),
    **dict.fromkeys((60068, 212238), "Datacamp"),
    **dict.fromkeys((136787, 207137, 147049), "PacketHub"),
    14061: "DigitalOcean",
    16276: "OVH",
    63949: "Linode",
    20473: "Vultr",
    31898: "Oracle",
    12876: "Scaleway",
    8560: "IONOS",
    9009: "M247",
    203020: "HostRoyale",
}
# What the operators themselves publish: https://www.cloudflare.com/ips, https://api.fastly.com/public-ip-list,
# https://techdocs.akamai.com/origin-ip-acl/docs/update-your-origin-server,
# https://digitalocean.com/geo/google.csv.
PUBLISHED = """
103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13 104.24.0.0/14 108.162.192.0/18 131.0.72.0/22
141.101.64.0/18 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 188.114.96.0/20 190.93.240.0/20
197.234.240.0/22 198.41.128.0/17 2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32
2405:8100::/32 2a06:98c0::/29 2c0f:f248::/32
23.235.32.0/20 43.249.72.0/22 104.156.80.0/20 140.248.64.0/18 140.248.128.0/17 146.75.0.0/17
151.101.0.0/16 157.52.64.0/18 167.82.0.0/17 172.111.64.0/18 185.31.16.0/22 199.27.72.0/21 199.232.0.0/16
2a04:4e40::/32 2a04:4e42::/32
2.16.0.0/13 23.0.0.0/12 23.32.0.0/11 23.64.0.0/14 23.72.0.0/13 23.192.0.0/11 69.192.0.0/16 72.246.0.0/15
88.221.0.0/16 92.122.0.0/15 95.100.0.0/15 96.6.0.0/15 96.16.0.0/15 104.64.0.0/10 118.214.0.0/16
173.222.0.0/15 184.24.0.0/13 184.50.0.0/15 184.84.0.0/14 2405:9600::/32 2600:1400::/24 2a02:26f0::/29
2a03:b0c0::/32 2604:a880::/32 2400:6180::/32
"""
# How many bits of an address are left out, and how many of such units a network of a host has at least.
UNITS = {4: (8, 64), 6: (88, 64)}

HEAD = '''"""Networks that carry others: relays, satellites, content networks, hosting.

Made by benchmarks/networks.py, which names them, from the routes that RouteViews saw in {month}
(https://www.routeviews.org, CC BY 4.0).
"""

import ipaddress
from bisect import bisect_right
from typing import Final

# Of each network how far it begins behind the end of the one before, and how long it is: in units of a /24 of
# IPv4 and a /40 of IPv6, to the base of 36.
_IPV4 = """
{ipv4}
"""
_IPV6 = """
{ipv6}
"""


def _networks(text: str) -> tuple[list[int], list[int]]:
    """The first and the last units."""
    firsts, lasts, end = [], [], 0
    for network in text.split():
        gap, length = (int(number, 36) for number in network.split(","))
        firsts.append(end + gap)
        lasts.append(end := end + gap + length - 1)
    return firsts, lasts


_NETWORKS: Final = {{4: (8, _networks(_IPV4)), 6: (88, _networks(_IPV6))}}


def carries_others(address: str) -> bool:
    """Tell whether who uses this address may well be in another country than its network."""
    ip = ipaddress.ip_address(address)
    shift, (firsts, lasts) = _NETWORKS[ip.version]
    unit = int(ip) >> shift
    place = bisect_right(firsts, unit) - 1
    return place >= 0 and unit <= lasts[place]
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--month", required=True, help="when the routes were seen, as in June 2026")
    options = parser.parse_args()
    texts = {
        f"ipv{version}": textwrap.fill(_text(options.folder, version), 100, break_on_hyphens=False)
        for version in UNITS
    }
    OUT.write_text(HEAD.format(month=options.month, **texts))


def _text(folder: Path, version: int) -> str:
    end, networks = 0, []
    for first, last in _united([*_merged(folder, version), *_published(version)]):
        networks.append(f"{_base36(first - end)},{_base36(last - first + 1)}")
        end = last
    return " ".join(networks)


def _published(version: int) -> Iterator[tuple[int, int]]:
    shift, _ = UNITS[version]
    for network in map(ipaddress.ip_network, PUBLISHED.split()):
        if network.version == version:
            yield int(network[0]) >> shift, int(network[-1]) >> shift


def _united(networks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for first, last in sorted(networks):
        if united and first <= united[-1][1] + 1:
            united[-1] = united[-1][0], max(last, united[-1][1])
        else:
            united.append((first, last))
    return united


def _merged(folder: Path, version: int) -> Iterator[tuple[int, int]]:
    """The networks, with what nobody announces between two of them if it is no longer than the first."""
    shift, least = UNITS[version]
    now: tuple[int, int] | None = None
    is_carrier = False
    for first, last, number in [*_rows(folder, version, shift), (1 << 128, 1 << 128, 0)]:
        is_ours = number in CARRIERS or number in HOSTS
        if now and is_ours and first - now[1] <= max(1, now[1] - now[0] + 1):
            now, is_carrier = (now[0], max(last, now[1])), is_carrier or number in CARRIERS
            continue
        if now and (is_carrier or now[1] - now[0] + 1 >= least):
            yield now
        now, is_carrier = ((first, last), number in CARRIERS) if is_ours else (None, False)


def _rows(folder: Path, version: int, shift: int) -> Iterator[tuple[int, int, int]]:
    with (folder / f"asn-ipv{version}.csv").open() as file:
        for first, last, number, _ in csv.reader(file):
            ends = (int(ipaddress.ip_address(end)) >> shift for end in (first, last))
            yield next(ends), next(ends), int(number)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


if __name__ == "__main__":
    main()
