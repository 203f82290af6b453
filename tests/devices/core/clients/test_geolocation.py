"""Places of addresses: by the registries, by a city database, and for addresses that have none."""

import logging
import sys
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from devices.checks import addresses
from devices.core.clients import geolocation
from devices.core.clients.geolocation import Location, locate

PUBLIC = "8.8.8.8"  # an address of the United States, registered since 1992


@pytest.fixture(autouse=True)
def _fresh_backend():
    geolocation._backend.cache_clear()
    yield
    geolocation._backend.cache_clear()


class Counting:
    made = 0

    def __init__(self):
        Counting.made += 1

    def locate(self, address):
        return Location(country="NZ", city=address)


class Failing:
    def locate(self, address):
        raise OSError(f"cannot read the place of {address}")


class Absent:
    def __init__(self):
        raise FileNotFoundError("no database")


def use(settings, backend):
    settings.DEVICES = {"GEO_BACKEND": f"{__name__}.{backend.__name__}"}


def test_a_public_address_is_in_a_country_without_any_file_or_key():
    assert locate(PUBLIC) == Location(country="US")


def test_ipv6_has_a_country_too():
    assert locate("2001:4860:4860::8888").country == "US"


def test_an_ipv4_address_mapped_into_ipv6_is_where_the_ipv4_address_is():
    assert locate(f"::ffff:{PUBLIC}") == locate(PUBLIC)


@pytest.mark.parametrize(
    "address",
    [
        *(None, "", " ", "localhost", "example.org", "1.2.3", "1.2.3.4.5", "999.1.1.1", "08.8.8.8"),
        *("8.8.8.8:53", "8.8.8.8/24", "[2001:db8::1]", "8.8.8.8\n", "８.8.8.8", "\x00", "\ud800"),
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1"),
        *("0.0.0.0", "192.0.2.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "2001:db8::1", "ff02::1"),
        *("::ffff:10.0.0.1", ":" * 1_000_000, "1" * 1_000_000, "%" * 100_000),
    ],
)
def test_private_reserved_and_malformed_addresses_have_no_place(settings, address):
    use(settings, Counting)
    assert locate(address) == Location()


def test_the_backend_is_named_in_the_settings_and_made_once(settings):
    use(settings, Counting)
    Counting.made = 0
    assert locate(PUBLIC).city == PUBLIC
    assert locate("1.1.1.1").country == "NZ"
    assert Counting.made == 1


@pytest.mark.parametrize("backend", [Failing, Absent])
def test_a_failing_backend_leaves_no_place_and_no_address_in_the_log(settings, caplog, backend):
    use(settings, backend)
    with caplog.at_level(logging.WARNING):
        assert locate(PUBLIC) == Location()
    assert backend.__name__ in caplog.text
    assert PUBLIC not in caplog.text


def test_a_backend_that_does_not_exist_leaves_no_place(settings):
    settings.DEVICES = {"GEO_BACKEND": "devices.core.clients.geolocation.Nowhere"}
    assert locate(PUBLIC) == Location()


def database(path: Path, kind: str) -> Path:
    """Write a database of one network; `kind` is the type that its metadata states."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind, languages=["en"])
    place = {
        "country": {"iso_code": "FI", "names": {"en": "Finland"}},
        "city": {"names": {"en": "Oulu"}},
        "location": {"latitude": 65.01, "longitude": 25.47},
    }
    writer.insert_network(IPSet(["8.8.8.0/24"]), place)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def geoip2(settings, tmp_path):
    def configure(kind):
        settings.GEOIP_PATH = database(tmp_path / "places.mmdb", kind)
        settings.DEVICES = {"GEO_BACKEND": "devices.core.clients.geolocation.GeoIP2"}

    return configure


@pytest.mark.parametrize("kind", ["GeoLite2-City", "GeoIP2-City", "DBIP-City-Lite"])
def test_a_city_database_knows_city_and_coordinates(geoip2, kind):
    geoip2(kind)
    assert locate(PUBLIC) == Location("FI", "Oulu", 65.01, 25.47)


@pytest.mark.parametrize("kind", ["GeoLite2-Country", "DBIP-Country-Lite"])
def test_a_country_database_knows_the_country_only(geoip2, kind):
    geoip2(kind)
    assert locate(PUBLIC) == Location(country="FI")


def test_what_the_database_lacks_is_in_the_registries_country_and_nothing_to_log(geoip2, caplog):
    geoip2("GeoLite2-City")
    assert locate("90.63.0.1") == Location(country="FR")
    assert caplog.text == ""


def test_the_database_is_opened_once(geoip2, tmp_path):
    geoip2("GeoLite2-City")
    assert locate(PUBLIC).city == "Oulu"
    (tmp_path / "places.mmdb").unlink()
    assert locate("8.8.8.9").city == "Oulu"


def flat(path: Path) -> Path:
    """Write a database of the form that some publishers give to theirs: without MaxMind's nesting."""
    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type="Flat-City", languages=["en"]
    )
    writer.insert_network(IPSet(["90.63.0.0/24"]), {"country_code": "FI", "city": "Oulu"})
    writer.to_db_file(str(path))
    return path


def text(path: Path) -> Path:
    path.write_text("no database")
    return path


@pytest.mark.parametrize(
    "write", [lambda path: path, text, flat, lambda path: path.parent, lambda _: None]
)
def test_a_database_that_cannot_be_used_is_said_by_the_check_and_does_not_lose_the_country(
    settings, tmp_path, caplog, write
):
    settings.GEOIP_PATH = write(tmp_path / "places.mmdb")
    settings.DEVICES = {"GEO_BACKEND": "devices.core.clients.geolocation.GeoIP2"}
    assert [message.id for message in addresses.check()] == ["devices.W101"]
    for _ in range(3):
        assert locate("90.63.0.1") == Location(country="FR")
    assert caplog.text.count("GEOIP_PATH") <= 1


@pytest.mark.parametrize("kind", ["GeoLite2-City", "DBIP-City-Lite", "GeoLite2-Country"])
def test_a_database_that_can_be_used_passes_the_check(geoip2, kind):
    geoip2(kind)
    assert list(addresses.check()) == []


def test_the_package_may_be_missing(geoip2, monkeypatch, caplog):
    geoip2("GeoLite2-City")
    monkeypatch.setitem(sys.modules, "geoip2", None)
    monkeypatch.setitem(sys.modules, "django.contrib.gis.geoip2", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    [message] = addresses.check()
    assert "not installed" in message.msg
    assert locate("90.63.0.1").country == "FR"


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("::ffff:90.63.0.1", "FR"),
        ("2002:5a3f:1::1", "FR"),  # 6to4 (RFC 3056)
        ("64:ff9b::5a3f:1", "FR"),  # NAT64 (RFC 6052)
        ("2002:a00:1::1", ""),  # a private address in it
        ("64:ff9b::a00:1", ""),
    ],
)
def test_an_ipv4_address_inside_of_an_ipv6_one_is_looked_up(address, country):
    assert locate(address).country == country


# As the operators publish or announce them.
NETWORKS = {
    "iCloud Private Relay at Akamai": ("172.224.97.76", "172.225.16.1", "2a02:26f7:c8c0::1"),
    "iCloud Private Relay at Cloudflare": ("104.28.32.5", "2606:54c0:7680::1", "2a09:bac1:14a0::1"),
    "iCloud Private Relay at Fastly": ("146.75.160.1", "140.248.20.1", "2a04:4e41::1"),
    "Cloudflare WARP": ("104.28.212.1", "2a09:bac5:1::1", "162.159.192.1"),
    "Fastly": ("151.101.1.57", "199.232.18.1", "2a04:4e42::1"),
    "Akamai": ("23.32.1.1", "2.16.1.1", "104.64.3.4", "2a02:26f0::1"),
    "Starlink": ("98.97.20.1", "2605:59c8:1::1"),
    "Amazon": ("3.8.10.1", "52.16.1.1", "2600:1f18::1"),
    "Google Cloud": ("34.90.1.1", "35.190.1.1"),
    "Microsoft": ("20.50.2.1", "40.112.1.1"),
    "OVH": ("51.75.1.1", "2001:41d0:1::1"),
    "Hetzner": ("88.198.1.1", "2a01:4f8:1::1"),
    "DigitalOcean": ("139.59.1.1", "2a03:b0c0:1::1"),
    "Zscaler": ("165.225.1.1",),
}


@pytest.mark.parametrize("operator", NETWORKS)
def test_a_network_that_carries_others_is_in_its_own_country_and_that_is_uncertain(operator):
    for address in NETWORKS[operator]:
        place = locate(address)
        assert place.country, address
        assert place.is_uncertain, address
        assert place.certain_country == ""


@pytest.mark.parametrize(
    "address",
    [
        *("90.63.0.1", "91.10.1.1", "73.1.1.1", "86.1.2.3", "79.10.1.1", "83.40.1.1", "126.1.1.1"),
        *("2a01:e0a:1::1", "2003:1::1", "2601:1::1", "2a02:8071::1"),
    ],
)
def test_the_country_of_an_internet_provider_is_certain(address):
    place = locate(address)
    assert place.country and not place.is_uncertain
    assert place.certain_country == place.country


def test_a_city_database_is_believed_for_relays_too(geoip2, tmp_path, settings):
    geoip2("GeoLite2-City")
    assert not locate(PUBLIC).is_uncertain
