"""What is this address doing now? The search, and the filters that mean what people mean by them."""

import re

import pytest

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.models import DeviceSession
from tests.client import IPHONE

from .pages import LIST, listed

LINES = "/admin/devices/activity/"
HOME, THIEF = "203.0.113.7", "198.51.100.66"


@pytest.mark.parametrize(
    "term", [THIEF, f"::ffff:{THIEF}", "198.51.100.0/24", "198.51.100.64/26", f" {THIEF} "]
)
@pytest.mark.parametrize("did", ["was last used", "stands in the log"])
def test_a_session_is_found_by_where_it_was_used_not_only_by_where_it_began(
    viewer, alice, start, term, did
):
    """It was a false all-clear: a stolen token that was refreshed there gave no session at all."""
    session, other = start(alice, ip=HOME), start(alice, ip="192.0.2.1")
    if did == "was last used":
        DeviceSession.objects.filter(pk=session.pk).update(last_ip=THIEF)
    else:
        activity.record(session, "refresh.noted", {}, ip_address=THIEF)
    assert listed(viewer, q=term) == [session.pk]
    assert listed(viewer, q="192.0.2.1") == [other.pk]
    assert listed(viewer, q="198.51.100.67") == []


def test_a_session_that_is_found_in_three_ways_is_one(viewer, alice, start):
    session = start(alice, ip=THIEF)
    activity.record(session, "refresh.noted", {}, ip_address=THIEF)
    activity.record(session, "refresh.noted", {}, ip_address=THIEF)
    assert listed(viewer, q=THIEF) == [session.pk]


@pytest.mark.parametrize(("term", "found"), [(THIEF, 1), ("198.51.100.0/24", 1), ("192.0.2.9", 0)])
def test_the_log_is_searched_by_address_and_network(viewer, alice, start, term, found):
    session = start(alice, ip=HOME)
    activity.record(session, "report.exported", {}, ip_address=THIEF)
    html = viewer.get(LINES, {"q": term}).content.decode()
    assert html.count("report.exported</bdi>") == found


def start_on(alice, os, country=""):
    session = sessions.start(alice, Client(HOME, IPHONE))
    DeviceSession.objects.filter(pk=session.pk).update(os=os, country=country)
    return session.pk


def test_a_system_is_found_with_its_versions(viewer, alice):
    plain, ten, eleven, phone = (
        start_on(alice, os) for os in ("Windows", "Windows 10", "Windows 11", "Windows Phone")
    )
    assert set(listed(viewer, os="Windows")) == {plain, ten, eleven}
    assert listed(viewer, os="Windows 10") == [ten]
    assert listed(viewer, os="Windows Phone") == [phone]


def test_a_system_is_offered_where_only_versions_are(viewer, alice):
    start_on(alice, "Windows 11")
    start_on(alice, "macOS")
    html = viewer.get(LIST).content.decode()
    offered = re.findall(r'\?os=([^"&]+)"', html)
    assert offered == ["Windows", "Windows+11", "macOS"]


def test_countries_are_offered_and_shown_by_their_names(viewer, alice):
    for code in ("DE", "US", ""):
        start_on(alice, "iOS", code)
    html = viewer.get(LIST).content.decode()
    named = re.findall(r'\?country=([A-Z]*)"[^>]*>\s*([^<]+?)\s*<', html)
    assert named == [("DE", "Germany"), ("US", "United States"), ("", "Unknown")]
    assert "<bdi>Germany</bdi>" in html
