#!/usr/bin/env bash
# Authlib's asynchronous client: requests that wait for a refresh may send the refresh token that was used meanwhile.
#
# Guess: its lock around the refresh means that requests at once share one refresh, and that the next one, if any, has
# the new refresh token.
# Seen: the lock is there, and where access tokens last for longer than `leeway` (60 seconds by default) there is one
# refresh. With tokens of a minute, each waiting request finds the new one "expired" too, and refreshes with the refresh
# token of before it waited. Where refresh tokens are used once, the second counts as stolen, and all but one fail.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Authlib==1.9.10 httpx==0.28.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
from importlib.metadata import version
from urllib.parse import parse_qs

import httpx
from authlib.integrations.httpx_client import AsyncOAuth2Client

print("Authlib", version("Authlib"), "httpx", version("httpx"))


async def ask(lifetime):
    sent = []

    def answer(request):
        if request.url.path != "/token":
            return httpx.Response(200)
        [token] = parse_qs(request.content.decode())["refresh_token"]
        sent.append(token)
        if sent.count(token) > 1:
            return httpx.Response(400, json={"error": "invalid_grant"})
        new = {"access_token": f"access {len(sent)}", "refresh_token": f"refresh {len(sent)}"}
        return httpx.Response(200, json=new | {"token_type": "Bearer", "expires_in": lifetime})

    expired = {"access_token": "access 0", "refresh_token": "refresh 0", "expires_at": 1, "token_type": "Bearer"}
    client = AsyncOAuth2Client(
        "app", token=expired, token_endpoint="https://example.org/token", transport=httpx.MockTransport(answer)
    )

    async def get():
        try:
            return (await client.get("https://example.org/me")).status_code
        except Exception as error:
            return getattr(error, "error", repr(error))

    return await asyncio.gather(*(get() for _ in range(3))), sent


seen = {seconds: asyncio.run(ask(seconds)) for seconds in (300, 60)}
for seconds, (answers, sent) in seen.items():
    print(f"access tokens of {seconds} seconds: {answers}, refreshed with {sent}")
assert seen == {
    300: ([200] * 3, ["refresh 0"]),
    60: ([200, "invalid_grant", "invalid_grant"], ["refresh 0"] * 3),
}, "the behaviour has changed"
PYTHON
