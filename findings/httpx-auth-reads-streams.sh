#!/usr/bin/env bash
# httpx: an auth that refreshes as the guide shows reads streams to their end, and sees no 401 where a hook raises.
#
# Guess: `requires_response_body`, which the guide's example sets to read the answer to a refresh, reads what the auth asks
# for; `client.stream()` gives the rest as it comes. A hook sees the response after the auth has repeated the request.
# Seen: it reads each response of the client to its end. Server-sent events reach the program when the stream ends, or
# never, and a download is in memory before its first byte is given. With the guide's hook, which calls
# `raise_for_status()`, the auth gets no 401 to see: nothing is refreshed, and the program gets HTTPStatusError. requests
# calls the hooks of an auth first. The same with httpx2 2.16.2.
#
# Needs Python 3.11 or newer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

heard = threading.Event()


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/events":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data: 1\n\n")
            self.wfile.flush()
            # The next event, when the first has arrived.
            self.wfile.write(b"data: 2\n\n" if heard.wait(3) else b"data: nobody has heard the first\n\n")
        else:
            is_good = self.path == "/refresh" or self.headers["Authorization"] == "Bearer new"
            self.send_response(200 if is_good else 401)
            self.end_headers()
            self.wfile.write(b"new")

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"


class Refreshing(httpx.Auth):
    token = "old"

    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        response = yield request
        if response.status_code == 401:
            refreshed = yield httpx.Request("GET", f"{site}/refresh")
            self.token = refreshed.text if self.requires_response_body else "new"
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request


class AsInTheGuide(Refreshing):
    requires_response_body = True


def events(auth):
    heard.clear()
    told = ""
    with httpx.stream("GET", f"{site}/events", auth=auth) as response:
        for part in response.iter_text():
            told += part
            heard.set()
    return told


def ask(*hooks):
    with httpx.Client(auth=AsInTheGuide(), event_hooks={"response": hooks}) as client:
        try:
            return client.get(f"{site}/me").status_code
        except httpx.HTTPStatusError as error:
            return f"raises {error.response.status_code}"


print("httpx", httpx.__version__)
seen = {
    "events": events(Refreshing()),
    "events, requires_response_body": events(AsInTheGuide()),
    "a request": ask(),
    "a request, with a hook": ask(lambda response: response.raise_for_status()),
}
for name, told in seen.items():
    print(f"{name}: {told!r}")
assert list(seen.values()) == [
    "data: 1\n\ndata: 2\n\n",
    "data: 1\n\ndata: nobody has heard the first\n\n",
    200,
    "raises 401",
], "the behaviour has changed"
PYTHON
