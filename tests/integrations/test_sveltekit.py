"""The recipe for SvelteKit, built and served before a site that takes the visitor's address from it."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from devices.models import DeviceSession
from tests.browser import conftest
from tests.client import CHROME, PASSWORD
from tests.integrations.front_ends import (
    ADDRESS,
    Visitor,
    an_api_that_is_away_signs_nobody_out,
    an_expired_token_is_replaced_before_the_page_is_made,
    build,
    no_redirect_leads_to_another_site,
    printed_files,
    sign_in_page,
    trust_front_end,
)
from tests.ports import free_port
from tests.proxies.servers import running
from tests.test_recipes import blocks

NPM = (
    "@sveltejs/kit@2.70.4", "svelte@5.57.3", "vite@7.3.8", "@sveltejs/adapter-node@5.5.7",
    "@sveltejs/vite-plugin-svelte@6.2.3",
)  # fmt: skip
FILES = {
    "package.json": '{"type": "module"}',
    "vite.config.js": """import { sveltekit } from "@sveltejs/kit/vite";
export default { plugins: [sveltekit()] };""",
    "svelte.config.js": """import adapter from "@sveltejs/adapter-node";
export default { kit: { adapter: adapter() } };""",
    "src/app.html": "<html>%sveltekit.head%<body><div>%sveltekit.body%</div></body></html>",
}
SCRIPTS = {"x-sveltekit-action": "true", "Accept": "application/json"}


class Browser(Visitor):
    def ask(self, *asked: str, more: dict[str, str] | None = None, **given: Any) -> httpx.Response:
        return super().ask(*asked, more={"Accept": "text/html"} | (more or {}), **given)

    def sign_in(self, password: str = PASSWORD, email: str = "alice@example.org") -> httpx.Response:
        return self.ask("POST", "/login", data={"email": email, "password": password})


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    files = printed_files("sveltekit")
    assert len(files) == 6
    files["src/lib/server/session.js"] = blocks("nextjs")["lib/session.js"]
    return build(
        tmp_path_factory.mktemp("sveltekit"),
        files | FILES,
        NPM,
        ["vite", "build"],
        "the recipe for SvelteKit is not tried",
        timeout=120,
    )


@pytest.fixture
def front(built, live_server, settings):
    """The address of the front end."""
    trust_front_end(settings)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = os.environ | {
        "API_URL": f"{live_server.url}/api",
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "ORIGIN": url,
    }
    with running(["node", str(built / "build")], built / "sveltekit.log", port, env):
        yield url


chromium = conftest.chromium
chromium_path = conftest.chromium_path


@pytest.mark.django_db(transaction=True)
def test_the_recipe(front, alice):
    visitor = Browser(front)
    assert visitor.get().headers["Location"] == "/login"
    assert "No active account" in visitor.sign_in("wrong").text
    assert visitor.sign_in().headers["Location"] == "/"
    session = DeviceSession.objects.get()
    assert (session.device, session.ip_address) == ("Chrome on Windows", ADDRESS)
    assert f"{session.device}, {ADDRESS}" in visitor.get().text

    an_expired_token_is_replaced_before_the_page_is_made(visitor, f"{front}/?page=2")

    no_redirect_leads_to_another_site(visitor, "//evil.example/")

    # What a page asks for by itself.
    del visitor.cookies["access"]
    assert visitor.get("/__data.json?page=2").json()["location"] == f"{front}/?page=2"
    assert visitor.get("/__data.json?page=2").json()["type"] == "data"
    assert DeviceSession.objects.get().generation == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, SCRIPTS], ids=["plain", "enhanced"])
def test_a_form_is_not_lost_and_ends_the_session(front, alice, headers):
    visitor = Browser(front)
    visitor.sign_in()
    del visitor.cookies["access"]
    form = httpx.Request("POST", front, data={"x": "1"})
    given = {
        "content": form.content,
        "more": headers | {"Content-Type": form.headers["Content-Type"]},
    }
    refreshed = visitor.ask("POST", "/?/signOut", **given)
    assert (refreshed.status_code, refreshed.headers["Location"]) == (307, f"{front}/?/signOut")
    assert "access" in visitor.cookies
    assert not DeviceSession.objects.exclude(revoked_at=None).exists()
    visitor.ask("POST", "/?/signOut", **given)
    assert visitor.cookies.keys() == {"device"}
    assert DeviceSession.objects.get().revoke_reason == "logout"
    assert visitor.get().headers["Location"] == "/login"


@pytest.mark.django_db(transaction=True)
def test_an_api_that_is_away_signs_nobody_out(front, alice):
    visitor = Browser(front)
    visitor.sign_in()
    an_api_that_is_away_signs_nobody_out(visitor)


@pytest.mark.django_db(transaction=True)
def test_a_form_that_scripts_send_is_repeated_in_a_browser(front, alice, chromium):
    def visit(browser: Any) -> str:
        page = browser.new_page(user_agent=CHROME)
        sign_in_page(page, front)
        page.context.clear_cookies(name="access")
        page.click("text=Sign out")
        page.wait_for_selector("text=Sign in")
        return page.url

    assert chromium.run(visit) == f"{front}/login"
    assert DeviceSession.objects.get().revoke_reason == "logout"
    assert DeviceSession.objects.get().generation == 1
