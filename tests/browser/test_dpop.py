"""The browser client of docs/dpop.md in Chromium: its key stays, and nobody reads it."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path

from devices.models import DeviceSession
from tests.client import PASSWORD

pytestmark = pytest.mark.urls(__name__)

TEXT = (Path(settings.BASE_DIR) / "docs/dpop.md").read_text()
CLIENT = re.search(r"```js\n(// dpop\.js.*?)```", TEXT, re.DOTALL)[1]

APP = f"""
import {{ proof, send }} from "/dpop.js";
const email = "alice@example.org", password = "{PASSWORD}";

window.signIn = async () => {{
  const login = await send("/login", {{ method: "POST", body: {{ email, password }} }});
  window.held = await login.json();
  return held.token_type;
}};
window.me = async (token) => (await send("/me?x=1#y", {{ token }})).status;
window.refresh = async (refresh) => {{
  const answer = await send("/token/refresh", {{ method: "POST", body: {{ refresh }} }});
  window.next = await answer.json();
  return answer.status;
}};
window.bearer = async (token) =>
  (await fetch("/api/me", {{ headers: {{ Authorization: `Bearer ${{token}}` }} }})).status;
// What a thief's script in the page finds of the key.
window.loot = () => new Promise((resolve) => {{
  indexedDB.open("dpop", 1).onsuccess = (opened) => {{
    const keys = opened.target.result.transaction("keys").objectStore("keys");
    keys.get("device").onsuccess = async (found) => {{
      const {{ privateKey }} = found.target.result;
      const attempts = ["jwk", "pkcs8", "raw"].map((format) =>
        crypto.subtle.exportKey(format, privateKey).then(() => "read", (error) => error.name));
      resolve([privateKey.extractable, JSON.stringify(privateKey), ...await Promise.all(attempts)]);
    }};
  }};
}});
window.keys = async () => {{
  const jwk = (raw) => JSON.parse(atob(raw.split(".")[0].replaceAll("-", "+").replaceAll("_", "/"))).jwk;
  const all = await Promise.all([1, 2, 3].map(() => proof("GET", location.href)));
  return new Set(all.map((each) => jwk(each).x)).size;
}};
window.isReady = true;
"""


def script(text):
    return lambda request: HttpResponse(
        text.replace("https://api.example.org", request.build_absolute_uri("/")[:-1]),
        content_type="text/javascript",
    )


def page(request):
    return HttpResponse(
        '<!doctype html><title>App</title><script type="module" src="/app.js"></script>'
    )


urlpatterns = [
    path("app", page),
    path("dpop.js", script(CLIENT)),
    path("app.js", script(APP)),
    path("favicon.ico", script("")),
    path("api/", include("accounts.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.api.urls.tokens")),
]


def opened(visitor):
    visitor.go("/app").page.wait_for_function("window.isReady")
    return visitor.page


def refusals(visitor):
    """Chromium notes each answer 401 on its console, which here is what was to be seen."""
    visitor.complaints = [each for each in visitor.complaints if " 40" not in each]


@pytest.mark.parametrize("nonces", [False, True])
def test_the_page_signs_in_calls_and_refreshes_and_keeps_its_key(drive, alice, settings, nonces):
    settings.DEVICES = {**settings.DEVICES, "DPOP_NONCE": nonces}

    def journey(visit):
        browser = visit()
        app = opened(browser)
        assert app.evaluate("signIn()") == "DPoP"
        held = app.evaluate("held")
        assert app.evaluate("me(held.access_token)") == 200
        assert app.evaluate("refresh(held.refresh_token)") == 200
        held = app.evaluate("next")
        # The page is loaded anew: the key is still there.
        app = opened(browser)
        seen = [app.evaluate("token => me(token)", held["access"])]
        seen.append(app.evaluate("token => refresh(token)", held["refresh"]))
        refusals(browser)
        return seen, app.evaluate("keys()")

    seen, keys = drive(journey)
    assert seen == [200, 200]
    assert keys == 1
    session = DeviceSession.objects.get()
    assert (session.binding, session.generation) == ("dpop", 2)


def test_no_script_reads_the_key(drive, alice):
    def journey(visit):
        app = opened(visit())
        app.evaluate("signIn()")
        return app.evaluate("loot()")

    extractable, shown, *attempts = drive(journey)
    assert (extractable, shown) == (False, "{}")
    assert attempts == ["InvalidAccessError"] * 3


def test_two_windows_that_begin_at_once_have_one_key(drive, alice):
    def journey(visit):
        browser = visit()
        first, second = opened(browser), browser.context.new_page()
        second.goto("/app")
        second.wait_for_function("window.isReady")
        types = [window.evaluate("signIn()") for window in (first, second)]
        tokens = second.evaluate("held")
        return types, first.evaluate("token => me(token)", tokens["access_token"])

    types, status = drive(journey)
    assert types == ["DPoP", "DPoP"]
    assert status == 200, "the one window's token works with the key of the other"


def test_a_copy_of_the_tokens_is_of_no_use_in_another_browser(drive, alice):
    def journey(visit):
        owner, thief = visit(), visit()
        home, elsewhere = opened(owner), opened(thief)
        home.evaluate("signIn()")
        held = home.evaluate("held")
        stolen = [
            elsewhere.evaluate("token => me(token)", held["access_token"]),
            elsewhere.evaluate("token => bearer(token)", held["access_token"]),
            elsewhere.evaluate("token => refresh(token)", held["refresh_token"]),
        ]
        refusals(thief)
        return stolen, home.evaluate("me(held.access_token)")

    stolen, own = drive(journey)
    assert stolen == [401, 401, 401]
    assert own == 200
