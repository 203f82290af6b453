#!/usr/bin/env bash
# requests, HTTPie: a bearer token in the headers is replaced by what ~/.netrc has for the host; aiohttp refuses to ask.
#
# Guess: a header that the caller gives is sent. ~/.netrc is for requests without one, as it is with curl.
# Seen: requests and HTTPie send `Basic …` in the place of `Authorization: Bearer …`, whether it is a header of the request or
# of the session, and an API answers 401 as if no token had come. One line is enough: `default`, by which ftp clients sign
# in everywhere as "anonymous", is for each host, also for one's own. With `auth=` (a class of one's own) or `http -A bearer
# -a TOKEN` the token is sent, and with `trust_env = False`. aiohttp with `trust_env=True`, which is how it finds a proxy,
# raises ValueError. httpx and curl -n send the token.
#
# Needs curl.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 httpie==3.2.4 httpx==0.28.1 aiohttp==3.14.5
cd "$folder"
echo "default login anonymous password me@example.org" > .netrc
chmod 600 .netrc
HOME=$folder NO_PROXY=127.0.0.1 PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import aiohttp
import httpx
import requests

came = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        came.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Bearer(requests.auth.AuthBase):
    def __call__(self, request):
        request.headers.update(token)
        return request


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}/"
token = {"Authorization": "Bearer abc"}


def by_session(trust_env):
    with requests.Session() as session:
        session.headers.update(token)
        session.trust_env = trust_env
        session.get(site)


async def by_aiohttp(trust_env):
    async with aiohttp.ClientSession(headers=token, trust_env=trust_env) as session:
        async with session.get(site):
            pass


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


print(*(f"{name} {version(name)}" for name in ("requests", "httpie", "httpx", "aiohttp")))
run("curl", "--version")
replaced, sent = "Basic YW5vbnltb3VzOm1lQGV4YW1wbGUub3Jn", "Bearer abc"
header = "Authorization: Bearer abc"
expected = {
    "requests.get(headers=…)": (lambda: requests.get(site, headers=token), replaced),
    "requests, headers of a session": (lambda: by_session(True), replaced),
    "requests, auth=": (lambda: requests.get(site, auth=Bearer()), sent),
    "requests, trust_env = False": (lambda: by_session(False), sent),
    "http URL 'Authorization: …'": (lambda: run("http", "--ignore-stdin", site, header), replaced),
    "http --ignore-netrc": (lambda: run("http", "--ignore-stdin", "--ignore-netrc", site, header), sent),
    "http -A bearer -a TOKEN": (lambda: run("http", "--ignore-stdin", "-A", "bearer", "-a", "abc", site), sent),
    "aiohttp": (lambda: asyncio.run(by_aiohttp(False)), sent),
    "aiohttp, trust_env=True": (lambda: asyncio.run(by_aiohttp(True)), "ValueError"),
    "httpx": (lambda: httpx.get(site, headers=token), sent),
    "curl": (lambda: run("curl", "-s", "-H", header, site), sent),
    "curl -n": (lambda: run("curl", "-s", "-n", "-H", header, site), sent),
}
seen = {}
for name, (act, _) in expected.items():
    came.clear()
    try:
        act()
    except ValueError as error:
        came.append(type(error).__name__)
    [seen[name]] = came
    print(f"{name}: {seen[name]}")
assert seen == {name: told for name, (_, told) in expected.items()}, "the behaviour has changed"
PYTHON
