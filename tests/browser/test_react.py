"""The React app of the cookie recipe in Chromium: two tabs that refresh at once, what scripts can read."""

import re
import subprocess
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.urls import include, path

from devices.models import DeviceSession
from tests import npm
from tests.browser.test_cookies import (
    APP,
    RECIPE,
    ROUNDS,
    SCRIPT,
    in_an_outage,
    log_in,
    refuse,
    result,
    script,
    start,
)
from tests.client import PASSWORD

pytestmark = pytest.mark.urls(__name__)

NPM = ("react@19.3.1", "react-dom@19.3.1", "esbuild@0.28.2")
COMPONENTS = re.search(r"```jsx\n(// App\.jsx.*?)```", RECIPE, re.DOTALL)[1]
# In development React runs each effect twice.
MAIN = f"""{APP.replace('"/auth.js"', '"./auth.js"')}
import {{ StrictMode }} from "react";
import {{ createRoot }} from "react-dom/client";
import {{ App }} from "./App.jsx";
createRoot(document.querySelector("main")).render(<StrictMode><App /></StrictMode>);
"""
BUNDLE = (
    "--bundle",
    "--jsx=automatic",
    "--format=esm",
    "--outfile=bundle.js",
    "--log-level=warning",
)

bundle = ""


def page(request):
    return HttpResponse(
        '<!doctype html><html lang="en"><title>Shop</title><main></main>'
        '<script type="module" src="/bundle.js"></script>'
    )


urlpatterns = [
    path("shop", page),
    path("bundle.js", lambda request: script(bundle)(request)),
    path("favicon.ico", script("")),
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path("", include("project.urls")),
]


@pytest.fixture(scope="module", autouse=True)
def _bundled(tmp_path_factory):
    """The app as its team would build it."""
    global bundle
    folder: Path = tmp_path_factory.mktemp("react")
    npm.install(folder, NPM, "the React app of the cookie recipe is not tried")
    for name, text in (("auth.js", SCRIPT), ("App.jsx", COMPONENTS), ("main.jsx", MAIN)):
        (folder / name).write_text(text)
    command = [folder / "node_modules/.bin/esbuild", "main.jsx", *BUNDLE]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    bundle = (folder / "bundle.js").read_text()
    yield
    bundle = ""


def open_tab(page):
    page.goto("/shop")
    page.wait_for_selector("main button")
    return page


def sign_in(visitor, password=PASSWORD):
    tab = open_tab(visitor.page)
    tab.fill("[name=email]", "alice@example.org")
    tab.fill("[name=password]", password)
    tab.click("text=Sign in")
    return tab


def forget_refusals(visitor):
    """Chromium says each 401 on its console, as before anybody has signed in."""
    assert all(" 401 " in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_two_tabs_refresh_at_the_same_moment_and_stay_signed_in(drive, db, alice):
    def story(visit):
        visitor = visit()
        one = sign_in(visitor)
        one.wait_for_selector("text=(this device)")
        two = open_tab(visitor.context.new_page())
        two.wait_for_selector("text=(this device)")
        begin = one.evaluate("Date.now()") + 500
        for tab in (one, two):
            start(tab, "rounds", begin, 60, ROUNDS)
        refused = [result(tab) for tab in (one, two)]
        held = next(c for c in visitor.context.cookies() if c["name"].endswith("refresh_token"))
        seen = one.evaluate("loot()")
        for tab in (one, two):
            open_tab(tab).wait_for_selector("text=(this device)")
        one.click("text=Sign out")
        one.wait_for_selector("[name=password]")
        left = open_tab(two).is_visible("[name=password]")
        forget_refusals(visitor)
        return refused, held, seen, left

    refused, held, seen, left = drive(story)
    assert refused == [[], []] and left
    assert held["httpOnly"] and not [each for each in seen if held["value"] in each]
    assert DeviceSession.objects.get().revoke_reason == "logout"


def test_a_wrong_password_is_told(drive, db, alice):
    def story(visit):
        visitor = visit()
        tab = sign_in(visitor, "a guess")
        tab.wait_for_selector("[role=alert]:not(:empty)")
        forget_refusals(visitor)
        return tab.text_content("[role=alert]")

    assert "No active account" in drive(story)
    assert not DeviceSession.objects.exists()


@in_an_outage
@pytest.mark.parametrize("path", ["/cookie/refresh", "/sessions"])
def test_an_outage_shows_no_login_and_a_button_to_try_again(drive, db, alice, path, status):
    def story(visit):
        visitor = visit()
        tab = sign_in(visitor)
        tab.wait_for_selector("text=(this device)")
        refuse(tab, path, status)
        open_tab(tab)
        tab.wait_for_selector("[role=alert]:not(:empty)")
        told, asked = tab.text_content("[role=alert]"), tab.is_visible("[name=password]")
        tab.click("text=Try again")
        tab.wait_for_selector("[role=alert]:not(:empty)")
        tab.unroute_all()
        tab.click("text=Try again")
        tab.wait_for_selector("text=(this device)")
        visitor.complaints.clear()
        return told, asked, tab.locator("[role=alert]:not(:empty)").count()

    assert drive(story) == ("The server does not answer. Try again", False, 0)


def test_who_cannot_sign_out_is_told(drive, db, alice):
    def story(visit):
        visitor = visit()
        tab = sign_in(visitor)
        tab.wait_for_selector("text=(this device)")
        refuse(tab, "/cookie/logout", None)
        tab.click("text=Sign out")
        tab.wait_for_selector("[role=alert]:not(:empty)")
        told, asked = tab.text_content("[role=alert]"), tab.is_visible("[name=password]")
        tab.unroute_all()
        tab.click("text=Sign out")
        tab.wait_for_selector("[name=password]")
        visitor.complaints.clear()
        return told, asked

    assert drive(story) == ("You are not signed out yet. Try again.", False)
    assert DeviceSession.objects.get().revoke_reason == "logout"


def test_the_page_of_alice_becomes_that_of_mallory_as_a_whole(drive, db, alice, mallory):
    def story(visit):
        visitor = visit()
        one = sign_in(visitor)
        one.wait_for_selector("text=(this device)")
        two = open_tab(visitor.context.new_page())
        two.click("text=Sign out")
        two.wait_for_selector("[name=password]")
        log_in(two, mallory.email)
        with one.expect_navigation():
            one.evaluate("() => { auth.api('/me').catch(() => {}); }")
        one.wait_for_selector("text=(this device)")
        forget_refusals(visitor)
        return one.evaluate("auth.api('/me').then((answer) => answer.json())")

    assert drive(story)["email"] == mallory.email
