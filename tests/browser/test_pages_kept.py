"""Pages that Chromium shows without asking for them: of the Back button, and prepared in the background."""

import json
import signal
import subprocess
from os import killpg

import pytest
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from devices.models import DeviceSession
from tests.browser import test_cookies, test_javascript, test_react
from tests.browser.engine import Engine
from tests.browser.test_cookies import log_in, script
from tests.browser.test_react import forget_refusals, sign_in
from tests.bus import wait_for
from tests.client import PASSWORD

pytestmark = pytest.mark.urls(__name__)

# What the pages of a test have told, which no driver looks at: where one does, Chromium prepares no page.
told: list[str] = []

CLIENTS = {
    "cookies": """
      import { api, login, logout, refresh } from "/cookies/auth.js";
      const credentials = { email: "alice@example.org", password: "PASSWORD" };
      const enter = () => login(credentials);
      const look = async () => ((await refresh()) ? (await api("/me")).status : "nobody");
    """,
    "tokens": """
      import { api, login, logout, tokens } from "/tokens/auth.js";
      const enter = async () => {
        await login("alice@example.org", "PASSWORD");
        tokens.set({ ...tokens.get(), access: "expired" });
      };
      const look = () => api("/me").then(({ status }) => status, () => "nobody");
    """,
}
TELL = """
  const tell = (text) => fetch("/told", { method: "POST", body: JSON.stringify(text) });
  const pause = (time) => new Promise((done) => setTimeout(done, time));
"""
OPENER = """
  await enter();
  const rules = document.createElement("script");
  rules.type = "speculationrules";
  const urls = [location.pathname.replace("opener", "prepared")];
  rules.textContent = JSON.stringify({ prerender: [{ urls, eagerness: "immediate" }] });
  document.head.append(rules);
  while (!(await (await fetch("/told")).json()).length) await pause(50);
  await pause(1000);
  await logout();
  location.href = urls[0];
"""
PREPARED = """
  await tell("began");
  const seen = await look();
  const [{ activationStart }] = performance.getEntriesByType("navigation");
  tell([seen, document.prerendering ? "in the background" : activationStart > 0 ? "when shown" : "anew"]);
"""
# As in Firefox and WebKit, where a page in that cache misses what other tabs store
# (`findings/back-hides-what-other-tabs-stored.sh`).
LISTENER = """
  const { onChange } = await import("/tokens/auth.js");
  await enter();
  addEventListener("storage", (event) => event.stopImmediatePropagation(), true);
  window.heard = [];
  onChange(() => heard.push(tokens.get()));
"""
ROLES = {"opener": OPENER, "prepared": PREPARED, "listener": LISTENER}


def page(request, client, role):
    text = f'<!doctype html><title>App</title><script type="module" src="/{client}/{role}.js"></script>'
    policy = "default-src 'self'; script-src 'self' 'inline-speculation-rules'"
    return HttpResponse(text, headers={"Content-Security-Policy": policy})


def program(request, client, role):
    text = CLIENTS[client] + TELL + ROLES[role]
    return script(text.replace("PASSWORD", PASSWORD))(request)


@csrf_exempt
def tell(request):
    if request.method == "POST":
        told.append(json.loads(request.body))
    return JsonResponse(told, safe=False)


urlpatterns = [
    path("told", tell),
    path("cookies/auth.js", script(test_cookies.SCRIPT)),
    path("tokens/auth.js", test_javascript.auth),
    path("<client>/<role>.js", program),
    path("<client>/<role>.html", page),
    path("", include(test_react)),
]


_bundled = test_react._bundled


@pytest.fixture(scope="module")
def chromium(chromium_path):
    """With the cache for the Back button, which the driver switches off otherwise."""
    engine = Engine(args=["--no-sandbox"], ignore_default_args=["--disable-back-forward-cache"])
    yield engine
    engine.close()


@pytest.fixture
def by_itself(chromium_path, tmp_path):
    """by_itself(url): Chromium goes there, without a driver."""
    running = []

    def go(url: str) -> None:
        command = [chromium_path, "--headless=new", "--no-sandbox", "--no-first-run", url]
        command.insert(1, f"--user-data-dir={tmp_path}")
        quiet = subprocess.DEVNULL
        started = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)
        running.append(started)

    yield go
    for each in running:
        killpg(each.pid, signal.SIGKILL)
        each.wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_page_that_was_prepared_before_a_sign_out_shows_nobody(
    by_itself, live_server, alice, client
):
    told.clear()
    by_itself(f"{live_server.url}/{client}/opener.html")
    wait_for(lambda: len(told) >= 2, 60)
    assert told == ["began", ["nobody", "when shown"]]
    assert DeviceSession.objects.get().revoke_reason == "logout"


@pytest.mark.parametrize("next_one", ["nobody", "mallory"])
def test_back_shows_the_page_of_who_is_signed_in(drive, db, alice, mallory, next_one):
    def story(visit):
        visitor = visit(bypass_csp=True)  # what waits in a page is a string
        tab = sign_in(visitor)
        tab.wait_for_selector("text=(this device)")
        # Read at the end: what Back shows may be on its way to another page.
        tab.evaluate("""() => {
            window.isKept = true;
            addEventListener("pageshow", () => { sessionStorage.wasKept = "yes"; });
        }""")
        tab.goto("/shop?elsewhere")
        tab.click("text=Sign out")
        tab.wait_for_selector("[name=password]")
        if next_one == "mallory":
            log_in(tab, mallory.email)
        tab.evaluate("() => { setTimeout(() => history.back()); }")
        tab.wait_for_url("/shop", wait_until="commit")
        wanted = "[name=password]" if next_one == "nobody" else "text=(this device)"
        tab.wait_for_selector(wanted)
        if next_one == "mallory":
            # A whole new page, in which nothing of the one before is left.
            tab.wait_for_function("!window.isKept")
            tab.wait_for_selector(wanted)
        forget_refusals(visitor)
        return tab.evaluate("sessionStorage.wasKept")

    assert drive(story) == "yes"


def test_back_tells_of_a_sign_out_in_another_tab_without_an_event_of_the_storage(drive, db, alice):
    def story(visit):
        visitor = visit(bypass_csp=True)  # what waits in a page is a string
        tab = visitor.page
        tab.goto("/tokens/listener.html")
        tab.wait_for_function("window.heard")
        tab.goto("/shop")
        other = visitor.context.new_page()
        other.goto("/shop")
        other.evaluate("localStorage.removeItem('tokens')")
        tab.evaluate("() => { setTimeout(() => history.back()); }")
        tab.wait_for_url("/tokens/listener.html", wait_until="commit")
        tab.wait_for_function("window.heard?.length")
        forget_refusals(visitor)
        return tab.evaluate("window.heard")

    assert drive(story) == [None]
