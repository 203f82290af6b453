#!/usr/bin/env bash
# The MCP SDK's client: after a restart it never uses its refresh token, and asks the person to sign in.
#
# Guess: OAuthClientProvider keeps its tokens in a TokenStorage, so that an agent that is started again refreshes the access
# token that has expired meanwhile, as it does while it runs.
# Seen (mcp 2.3.0): while it runs, it refreshes. Started again, it does not know when the stored token expires, sends it,
# and answers the 401 by opening the page to sign in, though the refresh token beside it is good.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mcp==2.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

grants, opened, good_until = [], [], {}


class Server(BaseHTTPRequestHandler):
    """An MCP server, and the site at which people sign in."""

    def say(self, status, body, **headers):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if "oauth-protected-resource" in self.path:
            self.say(200, {"resource": f"{URL}/mcp", "authorization_servers": [URL]})
        elif self.path == "/.well-known/oauth-authorization-server":
            ends = {"authorization_endpoint": f"{URL}/authorize", "token_endpoint": f"{URL}/token"}
            more = {"response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"]}
            self.say(200, {"issuer": URL, **ends, **more})
        elif good_until.get(self.headers.get("Authorization", ""), 0) > time.time():
            self.say(200, {})
        else:
            where = f'Bearer resource_metadata="{URL}/.well-known/oauth-protected-resource/mcp"'
            self.say(401, {}, WWW_Authenticate=where)

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        grants.extend(form["grant_type"])
        token = f"token-{len(grants)}"
        good_until[f"Bearer {token}"] = time.time() + 2
        kept = {"refresh_token": "a refresh token", "token_type": "Bearer", "expires_in": 2}
        self.say(200, {"access_token": token, **kept})

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{server.server_port}"
BACK = "http://127.0.0.1:9/back"


class Storage:
    """On the disk of the agent."""

    tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return OAuthClientInformationFull(
            client_id="agent", redirect_uris=[BACK], token_endpoint_auth_method="none", issuer=URL
        )

    async def set_client_info(self, info):
        pass


async def open_browser(url):
    opened.append(parse_qs(urlsplit(url).query)["state"][0])


async def back():
    return AuthorizationCodeResult(code="a code", state=opened[-1], iss=None)


def start(storage):
    said = OAuthClientMetadata(redirect_uris=[BACK], token_endpoint_auth_method="none")
    return httpx2.AsyncClient(auth=OAuthClientProvider(f"{URL}/mcp", said, storage, open_browser, back))


async def main():
    storage, seen = Storage(), []
    agent = start(storage)
    for what in ("first", "after the token has expired", "started again, after it has expired"):
        if what.startswith("started"):
            await agent.aclose()
            agent = start(storage)
        grants.clear()
        before = len(opened)
        answer = await agent.get(f"{URL}/mcp")
        seen.append((answer.status_code, list(grants), len(opened) - before))
        print(f"{what}: {answer.status_code}, grants {grants}, opened the page {len(opened) - before} times")
        await asyncio.sleep(2.5)
    await agent.aclose()
    return seen


print("mcp", version("mcp"))
assert asyncio.run(main()) == [
    (200, ["authorization_code"], 1),
    (200, ["refresh_token"], 0),
    (200, ["authorization_code"], 1),
], "the behaviour has changed"
print("As seen: started again, it asks the person, and does not refresh.")
PYTHON
