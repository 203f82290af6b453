#!/usr/bin/env bash
# requests-cache, aiohttp-client-cache: what one token was answered is given to all others, also where it says `no-store`.
#
# Guess: a cache for HTTP keeps no answer that says `Cache-Control: no-store`, and gives none that was made for one
# `Authorization` to another.
# Seen: by default neither library reads Cache-Control, and both leave `Authorization` out of the key. So Bob gets Alice's
# answer, from memory or from the file http_cache.sqlite, and so does a token whose session has ended, or no token at all.
# `cache_control=True` obeys `no-store`, and still shares what says `private` or nothing. What says `Vary: Authorization`
# requests-cache stores and gives to nobody, not even to the same token; aiohttp-client-cache gives it to all. With
# `match_headers=["Authorization"]` requests-cache keeps tokens apart from no token, and not from each other, since it
# compares what it has put in the place of each; with `ignored_parameters=[]`, too, it keeps them apart, and stores them.
# aiohttp-client-cache needs `include_headers=True`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests-cache==1.3.3 requests==2.34.2 \
    aiohttp-client-cache==0.15.0 aiohttp==3.14.5
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import aiohttp_client_cache
import requests_cache

SAYS = {
    "nothing": {},
    "private": {"Cache-Control": "private, max-age=60"},
    "no-store": {"Cache-Control": "no-store"},
    "vary": {"Vary": "Authorization"},
}

came = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        came.append(self.path)
        whose = self.headers.get("Authorization", "nobody").removeprefix("Bearer ").encode()
        self.send_response(200)
        for name, value in SAYS[self.path.strip("/")].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(whose)))
        self.end_headers()
        self.wfile.write(whose)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
callers = [{"Authorization": f"Bearer {name}"} for name in ("Alice", "Alice", "Bob")] + [{}]


def by_requests(says, **options):
    with requests_cache.CachedSession(backend="memory", **options) as session:
        session.trust_env = False
        return [session.get(f"{site}/{says}", headers=headers).text for headers in callers]


async def by_aiohttp(says, **options):
    told = []
    cache = aiohttp_client_cache.CacheBackend(**options)
    async with aiohttp_client_cache.CachedSession(cache=cache) as session:
        for headers in callers:
            async with session.get(f"{site}/{says}", headers=headers) as response:
                told.append(await response.text())
    return told


print("requests-cache", version("requests-cache"), "aiohttp-client-cache", version("aiohttp-client-cache"))
shared, own = (["Alice"] * 4, 1), (["Alice", "Alice", "Bob", "nobody"], 3)
uncached = own[0], 4
expected = {
    ("nothing", "requests"): shared,
    ("private", "requests"): shared,
    ("no-store", "requests"): shared,
    ("vary", "requests"): uncached,
    ("nothing", "aiohttp"): shared,
    ("private", "aiohttp"): shared,
    ("no-store", "aiohttp"): shared,
    ("vary", "aiohttp"): shared,
    ("private", "requests", "cache_control"): shared,
    ("no-store", "requests", "cache_control"): uncached,
    ("private", "aiohttp", "cache_control"): shared,
    ("no-store", "aiohttp", "cache_control"): uncached,
    ("nothing", "requests", "match_headers"): (["Alice", "Alice", "Alice", "nobody"], 2),
    ("nothing", "requests", "match_headers", "ignored_parameters"): own,
    ("nothing", "aiohttp", "include_headers"): own,
}
values = {"cache_control": True, "match_headers": ["Authorization"], "include_headers": True, "ignored_parameters": []}
seen = {}
for says, library, *names in expected:
    came.clear()
    options = {name: values[name] for name in names}
    told = by_requests(says, **options) if library == "requests" else asyncio.run(by_aiohttp(says, **options))
    seen[says, library, *names] = told, len(came)
    how = f"{library}, {' and '.join(names) or 'by default'}, the answer says {says}"
    print(f"{how}: sent {len(came)} times; Alice, Alice, Bob and nobody get", *told)
assert seen == expected, "the behaviour has changed"
PYTHON
