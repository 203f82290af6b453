"""The recipe for React Router, built and served before a site that takes the visitor's address from it."""

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
    sign_in_page,
    trust_front_end,
)
from tests.ports import free_port
from tests.proxies.servers import running
from tests.test_recipes import blocks

# Its framework mode, and the version before, where middleware has to be asked for.
VERSIONS = {"8.4.0": "", "7.18.4": "future: { v8_middleware: true }"}
FILES = {
    "package.json": '{"type": "module"}',
    "vite.config.js": """import { reactRouter } from "@react-router/dev/vite";
export default { plugins: [reactRouter()] };""",
    "app/routes.js": """import { index, route } from "@react-router/dev/routes";
export default [
  index("routes/home.jsx"), route("login", "routes/login.jsx"), route("start", "routes/start.jsx"),
  route("*", "routes/start.jsx", { id: "any" }),
];""",
    "app/routes/start.jsx": """import { Link } from "react-router";
export default () => <Link to="/">Devices</Link>;""",
}


class Browser(Visitor):
    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        given = {"email": "alice@example.org", "password": password}
        return self.ask("POST", "/login", data=given)


@pytest.fixture(scope="module", params=VERSIONS)
def built(request, tmp_path_factory) -> Path:
    files = blocks("react-router")
    assert len(files) == 4
    files["app/session.server.js"] = blocks("nextjs")["lib/session.js"]
    files["react-router.config.js"] = f"export default {{ {VERSIONS[request.param]} }};"
    ours = (f"@react-router/{part}@{request.param}" for part in ("dev", "node", "serve"))
    others = (f"react-router@{request.param}", "react@19.3.1", "react-dom@19.3.1", "vite@7.3.8")
    return build(
        tmp_path_factory.mktemp("react-router"),
        FILES | files,
        (*ours, *others, "isbot@5.2.3", "cookie@1.1.1"),
        ["react-router", "build"],
        "the recipe for React Router is not tried",
    )


@pytest.fixture
def front(built, live_server, settings):
    """The address of the front end."""
    trust_front_end(settings)
    port = free_port()
    more = {"API_URL": f"{live_server.url}/api", "PORT": str(port), "HOST": "127.0.0.1"}
    command = [f"{built}/node_modules/.bin/react-router-serve", f"{built}/build/server/index.js"]
    with running(command, built / "serve.log", port, os.environ | more):
        yield f"http://127.0.0.1:{port}"


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

    an_expired_token_is_replaced_before_the_page_is_made(visitor)
    no_redirect_leads_to_another_site(
        visitor, "//evil.example/", "/\\evil.example/", "///evil.example"
    )

    # Nor is a page of another site what signs somebody in.
    stranger = {"Origin": "https://evil.example"}
    assert visitor.ask("POST", "/login", data={"email": "x"}, more=stranger).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_an_api_that_is_away_signs_nobody_out(front, alice):
    visitor = Browser(front)
    visitor.sign_in()
    an_api_that_is_away_signs_nobody_out(visitor)


@pytest.mark.django_db(transaction=True)
def test_what_scripts_ask_for_is_asked_again_with_new_tokens(front, alice, chromium):
    def visit(browser: Any) -> list[str]:
        page = browser.new_page(user_agent=CHROME)

        def follow(button: str, shown: str) -> str:
            page.context.clear_cookies(name="access")
            page.click(f"text={button}")
            page.wait_for_selector(f"text={shown}")
            return page.url.removeprefix(front)

        sign_in_page(page, front)
        page.goto(f"{front}/start", wait_until="networkidle")
        return [follow("Devices", "Chrome"), follow("Sign out", "Sign in")]

    assert chromium.run(visit) == ["/", "/login"]
    session = DeviceSession.objects.get()
    assert (session.revoke_reason, session.generation) == ("logout", 2)
