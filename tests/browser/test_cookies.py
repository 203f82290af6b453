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
    return wait_for_app(page)


def wait_for_app(page):
    page.evaluate(
        "new Promise((done) => { const look = () => window.auth ? done() : setTimeout(look, 10);"
        " look(); })"
    )
    return page


def log_in(window, email="alice@example.org"):
    credentials = {"email": email, "password": PASSWORD}
    window.evaluate("(credentials) => auth.login(credentials)", credentials)


def sign_in(visitor):
    window = open_window(visitor.page)
    log_in(window)
    return window


def start(window, expression, *arguments):
    """Begin something in a window without waiting for it."""
    window.evaluate(
        "([name, given]) => { window.running = window[name](...given); }", [expression, arguments]
    )


def result(window):
    return window.evaluate("window.running")


def refuse(window, path, status):
    """Have each request to this path of the API answered so; None: there is no network."""

    def answer(route):
        if status is None:
            return route.abort("internetdisconnected")
        body = '{"detail": "Later.", "code": "unavailable"}'
        return route.fulfill(status=status, content_type="application/json", body=body)

    window.route(f"**/api{path}", answer)


OUTAGES = {"down": 503, "busy": 429, "no network": None}
in_an_outage = pytest.mark.parametrize("status", OUTAGES.values(), ids=OUTAGES)


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
        held = next(c for c in visitor.context.cookies() if c["name"].endswith("refresh_token"))
        return held, window.evaluate("loot()")

    held, seen = drive(look)
    assert (held["name"], held["httpOnly"], held["secure"]) == ("__Host-refresh_token", True, True)
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
    assert signed_in is True and "__Host-refresh_token" not in names
    assert DeviceSession.objects.get().revoke_reason == "logout"


# Another session in the cookie

RENAME = """auth.api("/sessions/current", {
  method: "PATCH",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ name: "Alice's" }),
})"""


def renames(window):
    """The requests of a window that change something, as they are sent."""
    sent = []
    window.on("request", lambda request: request.method == "PATCH" and sent.append(request))
    return sent


@pytest.mark.parametrize("noticed", ["nothing", "a refusal", "its own sign-out"])
def test_a_tab_of_alice_does_nothing_as_mallory_and_starts_anew(drive, db, alice, mallory, noticed):
    def story(visit):
        visitor = visit()
        one = sign_in(visitor)
        sent = renames(one)
        two = open_window(visitor.context.new_page())
        (one if noticed == "its own sign-out" else two).evaluate("auth.logout()")
        if noticed == "a refusal":
            assert one.evaluate("auth.refresh()") is False
        log_in(two, mallory.email)
        with one.expect_navigation():
            one.evaluate(f"() => {{ {RENAME}.catch(() => {{}}); }}")
        wait_for_app(one)
        # It goes on as whoever is signed in now, as any page that is loaded.
        me = one.evaluate("auth.api('/me').then((answer) => answer.json())")
        visitor.complaints.clear()
        return len(sent), me["email"], one.evaluate("auth.refresh()")

    assert drive(story) == (1, mallory.email, True)
    assert DeviceSession.objects.get(user=mallory).name == ""


def test_a_late_refusal_of_alice_is_not_repeated_as_mallory(drive, db, alice, mallory):
    """In one tab: she signs out while a request is under way."""

    def story(visit):
        visitor = visit()
        window = sign_in(visitor)
        sent = renames(window)
        window.evaluate(
            f"""() => {{
              const now = window.fetch;
              const released = new Promise((done) => {{ window.release = done; }});
              window.fetch = (...given) => released.then(() => now(...given));
              window.running = {RENAME};
              window.fetch = now;
            }}"""
        )
        window.evaluate("auth.logout()")
        log_in(window, mallory.email)
        window.evaluate("release()")
        status = window.evaluate("window.running.then((answer) => answer.status)")
        visitor.complaints.clear()
        return status, len(sent)

    assert drive(story) == (401, 1)
    assert DeviceSession.objects.get(user=mallory).name == ""


# Outages


@in_an_outage
def test_an_outage_of_the_refresh_signs_nobody_out(drive, db, alice, status):
    def story(visit):
        visitor = visit()
        window = sign_in(visitor)
        window.evaluate("() => { window.outcome = (done) => done.then(String, () => 'thrown'); }")
        refuse(window, "/cookie/refresh", status)
        seen = [window.evaluate("outcome(auth.refresh())")]
        # The access token is as good as before, and one that is refused can be tried again.
        seen.append(window.evaluate("outcome(auth.api('/me').then((answer) => answer.status))"))
        refuse(window, "/me", 401)
        seen.append(window.evaluate("outcome(auth.api('/me').then((answer) => answer.status))"))
        window.unroute_all()
        seen.append(window.evaluate("outcome(auth.refresh())"))
        visitor.complaints.clear()
        return seen

    assert drive(story) == ["thrown", "200", "thrown", "true"]


@pytest.mark.parametrize("what", ["refresh", "logout"])
def test_a_request_that_hangs_is_given_up_and_may_be_tried_again(drive, db, alice, what):
    def story(visit):
        visitor = visit()
        window = sign_in(visitor)
        window.evaluate(
            """() => {
              const timeout = AbortSignal.timeout.bind(AbortSignal);
              window.waits = [];
              AbortSignal.timeout = (wait) => { waits.push(wait); return timeout(wait / 100); };
            }"""
        )
        window.route(f"**/api/cookie/{what}", lambda route: None)
        given_up = window.evaluate(
            f"""Promise.race([
              auth.{what}().catch((error) => error.name),
              new Promise((done) => setTimeout(done, 3000, "hangs")),
            ])"""
        )
        window.unroute_all()
        waits = window.evaluate("waits")
        window.evaluate("() => { AbortSignal.timeout = () => undefined; }")
        return given_up, waits, window.evaluate(f"auth.{what}().then(() => true)")

    assert drive(story) == ("TimeoutError", [10_000], True)


@pytest.mark.parametrize("status", [*OUTAGES.values(), 403], ids=[*OUTAGES, "another site"])
def test_a_logout_that_fails_is_told_and_may_be_repeated(drive, db, alice, status):
    def story(visit):
        visitor = visit()
        window = sign_in(visitor)
        refuse(window, "/cookie/logout", status)
        failed = window.evaluate("auth.logout().then(() => false, () => true)")
        still = window.evaluate("auth.api('/me').then((answer) => answer.status)")
        window.unroute_all()
        window.evaluate("auth.logout()")
        visitor.complaints.clear()
        return failed, still

    assert drive(story) == (True, 200)
    assert DeviceSession.objects.get().revoke_reason == "logout"


@pytest.mark.parametrize(
    "headers",
    [
        '{ "Content-Type": "application/json" }',
        'new Headers({ "Content-Type": "application/json" })',
        '[["Content-Type", "application/json"]]',
    ],
    ids=["an object", "Headers", "pairs"],
)
def test_headers_may_be_given_as_to_fetch(drive, db, alice, headers):
    request = RENAME.replace('{ "Content-Type": "application/json" }', headers)

    def story(visit):
        window = sign_in(visit())
        return window.evaluate(f"{request}.then((answer) => answer.status)")

    assert drive(story) == 200
    assert DeviceSession.objects.get().name == "Alice's"
