"""The app of the cookie recipe in Chromium: windows that refresh at once, and what scripts can read."""

import re
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path

from devices.core.notifications.codes import code_of
from devices.models import DeviceSession
from tests.client import PASSWORD

pytestmark = pytest.mark.urls(__name__)

RECIPE = (Path(settings.BASE_DIR) / "docs/recipes/cookies.md").read_text()
SCRIPT = re.search(r"```js\n(// auth\.js.*?)```", RECIPE, re.DOTALL)[1]

# What a window of the app does at the request of the test.
APP = """
import * as auth from "/auth.js";
window.auth = auth;

// Two windows begin each round at the same moment of their common clock.
window.rounds = async (first, pause, count) => {
  const refused = [];
  for (let round = 0; round < count; round++) {
    const wait = first + round * pause - Date.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    if (!(await auth.refresh())) refused.push(round);
  }
  return refused;
};

// A thief's script, which runs in the page.
window.loot = async () => {
  const seen = [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
  const answer = await fetch("/api/cookie/refresh", { method: "POST", credentials: "include" });
  seen.push(await answer.text(), JSON.stringify([...answer.headers]));
  if (window.cookieStore) seen.push(JSON.stringify(await cookieStore.getAll()));
  return seen;
};
"""


def script(text):
    return lambda request: HttpResponse(text, content_type="text/javascript")


def page(request):
    return HttpResponse(
        '<!doctype html><title>App</title><script type="module" src="/app.js"></script>'
    )


urlpatterns = [
    path("app", page),
    path("auth.js", script(SCRIPT)),
    path("app.js", script(APP)),
    path("favicon.ico", script("")),
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path("", include("project.urls")),
]

ROUNDS = 200


def open_window(page):
    page.goto("/app")
    page.evaluate(
        "new Promise((done) => { const look = () => window.auth ? done() : setTimeout(look, 10);"
        " look(); })"
    )
    return page


def sign_in(visitor):
    window = open_window(visitor.page)
    credentials = {"email": "alice@example.org", "password": PASSWORD}
    window.evaluate("(credentials) => auth.login(credentials)", credentials)
    return window


def start(window, expression, *arguments):
    """Begin something in a window without waiting for it."""
    window.evaluate(
        "([name, given]) => { window.running = window[name](...given); }", [expression, arguments]
    )


def result(window):
    return window.evaluate("window.running")


@pytest.mark.parametrize("pause", [60, 0], ids=["at the same moment", "as fast as they can"])
def test_two_windows_that_refresh_at_once_stay_signed_in(drive, db, alice, pause):
    def both(visit):
        visitor = visit()
        one = sign_in(visitor)
        two = open_window(visitor.context.new_page())
        begin = one.evaluate("Date.now()") + 500
        for window in (one, two):
            start(window, "rounds", begin, pause, ROUNDS)
        refused = [result(window) for window in (one, two)]
        status = [window.evaluate("auth.api('/me').then((a) => a.status)") for window in (one, two)]
        return refused, status

    assert drive(both) == ([[], []], [200, 200])
    assert DeviceSession.objects.get().revoked_at is None


def test_a_login_on_a_new_device_goes_on_with_the_code_of_the_mail(drive, db, alice, settings):
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ("password",)}
    credentials = {"email": "alice@example.org", "password": PASSWORD}

    def story(visit):
        visitor = visit()
        window = open_window(visitor.page)
        waiting = window.evaluate(
            "(given) => auth.login(given).catch(({ code, challenge }) => ({ code, challenge }))",
            credentials,
        )
        # Chromium says each 401 on its console.
        [refused] = visitor.complaints
        assert " 401 " in refused
        visitor.complaints.clear()
        shown = [waiting["challenge"], code_of(uuid.UUID(waiting["challenge"]))]
        window.evaluate("([challenge, code]) => auth.loginByCode(challenge, code)", shown)
        status = window.evaluate("auth.api('/me').then((answer) => answer.status)")
        return waiting["code"], status, window.evaluate("auth.refresh()")

    assert drive(story) == ("device_code_required", 200, True)
    assert DeviceSession.objects.get().login_method == "password"


def test_no_script_reads_the_refresh_token(drive, db, alice):
    def look(visit):
        visitor = visit()
        window = sign_in(visitor)
        held = next(c for c in visitor.context.cookies() if c["name"].endswith("refresh"))
        return held, window.evaluate("loot()")

    held, seen = drive(look)
    assert (held["name"], held["httpOnly"], held["secure"]) == ("__Host-refresh", True, True)
    assert held["sameSite"] == "Strict"
    assert len(seen) >= 5 and '"access"' in seen[3]
    assert not [each for each in seen if held["value"] in each or "refresh" in each]


def test_a_window_that_is_opened_later_is_signed_in_and_out(drive, db, alice):
    def story(visit):
        visitor = visit()
        sign_in(visitor)
        later = open_window(visitor.context.new_page())
        signed_in = later.evaluate("auth.refresh()")
        later.evaluate("auth.logout()")
        names = [cookie["name"] for cookie in visitor.context.cookies()]
        return signed_in, names

    signed_in, names = drive(story)
    assert signed_in is True and "__Host-refresh" not in names
    assert DeviceSession.objects.get().revoke_reason == "logout"
