"""Which sessions a selection means, and that nothing which is not understood widens it."""

import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from django.contrib.auth import get_user_model

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.staff.filters import InvalidSelection, Selection
from devices.models import DeviceSession, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE
from tests.plans import prefer_indexes

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def three(alice, mallory, clock):
    """Alice's phone and her laptop an hour later; Mallory's browser another hour later."""
    phone = sessions.start(alice, Client("203.0.113.7", IPHONE))
    clock.shift(3600)
    laptop = sessions.start(alice, Client("2001:db8::7", FIREFOX))
    clock.shift(3600)
    stranger = sessions.start(mallory, Client("198.51.100.4", CHROME))
    DeviceSession.objects.filter(pk=phone.pk).update(country="DE", last_ip="192.0.2.1")
    DeviceSession.objects.filter(pk=laptop.pk).update(country="", risk_level="low")
    DeviceSession.objects.filter(pk=stranger.pk).update(country="BR", risk_level="high")
    return {"phone": phone, "laptop": laptop, "stranger": stranger}


def chosen(three, **filters):
    names = {session.pk: name for name, session in three.items()}
    found = Selection.parse(filters).sessions().values_list("pk", flat=True)
    return {names[pk] for pk in found}


WANTED = [
    ({}, {"phone", "laptop", "stranger"}),
    ({"email": "alice@example.org"}, {"phone", "laptop"}),
    ({"email": "ALICE@example.org"}, {"phone", "laptop"}),
    ({"email": "nobody@example.org"}, set()),
    ({"email": "alice"}, set()),
    ({"ip": "203.0.113.7"}, {"phone"}),
    ({"ip": "203.0.113.0/24"}, {"phone"}),
    ({"ip": "203.0.113.9/24"}, {"phone"}),
    ({"ip": "::ffff:203.0.113.7"}, {"phone"}),
    ({"ip": "::ffff:203.0.113.0/120"}, {"phone"}),
    ({"ip": "2001:db8::/48"}, {"laptop"}),
    ({"ip": "0.0.0.0/0"}, {"phone", "stranger"}),
    ({"ip": "192.0.2.1"}, set()),
    ({"last_ip": "192.0.2.0/24"}, {"phone"}),
    ({"last_ip": "192.0.2.1"}, {"phone"}),
    ({"country": "de"}, {"phone"}),
    ({"country": "unknown"}, {"laptop"}),
    ({"os": "iOS"}, {"phone"}),
    ({"browser": "Firefox"}, {"laptop"}),
    ({"browser": "unknown"}, set()),
    ({"device_type": "mobile"}, {"phone"}),
    ({"user_agent": "chrome/129"}, {"stranger"}),
    ({"user_agent": "100%"}, set()),
    ({"suspicious": "true"}, {"stranger"}),
    ({"suspicious": "false"}, {"phone", "laptop"}),
    ({"issued_before": "2026-03-01T13:00:00Z"}, {"phone"}),
    ({"issued_after": "2026-03-01T13:00:00Z"}, {"laptop", "stranger"}),
    ({"active_before": "2026-03-01T15:00:00+01:00"}, {"phone", "laptop"}),
    ({"active_after": "2026-03-01T14:00:00Z"}, {"stranger"}),
    ({"email": "alice@example.org", "device_type": "mobile"}, {"phone"}),
    ({"email": "alice@example.org", "country": "BR"}, set()),
]


@pytest.mark.parametrize(("filters", "expected"), WANTED, ids=[str(f) for f, _ in WANTED])
def test_a_session_is_meant_if_it_meets_every_filter(three, filters, expected):
    assert chosen(three, **filters) == expected


def test_one_person_is_meant_by_their_key(three, alice):
    assert chosen(three, user=str(alice.pk)) == {"phone", "laptop"}


def test_how_a_session_stands(three, clock):
    sessions.revoke(three["phone"], reason=RevokeReason.LOGOUT)
    DeviceSession.objects.filter(pk=three["laptop"].pk).update(
        expires_at=NOON - timedelta(days=1), absolute_expires_at=NOON
    )
    for status, session in (("revoked", "phone"), ("expired", "laptop"), ("active", "stranger")):
        assert chosen(three, status=status) == {session}


REFUSED = {
    "email": [],
    "user_agent": [],
    "os": [],
    "browser": [],
    "user": ["x", "1.5", "alice@example.org", "9" * 300],
    "ip": ["1.2.3", "1.2.3.4/33", "::/129", "fe80::1%eth0", "localhost", "203.0.113.0-9"],
    "last_ip": ["x"],
    "asn": ["AS64496"],
    "country": ["Germany", "D", "D1", "1"],
    "device_type": ["phone", "Mobile"],
    "status": ["ended", "ACTIVE"],
    "suspicious": ["yes", "1", "True"],
    "active_before": ["2026-03-01", "2026-03-01T12:00:00", "yesterday", "1", "2026-02-30T00:00:00Z"],
    "active_after": ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
    "issued_before": ["12:00"],
    "password_stamp__startswith": ["a"],
    "passwort": ["x"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, texts in REFUSED.items() for text in [*texts, "", " ", "\x00", "x" * 513]],
)  # fmt: skip
def test_what_is_not_understood_is_said_and_means_nobody(name, text):
    with pytest.raises(InvalidSelection) as refused:
        Selection.parse({name: text, "country": "DE"} if name != "country" else {name: text})
    assert set(refused.value.errors) == {name}
    assert name in str(refused.value)


def test_an_encrypted_address_is_not_looked_for_in_vain(monkeypatch):
    field = type(get_user_model()._meta.get_field("email"))
    random = lambda self, value, *args, **kwargs: f"{uuid.uuid4()} {value}"  # noqa: E731
    monkeypatch.setattr(field, "get_db_prep_value", random)
    with pytest.raises(InvalidSelection, match="encrypted"):
        Selection.parse({"email": "alice@example.org"})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InvalidSelection) as refused:
        Selection.parse({"ip": "x", "status": "y", "country": "DE"})
    assert set(refused.value.errors) == {"ip", "status"}


def test_no_filter_is_everybody_and_says_so():
    assert Selection.parse({}).is_everybody
    assert not Selection.parse({"suspicious": "false"}).is_everybody
    assert not Selection.parse({"country": "unknown"}).is_everybody


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"email": "alice@example.org"}, "devices_"),
        ({"ip": "203.0.113.7"}, "devices_address"),
        ({"country": "BR"}, "devices_country"),
        ({"os": "iOS"}, "devices_os"),
    ],
    ids=str,
)
def test_what_is_rare_is_found_by_an_index(filters, index):
    found = Selection.parse(filters).sessions()
    prefer_indexes()
    assert index in found.explain()


def test_a_network_of_one_is_asked_for_as_an_address():
    selection = Selection.parse({"ip": "203.0.113.7"})
    assert selection.ip == ip_network("203.0.113.7/32")
