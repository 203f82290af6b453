"""What mails say of where and when, to whom it is read."""

import pytest
from django.core import mail

from devices.core.notifications import emails, outbox
from devices.models import Notification, NotificationKind
from tests.client import PASSWORD, Device
from tests.takeover import IPHONE

AT = "2026-03-01T18:31:00+00:00"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("", "March 1, 2026, 6:31 p.m. (UTC)"),
        ("Europe/Berlin", "March 1, 2026, 7:31 p.m. (Europe/Berlin)"),
        ("Asia/Kolkata", "March 2, 2026, 12:01 a.m. (Asia/Kolkata)"),
        # Of a machine that knew others.
        ("Mars/Olympus", "March 1, 2026, 6:31 p.m. (UTC)"),
        ("../../etc/passwd", "March 1, 2026, 6:31 p.m. (UTC)"),
    ],
)
def test_times_are_those_of_the_readers_zone(alice, zone, words):
    notice = Notification(user=alice, kind=NotificationKind.NEW_DEVICE, data={"at": AT})
    _subject, text, html = emails.compose(notice, alice.email, zone)
    assert words in text and words in html


def test_without_a_choice_they_are_those_of_the_site(alice, settings):
    settings.TIME_ZONE = "Asia/Kolkata"
    notice = Notification(user=alice, kind=NotificationKind.NEW_DEVICE, data={"at": AT})
    assert "12:01 a.m. (Asia/Kolkata)" in emails.compose(notice)[1]


@pytest.fixture
def elsewhere(alice, sign_in, clock):
    """The mail of a sign-in on a new device, which is waiting to be sent."""
    sign_in(alice)
    outbox.withdraw()
    clock.shift(3600)
    sign_in(alice, agent=IPHONE, ip="41.58.3.4")


def test_the_address_stands_in_the_mail_and_is_not_kept_for_it(alice, elsewhere):
    assert Notification.objects.get().data["address"] == "41.58.3.4"
    outbox.send_due()
    [message] = mail.outbox
    assert "Address: 41.58.3.4" in message.body
    assert "41.58.3.4" in message.alternatives[0][0]
    assert "address" not in Notification.objects.get().data


def test_an_address_does_not_wait_for_a_worker_for_ever(alice, elsewhere, clock):
    clock.shift(3 * 86400 - 60)
    assert outbox.purge(100) == 0
    clock.shift(120)
    assert outbox.purge(100) == 1
    assert "address" not in Notification.objects.get().data
    assert outbox.purge(100) == 0


def test_the_chosen_zone_is_that_of_the_mail(alice, elsewhere):
    outbox.prefer(alice, time_zone="Asia/Kolkata")
    outbox.send_due()
    assert "(Asia/Kolkata)" in mail.outbox[0].body


def test_a_copy_is_told_with_the_address_of_who_used_it(alice, sign_in, clock):
    laptop = sign_in(alice)
    stolen = laptop.refresh_token
    laptop.rotate()
    clock.shift(600)
    outbox.withdraw()
    Device(IPHONE, ip="41.58.3.4").post("/api/token/refresh", {"refresh": stolen})
    notice = Notification.objects.filter(kind=NotificationKind.REFRESH_REUSED).get()
    assert notice.data["address"] == "41.58.3.4"


# Where it is chosen


def test_the_api_tells_and_takes_the_zone(alice, sign_in):
    device = sign_in(alice)
    path = "/api/me/notifications"
    assert device.get(path).json()["time_zone"] == ""
    answer = device.patch(path, {"time_zone": "Europe/Berlin"}, format="json")
    assert answer.json() == {
        "new_device": True,
        "suspicious_login": True,
        "time_zone": "Europe/Berlin",
    }
    assert device.patch(path, {"time_zone": ""}, format="json").json()["time_zone"] == ""
    for zone in ("Mars/Olympus", "../../etc/passwd", "europe/berlin", "\x00", 5, None, "x" * 99):
        assert device.patch(path, {"time_zone": zone}, format="json").status_code == 400


def test_to_choose_a_zone_switches_no_mail_off(alice, client, clock):
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    page = client.get("/devices/notifications/").content.decode()
    assert '<option value="" selected>the site (UTC)</option>' in page
    assert '<option value="America/New_York">America/New York</option>' in page
    fields = {"new_device": "on", "suspicious_login": "on", "time_zone": "America/New_York"}
    assert client.post("/devices/notifications/", fields)["Location"] == "/devices/notifications/"
    assert outbox.preferences_of(alice)["time_zone"] == "America/New_York"
    assert not Notification.objects.filter(kind=NotificationKind.NOTICES_OFF).exists()
    assert client.post("/devices/notifications/", {"time_zone": "x"}).status_code == 200
