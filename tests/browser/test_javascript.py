"""The client of docs/recipes/javascript.md in Chromium: two tabs, which share the tokens and a lock."""

import pytest
from django.http import HttpResponse
from django.urls import include, path

from devices.models import DeviceSession
from tests.browser.test_cookies import open_window, page, script
from tests.browser.test_react import forget_refusals
from tests.client import PASSWORD
from tests.test_recipes import blocks

pytestmark = pytest.mark.urls(__name__)

APP = f"""
import * as auth from "/auth.js";
const {{ SignedOut, api, tokens }} = auth;

// Ten seconds become one.
const timeout = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (time) => timeout(time / 10);

window.signIn = (name) => auth.login(`${{name}}@example.org`, "{PASSWORD}");
window.expire = () => tokens.set({{ ...tokens.get(), access: tokens.get().access + "x" }});
window.who = async () => (await (await api("/me")).json()).email;
window.rename = (name) => api("/sessions/current", {{
  method: "PATCH",
  headers: {{ "Content-Type": "application/json" }},
  body: JSON.stringify({{ name }}),
}});
window.begin = (task, given) => {{
  const late = new Promise((done) => setTimeout(done, 5_000, "hangs"));
  const done = window[task](given).then(
    (value) => value?.status ?? value,
    (error) => (error instanceof SignedOut ? "signed out" : error.name),
  );
  window.running = Promise.race([done, late]);
}};
window.waiting = async () => (await navigator.locks.query()).pending.length;
window.auth = auth;
"""


def auth(request):
    code = blocks("javascript")["auth.js"]
    here = request.build_absolute_uri("/")[:-1]
    return HttpResponse(
        code.replace("https://api.example.org", here), content_type="text/javascript"
    )


urlpatterns = [
    path("app", page),
    path("auth.js", auth),
    path("app.js", script(APP)),
    path("favicon.ico", script("")),
    path("", include("project.urls")),
]


def two_tabs(visitor):
    """Two tabs of Alice, whose access token has expired. A refresh of the first gets no answer for now."""
    one, two = open_window(visitor.page), open_window(visitor.context.new_page())
    one.evaluate("signIn('alice')")
    one.evaluate("expire()")
    held = []
    one.route("**/api/token/refresh", lambda refresh: held.append(refresh))
    one.evaluate("begin('who')")
    while not held:
        one.wait_for_timeout(10)
    return one, two, held[0]


def test_a_refresh_that_hangs_does_not_hold_up_the_other_tab(drive, db, alice):
    def story(visit):
        visitor = visit()
        one, two, _refresh = two_tabs(visitor)
        two.evaluate("begin('who')")
        told = [tab.evaluate("running") for tab in (one, two)]
        one.unroute("**/api/token/refresh")
        again = one.evaluate("who()")
        forget_refusals(visitor)
        return *told, again

    assert drive(story) == ("TimeoutError", "alice@example.org", "alice@example.org")
    assert DeviceSession.objects.get().revoked_at is None


def test_who_signs_in_while_a_tab_waits_for_the_lock_does_not_send_its_request(
    drive, db, alice, mallory
):
    def story(visit):
        visitor = visit()
        one, two, refresh = two_tabs(visitor)
        two.evaluate("begin('rename', 'Alice’s')")
        while not two.evaluate("waiting()"):
            two.wait_for_timeout(10)
        two.evaluate("signIn('mallory')")
        refresh.continue_()
        told = [tab.evaluate("running") for tab in (one, two)]
        now = [tab.evaluate("who()") for tab in (one, two)]
        forget_refusals(visitor)
        return told, now

    told, now = drive(story)
    assert told == ["signed out"] * 2 and now == ["mallory@example.org"] * 2
    assert not DeviceSession.objects.exclude(name="").exists()
