#!/usr/bin/env bash
# urllib3: without a word about retries, a GET or DELETE answered 503 or 429 with Retry-After is sent four times.
#
# Guess: statuses are repeated where `status_forcelist` names them, so by default never; `timeout` limits the call.
# Seen: a `PoolManager` as it is sleeps for what Retry-After says and sends the GET or DELETE again, three times,
# silently; `timeout` does not count the sleep, and one Retry-After may be six hours. POST and PATCH are sent once, and
# so is everything where the answer has no Retry-After. Clients that openapi-generator makes in Python are built on it,
# and do the same; requests does not. `Retry(respect_retry_after_header=False)` repeats no status, and `retries=False`
# nothing at all.
#
# Needs Python 3.11 or newer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check urllib3==2.8.0 requests==2.34.2
"$folder/venv/bin/python" - <<'PYTHON'
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
import urllib3
from urllib3.util import Retry

came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        came.append(self.command)
        self.send_response(int(self.path[1:4]))
        if self.path.endswith("/later"):
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_DELETE = do_POST = do_PATCH = answer

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
plain = urllib3.PoolManager()
deaf = urllib3.PoolManager(retries=Retry(respect_retry_after_header=False))
session = requests.Session()
session.trust_env = False
print("urllib3", urllib3.__version__, "requests", requests.__version__)
seen = {}
for name, act in {
    "GET": lambda: plain.request("GET", f"{site}/503/later", timeout=0.5),
    "GET, 429": lambda: plain.request("GET", f"{site}/429/later"),
    "DELETE": lambda: plain.request("DELETE", f"{site}/503/later"),
    "POST": lambda: plain.request("POST", f"{site}/503/later", body=b"token"),
    "PATCH": lambda: plain.request("PATCH", f"{site}/503/later", body=b"name"),
    "GET, no Retry-After": lambda: plain.request("GET", f"{site}/503"),
    "GET, retries=False": lambda: plain.request("GET", f"{site}/503/later", retries=False),
    "GET, respect_retry_after_header=False": lambda: deaf.request("GET", f"{site}/503/later"),
    "GET by requests": lambda: session.get(f"{site}/503/later"),
}.items():
    came.clear()
    began = time.monotonic()
    answer = act()
    seconds = time.monotonic() - began
    status = getattr(answer, "status", None) or answer.status_code
    seen[name] = len(came), int(seconds)  # a busy machine takes longer
    print(f"{name}: sent {len(came)} times in {seconds:.1f} seconds, answers {status}")
longest = Retry.DEFAULT.retry_after_max
print("the longest Retry-After that is waited for:", longest, "seconds")
expected = [(4, 3), (4, 3), (4, 3), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0)]
assert list(seen.values()) == expected, "the behaviour has changed"
assert longest == 6 * 3600, "the behaviour has changed"
PYTHON
