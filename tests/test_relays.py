"""Networks that carry the traffic of people elsewhere: no country of theirs is held against anybody.

Each by addresses that its operator publishes or announces; where they are, the registries alone say.
"""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client as Browser

from devices.core.clients.geolocation import locate
from devices.core.notifications import outbox
from devices.models import DeviceSession, Notification, RiskLevel
from tests.client import FIREFOX, IPHONE, PASSWORD, Device

HOME = "90.63.0.1"  # of an internet provider in France
TOKYO = "133.11.0.1"

NETWORKS = {
    "iCloud Private Relay, at Akamai": "172.224.97.76",
    "iCloud Private Relay, at Fastly": "146.75.160.1",
    "iCloud Private Relay, at Cloudflare": "104.28.32.5",
    "Cloudflare WARP": "2a09:bac5:1::1",
    "Fastly": "151.101.1.57",
    "Akamai": "23.32.1.1",
    "Starlink": "98.97.20.1",
    "Amazon": "3.8.10.1",
    "Google": "34.90.1.1",
    "Microsoft": "20.50.2.1",
    "Hetzner": "88.198.1.1",
    "DigitalOcean": "139.59.1.1",
}
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.4 Safari/605.1.15"
)
ORIGIN = {"HTTP_ORIGIN": "https://testserver"}


@pytest.fixture
def safari(alice, clock):
    """A browser at home that is known by its cookie, and has been there for a week."""
    device = Device(SAFARI, HOME)
    device.defaults |= ORIGIN
    device.sign_in(alice.email)
    clock.shift(timedelta(days=7))
    return device.rotate()


def of(device) -> DeviceSession:
    return DeviceSession.objects.get(pk=device.session_id)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_relay_of_ones_own_city_is_no_alarm(alice, safari, clock, network):
    for _ in range(2):
        # Home and the relay by turns, at once.
        for address in (NETWORKS[network], HOME):
            safari.defaults["REMOTE_ADDR"] = address
            safari.credentials()
            safari.sign_in(alice.email)
            session = of(safari)
            assert (session.risk_level, session.risk_score) == (RiskLevel.NONE, 0)
            assert session.is_place_uncertain == (address != HOME)
    assert not Notification.objects.exists()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_new_device_behind_a_relay_is_new_and_no_more(alice, safari, network):
    """25 points, as at a French provider's; it was 85, with an impossible journey to the United States."""
    device = Device(FIREFOX, NETWORKS[network]).sign_in(alice.email)
    assert of(device).risk_score == 25
    assert of(device).reauth_required_since is None


@pytest.mark.parametrize("network", NETWORKS)
def test_a_session_that_wanders_over_relays_is_not_noted(alice, safari, clock, network):
    safari.defaults["REMOTE_ADDR"] = NETWORKS[network]
    safari.rotate()
    clock.shift(300)
    safari.rotate()
    assert of(safari).unusual_uses == ""


def test_what_a_relay_hides_is_not_learned(alice, safari, clock):
    """Whoever used a relay of that country was not there: a stranger there is still one."""
    safari.defaults["REMOTE_ADDR"] = "98.97.20.1"
    safari.credentials()
    safari.sign_in(alice.email)
    assert locate("98.97.20.1").country == "US"
    clock.shift(timedelta(days=2))
    stranger = Device(FIREFOX, "73.1.1.1").sign_in(alice.email)  # a provider in the United States
    assert of(stranger).risk_level == RiskLevel.HIGH


def test_a_thief_with_another_device_is_doubted_from_hosting_too(alice, safari):
    thief = Device(FIREFOX, NETWORKS["Hetzner"])
    thief.refresh_token = safari.refresh_token
    assert thief.refresh().status_code == 200
    assert of(safari).reauth_required_since is not None


def test_who_never_shows_a_cookie_is_told_of_an_unknown_relay_once(alice, clock):
    """Nothing else would speak against a stranger with the same kind of device."""

    def sign_in(address):
        return of(Device(IPHONE, address).sign_in(alice.email)).risk_score

    assert sign_in(HOME) == 0
    clock.shift(timedelta(days=1))
    assert sign_in(HOME) == 0
    assert [sign_in(NETWORKS["Hetzner"]) for _ in range(2)] == [25, 0]


def test_page_mail_and_api_say_that_the_place_is_uncertain(alice, safari):
    device = Device(FIREFOX, NETWORKS["Starlink"]).sign_in(alice.email)
    [row] = [row for row in safari.get("/api/sessions").json() if row["id"] == device.session_id]
    assert (row["country"], row["is_place_uncertain"]) == ("US", True)
    outbox.send_due()
    words = "Uncertain (network registered in United States)"
    assert words in mail.outbox[0].body
    page = Browser(REMOTE_ADDR=HOME, HTTP_USER_AGENT=FIREFOX)
    page.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert words in page.get("/devices/").content.decode()
