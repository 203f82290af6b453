"""The recipe for Nuxt, built and served by it, before a site that takes the visitor's address from it."""

import os
from pathlib import Path

import httpx
import pytest

from devices.models import DeviceSession
from tests.client import PASSWORD
from tests.integrations.front_ends import (
    ADDRESS,
    Visitor,
    an_api_that_is_away_signs_nobody_out,
    an_expired_token_is_replaced_before_the_page_is_made,
    build,
    no_redirect_leads_to_another_site,
    printed_files,
    trust_front_end,
)
from tests.ports import free_port
from tests.proxies.servers import running
from tests.test_recipes import blocks

NPM = ("nuxt@3.17.7",)
FILES = {
    "package.json": '{"type": "module"}',
    "nuxt.config.js": 'export default { telemetry: false, compatibilityDate: "2026-01-01" };',
    "pages/login.vue": "<template><p>Sign in</p></template>",
}


class Browser(Visitor):
    def sign_in(self, password: str = PASSWORD, email: str = "alice@example.org") -> httpx.Response:
        return self.ask("POST", "/api/login", json={"email": email, "password": password})


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    files = printed_files("nuxt")
    assert len(files) == 6
    files["lib/session.js"] = blocks("nextjs")["lib/session.js"]
    return build(
        tmp_path_factory.mktemp("nuxt"),
        files | FILES,
        NPM,
        ["nuxt", "build"],
        "the recipe for Nuxt is not tried",
    )


@pytest.fixture
def front(built, live_server, settings):
    """The address of the front end."""
    trust_front_end(settings)
    port = free_port()
    env = {name: text for name, text in os.environ.items() if name != "NODE_ENV"}
    env |= {"API_URL": f"{live_server.url}/api", "PORT": str(port), "HOST": "127.0.0.1"}
    command = ["node", str(built / ".output/server/index.mjs")]
    with running(command, built / "nuxt.log", port, env):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.django_db(transaction=True)
def test_the_recipe(front, alice):
    visitor = Browser(front)
    assert visitor.get().headers["Location"] == "/login"
    refused = visitor.sign_in("wrong")
    assert (refused.status_code, refused.json()["code"]) == (401, "no_active_account")
    assert visitor.sign_in().status_code == 204
    session = DeviceSession.objects.get()
    assert (session.device, session.ip_address) == ("Chrome on Windows", ADDRESS)
    assert f"{session.device}, {ADDRESS}" in visitor.get().text
    assert DeviceSession.objects.get().last_ip == ADDRESS

    page = an_expired_token_is_replaced_before_the_page_is_made(visitor)
    assert f"{session.device}, {ADDRESS}" in page.text

    # A route keeps its method.
    del visitor.cookies["access"]
    assert visitor.ask("POST", "/api/logout").status_code == 307
    assert visitor.ask("POST", "/api/logout").status_code == 204
    assert visitor.cookies.keys() == {"device"}
    assert DeviceSession.objects.get().revoke_reason == "logout"
    assert visitor.get().headers["Location"] == "/login"


@pytest.mark.django_db(transaction=True)
def test_an_api_that_is_away_signs_nobody_out(front, alice):
    visitor = Browser(front)
    visitor.sign_in()
    an_api_that_is_away_signs_nobody_out(visitor)


@pytest.mark.django_db(transaction=True)
def test_other_sites_sign_nobody_in_and_get_nobody(front, alice):
    visitor = Browser(front)
    for origin in ("https://evil.example", "null"):
        given = {"json": {"email": alice.email, "password": PASSWORD}, "more": {"Origin": origin}}
        assert visitor.ask("POST", "/api/login", **given).status_code == 403
    assert not DeviceSession.objects.exists()
    visitor.sign_in()
    no_redirect_leads_to_another_site(
        visitor, "//evil.example/", "/\\evil.example/", "///evil.example"
    )
