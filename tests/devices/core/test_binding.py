"""Sessions that are bound to a key: how they are, how they are shown, and who is told of what."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client as Browser
from django.urls import reverse

from devices.core import sessions
from devices.core.binding import keys
from devices.core.clients.client import Client
from devices.core.log.security_log import Event
from devices.core.notifications import outbox
from devices.exceptions import SessionRevoked
from devices.models import Activity, Binding, DeviceSession, RevokeReason
from tests.client import CHROME, PASSWORD, Device

HERE = Client("203.0.113.7", CHROME)
KEY = keys.parse(
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, "EdDSA"
)
ANOTHER = keys.parse(
    {"kty": "OKP", "crv": "Ed25519", "x": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa"}, "EdDSA"
)


@pytest.fixture
def session(alice):
    session = sessions.start(alice, HERE)
    mail.outbox.clear()
    return session


@pytest.fixture
def bound(session):
    assert sessions.bind(session, Binding.DBSC, KEY)
    return session


def told():
    outbox.send_due()
    return [message.subject for message in mail.outbox]


def test_a_session_is_bound_once_and_to_one_key(session):
    assert sessions.bind(session, Binding.DBSC, KEY)
    assert not sessions.bind(DeviceSession.objects.get(), Binding.DBSC, ANOTHER)
    row = DeviceSession.objects.get()
    assert (row.binding, row.binding_key) == ("dbsc", KEY.thumbprint)
    assert row.binding_jwk == dict(KEY.jwk) and row.is_bound


def test_what_has_ended_is_bound_to_nothing(session):
    sessions.revoke(session, reason=RevokeReason.USER)
    with pytest.raises(SessionRevoked):
        sessions.bind(session, Binding.DBSC, KEY)


def test_a_copy_is_told_of_once_a_day_and_logged_each_time(
    bound, clock, security_lines, django_capture_on_commit_callbacks
):
    for hours, mails in ((0, 1), (1, 1), (22, 1), (1, 2), (1, 2)):
        clock.shift(timedelta(hours=hours))
        with django_capture_on_commit_callbacks(execute=True):
            sessions.refuse_copy(DeviceSession.objects.get(), HERE, "proof_missing")
        subjects = [each for each in told() if each.startswith("A copy of your session")]
        assert len(subjects) == mails
    lines = Activity.objects.filter(kind="binding.failed").values_list("data", flat=True)
    assert list(lines) == [{"binding": "dbsc", "reason": "proof_missing"}] * 2
    logged = security_lines.of(Event.BINDING_FAILED)
    assert [(line["binding"], line["reason"]) for line in logged] == [("dbsc", "proof_missing")] * 5
    assert DeviceSession.objects.active().exists(), "who has the key stays signed in"


def test_who_loses_the_key_goes_on_without_and_is_told(
    bound, security_lines, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        assert sessions.unbind(bound, HERE, "key_lost")
        assert not sessions.unbind(bound, HERE, "key_lost")
    [logged] = security_lines.of(Event.BINDING_LOST)
    assert (logged["session"], logged["reason"]) == (str(bound.pk), "key_lost")
    row = DeviceSession.objects.get()
    assert (row.binding, row.binding_key, row.binding_jwk) == ("none", "", None)
    assert [s for s in told() if s.endswith("is no longer bound to its device")]
    assert Activity.objects.get(kind="binding.lost").data["reason"] == "key_lost"


def test_the_api_says_by_what_it_is_bound(alice, bound):
    rows = Device().sign_in(alice.email).get("/api/sessions").json()
    assert sorted(row["binding"] for row in rows) == ["dbsc", "none"]


def test_the_card_says_that_it_is_bound(alice, bound):
    browser = Browser(headers={"User-Agent": CHROME})
    assert browser.login(username=alice.email, password=PASSWORD)
    page = browser.get(reverse("devices:list")).content.decode()
    assert page.count("Bound to the device") == 1
    sessions.refuse_copy(bound, HERE, "proof_missing")
    log = browser.get(reverse("devices:activity", args=[bound.pk])).content.decode()
    assert "Somebody used a copy of it without the key of this device" in log
    sessions.unbind(bound, HERE, "key_lost")
    log = browser.get(reverse("devices:activity", args=[bound.pk])).content.decode()
    assert "It is no longer bound to this device" in log


def test_staff_see_it_filter_by_it_and_find_what_happened(make_user, bound, client):
    clerk = make_user("clerk@example.org", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_devicesession"))
    client.force_login(clerk)
    listing = reverse("admin:devices_devicesession_changelist")
    for chosen, found in (("dbsc", True), ("dpop", False)):
        page = client.get(listing, {"binding": chosen})
        assert (str(bound.pk) in page.content.decode()) is found
    sessions.refuse_copy(bound, HERE, "proof_missing")
    sessions.unbind(bound, HERE, "key_lost")
    page = client.get(reverse("admin:devices_devicesession_change", args=[bound.pk]))
    text = re.sub(r"\s+", " ", page.content.decode())
    assert "Used without the key of its device" in text
    assert "No longer bound to its device" in text
