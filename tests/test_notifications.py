"""What the owner of an account is told of each thing a stranger can begin with: docs/security.md."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core import mail

from devices.core.notifications import emails, outbox
from devices.models import Notification, NotificationKind
from tests import takeover
from tests.client import Device
from tests.takeover import World


@pytest.mark.parametrize("kind", NotificationKind)
def test_an_alarm_looks_unlike_a_notice_by_day_and_by_night(alice, kind):
    data = {"at": "2026-03-01T12:00:00+00:00", "method": "factor", "addresses": []}
    data["challenge"] = str(uuid4())
    notice = Notification(user=alice, kind=kind, data=data, address=alice.email)
    _subject, _text, html = emails.compose(notice, alice.email)
    assert ("Security alert" in html) == (kind in emails.ALARMS)
    assert ("border-top:6px" in html) == (kind in emails.ALARMS)
    assert "prefers-color-scheme: dark" in html


def by_password(world):
    takeover.sign_in(world, takeover.with_password(world))


def nearby(*verbs, start=takeover.with_password_nearby):
    """Somebody whom nothing gives away, and what they do then."""

    def begin(world):
        held = start(world)
        for verb in (takeover.sign_in, *verbs):
            held = verb(world, held) or held

    return begin


def by_refresh_token(world):
    takeover.with_refresh_token(world)


def by_used_refresh_token(world):
    stolen = world.laptop.refresh_token
    world.laptop.rotate()
    Device(takeover.IPHONE, takeover.FROM).refresh(stolen)


def by_cookie(world):
    # The owner is there at this very moment, so that the session was touched just now.
    assert world.browser.get("/devices/").status_code == 200
    takeover.with_cookie(world)


def by_mailbox(world):
    takeover.reset(world, takeover.with_mailbox(world))


def by_access_token(world):
    thief = Device(takeover.IPHONE, takeover.FROM)
    thief.hold({"access": world.laptop.rotate().access, "refresh": "x"})
    assert thief.is_in()


def by_staff(permission, verb):
    def begin(world):
        # Somebody whom the staff may reach.
        world.alice.is_staff = world.alice.is_superuser = False
        world.alice.save()
        verb(world, takeover.as_staff(permission)(world))

    return begin


def add_address(world, held):
    form = {"user": world.alice.pk, "email": takeover.OWN, "verified": "on"}
    takeover._browser(held).post("/admin/account/emailaddress/add/", form)


WAYS = {
    "the password": by_password,
    "the password, through a relay": nearby(start=takeover.with_password_hidden),
    "the password, near the owner": nearby(),
    "the same, and adds an address": nearby(takeover.add_address, takeover.prove_address),
    "the same, and enrols a factor": nearby(takeover.enrol),
    "the same, and sets a password": nearby(takeover.change_password),
    "a refresh token": by_refresh_token,
    "a refresh token that was exchanged": by_used_refresh_token,
    "a cookie": by_cookie,
    "the mailbox": by_mailbox,
    "staff who set a password": by_staff("change_user", takeover.staff_password),
    "staff who set an address": by_staff("change_user", takeover.staff_email),
    "staff with `change_emailaddress`": by_staff("change_emailaddress", takeover.staff_email),
    "staff with `add_emailaddress`": by_staff("add_emailaddress", add_address),
    "staff with `delete_authenticator`": by_staff("delete_authenticator", takeover.staff_factor),
    "staff with `revoke_devicesession`": by_staff("revoke_devicesession", takeover.staff_revoke),
    "an access token": by_access_token,
}


def table():
    text = (Path(django_settings.BASE_DIR) / "docs" / "security.md").read_text()
    section = text.split("### Which e-mail the owner gets\n")[1].split("\n#")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return {way: cells for way, *cells in lines[2:]}


def test_the_table_has_each_way_that_is_played():
    assert list(table()) == list(WAYS)


@pytest.mark.parametrize("has_factor", [False, True], ids=["no factor", "factor"])
@pytest.mark.parametrize("way", WAYS)
def test_takeover_the_old_address_is_told_within_two_minutes(db, clock, way, has_factor):
    world = World(clock, factor=has_factor)
    outbox.send_due()
    Notification.objects.all().delete()
    mail.outbox.clear()
    WAYS[way](world)
    clock.shift(119)
    outbox.send_due()
    told = [each for each in mail.outbox if each.to == [world.alice.email]]
    kinds = {notice.get_kind_display() for notice in Notification.objects.filter(user=world.alice)}
    expected = table()[way][has_factor]
    assert kinds == (set() if expected == "nothing" else {expected})
    assert bool(told) == bool(kinds)
