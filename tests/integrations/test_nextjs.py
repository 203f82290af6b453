"""The recipe for Next.js, built and served by it, before a site that takes the visitor's address from it."""

import os
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from django.db import OperationalError
from django.utils import timezone
from rest_framework.throttling import BaseThrottle
from rest_framework_simplejwt.views import TokenBlacklistView

from accounts.views import LoginView
from devices.exceptions import OtpRequired
from devices.models import DeviceSession
from tests.browser import conftest
from tests.client import PASSWORD
from tests.integrations.front_ends import (
    ADDRESS,
    Visitor,
    an_expired_token_is_replaced_before_the_page_is_made,
    build,
    no_redirect_leads_to_another_site,
    trust_front_end,
)
from tests.ports import free_port
from tests.proxies.servers import running
from tests.test_recipes import blocks

NPM = ("next@16.4.6", "react@19.3.1", "react-dom@19.3.1")
LAYOUT = """
import { signOut } from "./actions.js";
export default function Layout({ children }) {
  return <html><body>{children}<form action={signOut}><button>Sign out</button></form></body></html>;
}
"""


class Busy(BaseThrottle):
    def allow_request(self, request: object, view: object) -> bool:
        return False


class Browser(Visitor):
    def form(self, path: str, button: str) -> dict[str, str]:
        """What the form with this button sends by itself."""
        forms = re.findall(r"<form.*?</form>", self.get(path).text, re.DOTALL)
        [form] = [each for each in forms if button in each]
        hidden = re.findall(r'type="hidden" name="([^"]*)"(?: value="([^"]*)")?', form)
        return {name: unescape(value) for name, value in hidden}

    def submit(self, path: str, **fields: str) -> httpx.Response:
        return self.ask("POST", path, files={name: (None, text) for name, text in fields.items()})

    def sign_in(self, password: str = PASSWORD, email: str = "alice@example.org") -> httpx.Response:
        form = self.form("/login", "Sign in")
        return self.submit("/login", **form, email=email, password=password)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    files = blocks("nextjs")
    assert len(files) == 5
    return build(
        tmp_path_factory.mktemp("nextjs"),
        files | {"app/layout.js": LAYOUT},
        NPM,
        ["next", "build"],
        "the recipe for Next.js is not tried",
    )


@pytest.fixture
def front(built, live_server, settings):
    """The address of the front end."""
    trust_front_end(settings)
    port = free_port()
    command = [f"{built}/node_modules/.bin/next", "start", str(built), "-p", str(port)]
    env = os.environ | {"API_URL": f"{live_server.url}/api", "NEXT_TELEMETRY_DISABLED": "1"}
    with running([*command, "-H", "127.0.0.1"], built / "next.log", port, env):
        yield f"http://127.0.0.1:{port}"


chromium = conftest.chromium
chromium_path = conftest.chromium_path


@pytest.mark.django_db(transaction=True)
def test_the_recipe(front, alice):
    visitor = Browser(front)
    assert "No active account" in visitor.sign_in("wrong").text
    assert visitor.get().headers["Location"] == "/login"
    assert visitor.sign_in().headers["Location"] == "/"
    # The session is the visitor's, and not that of a server.
    session = DeviceSession.objects.get()
    assert session.device == "Chrome on Windows"
    assert session.ip_address == ADDRESS
    assert f"{session.device}<!-- -->, <!-- -->{ADDRESS}" in visitor.get().text

    an_expired_token_is_replaced_before_the_page_is_made(visitor)

    no_redirect_leads_to_another_site(visitor, "//evil.example/")
    assert visitor.get().status_code == 307

    # An action finds new tokens, too.
    again = Browser(front)
    again.cookies = {"device": visitor.cookies["device"]}
    again.sign_in()
    session.refresh_from_db()
    assert session.revoke_reason == "superseded"
    form = again.form("/", "Sign out")
    del again.cookies["access"]
    assert again.submit("/", **form).status_code == 307
    assert again.submit("/", **form).headers["Location"] == "/login"
    assert again.cookies.keys() == {"device"}
    assert not DeviceSession.objects.filter(revoked_at=None).exists()

    # What was ended elsewhere ends here.
    assert visitor.get().headers["Location"] == "/login"
    del visitor.cookies["access"]
    assert visitor.get().status_code == 307
    assert visitor.cookies.keys() == {"device"}


@pytest.mark.django_db(transaction=True)
def test_an_api_that_is_away_signs_nobody_out(front, alice, monkeypatch):
    visitor = Browser(front)
    visitor.sign_in()
    del visitor.cookies["access"]
    kept = dict(visitor.cookies)
    with patch("devices.core.sessions.refresh.get_valid_session", side_effect=OperationalError):
        assert visitor.get().status_code == 503
    assert visitor.cookies == kept
    assert visitor.get().status_code == 307
    assert visitor.get().status_code == 200
    # Nor does one that is busy sign anybody out on the screen alone.
    form, kept = visitor.form("/", "Sign out"), dict(visitor.cookies)
    monkeypatch.setattr(TokenBlacklistView, "throttle_classes", [Busy])
    assert visitor.submit("/", **form).status_code == 500
    assert visitor.cookies == kept


@pytest.mark.django_db(transaction=True)
def test_whoever_was_signed_in_before_is_signed_out(front, alice, mallory):
    visitor = Browser(front)
    visitor.sign_in()
    assert visitor.sign_in(email=mallory.email).headers["Location"] == "/"
    ended = DeviceSession.objects.exclude(revoked_at=None).get()
    assert (ended.user, ended.revoke_reason) == (alice, "logout")
    assert visitor.get().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_last_seconds_of_a_session_are_no_endless_redirect(front, alice):
    visitor = Browser(front)
    visitor.sign_in()
    end = timezone.now() + timedelta(seconds=25)
    DeviceSession.objects.update(expires_at=end, absolute_expires_at=end)
    del visitor.cookies["access"]
    [kept] = [each for each in visitor.get().headers.get_list("Set-Cookie") if "access=" in each]
    assert "Max-Age=5;" in kept


@pytest.mark.django_db(transaction=True)
def test_the_password_stays_in_the_form_while_the_code_is_asked_for(front, chromium, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OtpRequired

    monkeypatch.setattr(LoginView, "post", refuse)
    given = {"email": "alice@example.org", "password": PASSWORD}

    def visit(browser: Any) -> dict[str, str]:
        page = browser.new_page()
        page.goto(f"{front}/login", wait_until="networkidle")
        for name, text in given.items():
            page.fill(f"[name={name}]", text)
        page.click("text=Sign in")
        page.wait_for_selector("[name=otp]")
        page.wait_for_timeout(200)
        return {name: page.input_value(f"[name={name}]") for name in given}

    assert chromium.run(visit) == given
