"""An agent registers, gets its tokens in a browser, and loses them with the session of that browser."""

import asyncio
import html
import re
from urllib.parse import parse_qs, urlsplit

import agents
import uvicorn
from django.core.asgi import get_asgi_application
from django.test import Client
from fastmcp import Client as Agent
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from oauth2_provider.models import get_access_token_model, get_application_model

from devices.models import DeviceSession
from devices.shortcuts import end_session
from tests.integrations.behaviour import people, report

alice = people()
get_application_model().objects.create(
    client_id="mcp",
    client_secret="pX…",
    client_type="confidential",
    authorization_grant_type="client-credentials",
)
BACK = "http://127.0.0.1:9/back"
mcp: FastMCP = agents.mcp


@mcp.tool
async def work(is_careful: bool, context: Context) -> str:
    for step in range(30):
        await context.report_progress(step)
        await asyncio.sleep(0.1)
        if is_careful:
            await agents.demand_active()
    return "done"


class Store:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    """In which somebody is signed in, and consents."""

    def __init__(self):
        self.client, self.code, self.asked = Client(), {}, 0
        self.client.force_login(alice)
        self.session = DeviceSession.objects.latest("created_at")

    def open(self, url):
        self.asked += 1
        page = self.client.get(url)
        if page.status_code == 302:  # to the login
            return {}
        fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
        form = {name: html.unescape(value) for name, value in fields}
        sent = self.client.post(url, form | {"allow": "Authorize"})
        return {name: value for name, [value] in parse_qs(urlsplit(sent["Location"]).query).items()}

    async def redirect(self, url):
        self.code = await asyncio.to_thread(self.open, url)

    async def callback(self):
        # Without a state, the agent gives up.
        return AuthorizationCodeResult(**({"code": "", "state": ""} | self.code))

    def agent(self):
        said = OAuthClientMetadata(
            client_name="agent",
            redirect_uris=[BACK],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
        )
        url = f"{agents.HERE}/mcp"
        auth = OAuthClientProvider(url, said, Store(), self.redirect, self.callback)
        return Agent(url, auth=auth)


async def serve(application, port, **more):
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="warning", **more))
    asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    return server


async def play(browser, agent, seen):
    assert (await agent.call_tool("whoami")).data == "alice"
    started = asyncio.Event()

    async def progress(*args):
        started.set()

    careless, careful = (
        asyncio.create_task(
            agent.call_tool("work", {"is_careful": each}, progress_handler=progress)
        )
        for each in (False, True)
    )
    await started.wait()
    await asyncio.to_thread(ask_for_another_audience, browser)
    assert browser.asked == 1
    await asyncio.to_thread(end_session, browser.session)
    # What is at work goes on, unless it looks.
    assert (await careless).data == "done"
    try:
        await careful
    except ToolError as error:
        assert "Sign in again." in str(error)
        seen.append("played")


async def main():
    site = await serve(get_asgi_application(), urlsplit(agents.SITE).port, lifespan="off")
    served = await serve(mcp.http_app(), urlsplit(agents.HERE).port)
    browser, seen = await asyncio.to_thread(Browser), []
    try:
        async with browser.agent() as agent:
            await play(browser, agent, seen)
            await agent.call_tool("whoami")
    except Exception as error:
        # The agent gives up.
        seen.append(type(error).__name__)
    assert seen[0] == "played" and len(seen) == 2, seen
    assert browser.asked == 2
    for server in (site, served):
        server.should_exit = server.force_exit = True
    await asyncio.sleep(1)


def ask_for_another_audience(browser):
    row = get_access_token_model().objects.latest("created")
    assert str(browser.session.pk) == row.token.partition(".")[0]
    good = row.token
    assert asyncio.run(agents.verifier.verify_token(good))
    type(row).objects.filter(pk=row.pk).update(resource=[])
    assert asyncio.run(agents.verifier.verify_token(good)) is None
    type(row).objects.filter(pk=row.pk).update(resource=row.resource)


asyncio.run(main())
report({})
