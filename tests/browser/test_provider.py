"""Signing in with another site in Chromium: there and back, in the list, revoked, out, and in again."""

import re
from copy import deepcopy

import pytest

from accounts.models import User
from devices.models import DeviceSession
from tests import oidc
from tests.browser.visitor import FIREFOX, WINDOWS
from tests.client import IPHONE, Device

TOKEN = "/_allauth/app/v1/auth/provider/token"


@pytest.fixture
def provider(loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http"
    settings.CONTENT_SECURITY_POLICY = deepcopy(settings.CONTENT_SECURITY_POLICY)
    settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(loopback.url)
    loopback.knows("ada", email="ada@example.org", email_verified=True)
    return loopback


def sign_in(visitor):
    # The provider's pages have a style sheet from elsewhere.
    visitor.context.route(re.compile("^https://"), lambda route: route.fulfill(body=""))
    visitor.go("/accounts/login/").press("Loopback", within="main")
    if "/oidc/" in visitor.path:
        visitor.press("Continue", within="main")
    visitor.page.locator("[name=sub]").first.fill("ada")
    visitor.page.get_by_role("button", name="Authorize").click()
    visitor.page.wait_for_url("**/devices/")
    return visitor


def test_there_and_back_in_the_list_revoked_and_out(drive, db, provider, live_server):
    phone = Device(IPHONE)

    def both(visit):
        laptop, other = (sign_in(visit(agent=agent)) for agent in (WINDOWS, FIREFOX))
        shown = laptop.go("/devices/").reads()
        assert "Firefox on Linux" in shown
        other.go("/devices/")
        there = laptop.page.get_by_role("listitem").filter(has_text="Firefox on Linux")
        there.get_by_role("link", name="Sign out").click()
        laptop.press("Sign out", within="main")
        other.go("/devices/")
        assert other.path.startswith("/accounts/login/")
        assert "This session was signed out." in other.reads()
        sign_in(other)
        assert "Chrome on Windows" in other.go("/devices/").reads()

    drive(both)
    user = User.objects.get()
    active = DeviceSession.objects.active().order_by("created_at")
    assert [(each.device, each.login_method) for each in active] == [
        ("Chrome on Windows 10", "oidc"),
        ("Firefox on Linux", "oidc"),
    ]
    token = {"client_id": oidc.CLIENT_ID, "id_token": provider.id_token("ada")}
    body = {"provider": "oidc", "process": "login", "token": token}
    phone.hold(phone.post(TOKEN, body).json()["meta"])
    assert len(phone.get("/api/sessions").json()) == 3
    assert phone.post("/api/sessions/revoke-all").json() == {"revoked": 2}
    assert user.device_sessions.active().get().device == "Safari on iOS"
