"""What happens in a project of somebody else, with Django's own user. Played within it by test_wheel.py."""

import importlib.util
import io
import os
import sys
from typing import Any

import django

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "stranger.settings"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

import devices  # noqa: E402

PASSWORD = "correct horse battery 9"


def post(path: str, access: str = "", **data: str) -> Any:
    return Client().post(path, data, content_type="application/json", headers=bearer(access))


def bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"} if access else {}


def status_of(access: str) -> int:
    return Client().get("/api/sessions", headers=bearer(access)).status_code


assert devices.__file__.startswith(os.environ["WHEEL"]), devices.__file__
assert importlib.util.find_spec("accounts") is None and importlib.util.find_spec("tests") is None
setup_test_environment()
call_command("check", fail_level="WARNING", verbosity=0)
call_command("migrate", verbosity=0)

user = get_user_model().objects.create_user("alice", password=PASSWORD)
assert user._meta.label == "auth.User"

assert post("/api/token", username="alice", password="wrong").status_code == 401
laptop = post("/api/token", username="alice", password=PASSWORD).json()
phone = post("/api/token", username="alice", password=PASSWORD).json()

listed = Client().get("/api/sessions", headers=bearer(laptop["access"])).json()
assert [(row["id"], row["is_current"]) for row in listed] == [
    (phone["session_id"], False),
    (laptop["session_id"], True),
]

revoked = Client().delete(f"/api/sessions/{phone['session_id']}", headers=bearer(laptop["access"]))
assert revoked.status_code == 204
assert status_of(phone["access"]) == 401
refused = post("/api/token/refresh", refresh=phone["refresh"])
assert (refused.status_code, refused.json()["code"]) == (401, "session_revoked")

refreshed = post("/api/token/refresh", refresh=laptop["refresh"]).json()
assert status_of(refreshed["access"]) == 200

browser = Client()
browser.force_login(user)
page = browser.get("/devices/")
assert page.status_code == 200 and "Your devices" in page.content.decode()

everywhere = post("/api/sessions/revoke-all?keep_current=false", refreshed["access"])
assert everywhere.json() == {"revoked": 2}
assert status_of(refreshed["access"]) == 401
page = browser.get("/devices/")
assert page.status_code == 302 and not browser.cookies["sessionid"].value

root = get_user_model().objects.create_superuser("root", password=PASSWORD)
staff = Client()
staff.force_login(root)
form = {"username": "root", "password": PASSWORD}
assert Client().post("/admin/login/?next=/admin/", form).status_code == 302
assert root.device_sessions.active().count() == 2
for path in ("", f"{laptop['session_id']}/change/"):
    page = staff.get(f"/admin/devices/devicesession/{path}")
    assert page.status_code == 200 and "alice" in page.content.decode(), path

out = io.StringIO()
call_command("cleanup_sessions", stdout=out)
assert out.getvalue().startswith("Sessions deleted: 0 ")
print("The stranger is content.")
