"""Addresses within networks, asked of the database."""

from ipaddress import ip_network

import pytest

from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import DeviceSession
from tests.client import CHROME


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("203.0.113.7/32", ["203.0.113.7"], ["203.0.113.6", "203.0.113.8"]),
        ("10.0.0.0/9", ["10.0.0.0", "10.127.255.255"], ["10.128.0.0", "9.255.255.255"]),
        ("2001:db8::/33", ["2001:db8::", "2001:db8:7fff::1"], ["2001:db8:8000::", "10.0.0.1"]),
        ("::/0", ["::1"], ["10.0.0.1"]),
    ],
)
def test_a_network_holds_its_addresses_and_no_others(alice, network, inside, outside):
    for ip in (*inside, *outside, None):
        sessions.start(alice, Client(ip, CHROME))
    found = DeviceSession.objects.within(ip_network(network))
    assert set(found.values_list("ip_address", flat=True)) == set(inside)
