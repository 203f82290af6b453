"""Places of addresses: by the registries, by a city database, and for addresses that have none."""

import logging
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from devices.core.caller import geo
from devices.core.caller.geo import Location, locate

PUBLIC = "8.8.8.8"  # an address of the United States, registered since 1992


@pytest.fixture(autouse=True)
def _fresh_backend():
    geo._backend.cache_clear()
    yield
    geo._backend.cache_clear()


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
    settings.DEVICES = {"GEO_BACKEND": "devices.core.caller.geo.Nowhere"}
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
        settings.DEVICES = {"GEO_BACKEND": "devices.core.caller.geo.GeoIP2"}

    return configure


@pytest.mark.parametrize("kind", ["GeoLite2-City", "GeoIP2-City", "DBIP-City-Lite"])
def test_a_city_database_knows_city_and_coordinates(geoip2, kind):
    geoip2(kind)
    assert locate(PUBLIC) == Location("FI", "Oulu", 65.01, 25.47)


@pytest.mark.parametrize("kind", ["GeoLite2-Country", "DBIP-Country-Lite"])
def test_a_country_database_knows_the_country_only(geoip2, kind):
    geoip2(kind)
    assert locate(PUBLIC) == Location(country="FI")


def test_an_address_that_the_database_lacks_has_no_place_and_is_nothing_to_log(geoip2, caplog):
    geoip2("GeoLite2-City")
    assert locate("1.1.1.1") == Location()
    assert caplog.text == ""


def test_the_database_is_opened_once(geoip2, tmp_path):
    geoip2("GeoLite2-City")
    assert locate(PUBLIC).city == "Oulu"
    (tmp_path / "places.mmdb").unlink()
    assert locate("8.8.8.9").city == "Oulu"


def test_without_its_file_the_city_backend_leaves_no_place(settings, tmp_path, caplog):
    settings.GEOIP_PATH = tmp_path / "missing.mmdb"
    settings.DEVICES = {"GEO_BACKEND": "devices.core.caller.geo.GeoIP2"}
    assert locate(PUBLIC) == Location()
    assert "GeoIP2Exception" in caplog.text
