"""What the owner of an account is told of each thing a stranger can begin with: docs/security.md."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core import mail

from devices.core.watch import notices
from devices.models import Notice
from tests import takeover
from tests.client import Device
from tests.takeover import World


def by_password(world):
    takeover.sign_in(world, takeover.with_password(world))


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
    section = text.split("### What its owner is told\n")[1].split("\n#")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return {way: cells for way, *cells in lines[2:]}


def test_the_table_has_each_way_that_is_played():
    assert list(table()) == list(WAYS)


@pytest.mark.parametrize("has_factor", [False, True], ids=["no factor", "factor"])
@pytest.mark.parametrize("way", WAYS)
def test_takeover_the_old_address_is_told_within_two_minutes(db, clock, way, has_factor):
    world = World(clock, factor=has_factor)
    notices.send_due()
    Notice.objects.all().delete()
    mail.outbox.clear()
    WAYS[way](world)
    clock.shift(119)
    notices.send_due()
    told = [each for each in mail.outbox if each.to == [world.alice.email]]
    kinds = {notice.get_kind_display() for notice in Notice.objects.filter(user=world.alice)}
    expected = table()[way][has_factor]
    assert kinds == (set() if expected == "nothing" else {expected})
    assert bool(told) == bool(kinds)
