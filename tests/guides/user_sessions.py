"""The cookies of before are still good, the devices are listed, and signing one out signs it out."""

import json
from pathlib import Path

from django.test import Client
from shop.moving import move_all

from devices.models import DeviceSession, RevokeReason
from devices.shortcuts import end_session
from tests.guides import alice


def with_cookie(value: str) -> Client:
    browser = Client()
    browser.cookies["sessionid"] = value
    return browser


cookies = json.loads(Path("before.json").read_text())
assert move_all() == 2
assert move_all() == 0
phone, laptop, bobs = (with_cookie(value) for value in cookies)
assert phone.get("/admin/").status_code == 200 and laptop.get("/admin/").status_code == 200
assert bobs.get("/admin/").status_code == 302

mine = {session.device: session for session in DeviceSession.objects.for_user(alice).active()}
assert set(mine) == {"Safari on iOS", "curl"}
assert {session.login_method for session in mine.values()} == {"moved"}
page = laptop.get("/devices/").content.decode()
assert "Safari on iOS" in page and "curl" in page

end_session(mine["Safari on iOS"], reason=RevokeReason.USER)
assert phone.get("/admin/").status_code == 302
assert laptop.get("/admin/").status_code == 200
