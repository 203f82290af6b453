"""Operators of networks: who they are, where that is stored, and how staff search by them."""

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from devices.checks import addresses
from devices.core import sessions
from devices.core.clients import operators
from devices.core.clients.client import Client
from devices.core.clients.operators import Operator, asn_in, operator_of
from devices.core.log import activity
from devices.core.staff.filters import InvalidSelection, Selection
from devices.models import Activity, DeviceSession

ACME = Operator(64496, "Acme Telecom")


@pytest.fixture(autouse=True)
def _fresh_reader():
    operators._reader.cache_clear()
    yield
    operators._reader.cache_clear()


def write(path, record):
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-ASN")
    writer.insert_network(IPSet(["8.8.8.0/24"]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def acme(settings, tmp_path):
    record = {
        "autonomous_system_number": ACME.asn,
        "autonomous_system_organization": ACME.name,
    }
    settings.DEVICES = {
        **settings.DEVICES,
        "ASN_DATABASE": str(write(tmp_path / "asn.mmdb", record)),
    }


def test_an_address_has_the_operator_of_its_network(acme):
    assert operator_of("8.8.8.8") == operator_of("::ffff:8.8.8.8") == ACME
    assert str(ACME) == "AS64496 Acme Telecom"
    for unknown in ("9.9.9.9", "10.0.0.1", "no address", None):
        assert operator_of(unknown) is None


def test_without_a_database_nothing_is_known_and_nothing_stored(alice):
    session = sessions.start(alice, Client("8.8.8.8"))
    assert operator_of("8.8.8.8") is session.asn is asn_in("AS64496") is None


def test_sessions_and_activities_have_the_number(acme, alice):
    session = sessions.start(alice, Client("8.8.8.8"))
    activity.record(session, "report.exported", ip_address="9.9.9.9")
    activity.record(session, "report.exported", ip_address="8.8.8.9")
    assert DeviceSession.objects.get(pk=session.pk).asn == ACME.asn
    exports = Activity.objects.filter(kind="report.exported").order_by("id")
    assert [each.asn for each in exports] == [None, ACME.asn]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("AS64496", 64496),
        ("as4294967295", 4294967295),
        ("AS0", None),
        ("ASX", None),
        ("64496", None),
    ],
)
def test_a_number_is_read_as_operators_write_it(acme, text, number):
    assert asn_in(text) == number


def test_a_file_that_cannot_be_used_is_said_by_the_check_and_stops_nobody(
    settings, tmp_path, alice
):
    (tmp_path / "text.mmdb").write_text("no database")
    write(tmp_path / "other.mmdb", {"country": {"iso_code": "FI"}})
    for name in ("missing.mmdb", "text.mmdb", "other.mmdb"):
        operators._reader.cache_clear()
        settings.DEVICES = {"ASN_DATABASE": str(tmp_path / name)}
        assert [message.id for message in addresses.check()] == ["devices.W105"], name
        assert sessions.start(alice, Client("8.8.8.8")).asn is None


def test_a_file_that_can_be_used_passes_the_check(acme):
    assert list(addresses.check()) == []


def test_staff_find_sessions_and_activities_by_operator(acme, alice, mallory, admin_client):
    began = sessions.start(alice, Client("8.8.8.8"))
    came = sessions.start(mallory, Client("9.9.9.9"))
    activity.record(came, "report.exported", ip_address="8.8.8.9")
    sessions.start(mallory, Client("9.9.9.9", "curl/8.5.0"))

    def found(model, term="as64496"):
        answer = admin_client.get(f"/admin/devices/{model}/", {"q": term})
        return answer.context["cl"].result_list

    assert {session.pk for session in found("devicesession")} == {began.pk, came.pk}
    assert {each.session_id for each in found("activity")} == {began.pk, came.pk}
    assert not found("devicesession", "AS64497")
    page = admin_client.get(f"/admin/devices/devicesession/{began.pk}/change/").content.decode()
    assert "AS64496 Acme Telecom" in page


def test_a_filter_selects_the_sessions_that_began_in_the_networks_of_an_operator(
    acme, alice, mallory
):
    began = sessions.start(alice, Client("8.8.8.8"))
    came = sessions.start(mallory, Client("9.9.9.9"))
    activity.record(came, "report.exported", ip_address="8.8.8.9")
    assert list(Selection.parse({"asn": "as64496"}).sessions()) == [began]
    assert list(Selection.parse({"asn": "AS64497"}).sessions()) == []


@pytest.mark.parametrize("text", ["64496", "AS0", "ACME", "AS99999999999"])
def test_a_filter_that_is_no_number_of_a_network_is_refused(acme, text):
    with pytest.raises(InvalidSelection, match="AS64496"):
        Selection.parse({"asn": text})


def test_a_filter_without_a_database_is_refused_since_it_would_find_nobody():
    with pytest.raises(InvalidSelection, match="ASN_DATABASE"):
        Selection.parse({"asn": "AS64496"})
