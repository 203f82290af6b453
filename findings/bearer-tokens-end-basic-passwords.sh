#!/usr/bin/env bash
# A site behind a password of its proxy (HTTP Basic), as staging sites are, with an API that answers 401.
#
# Guess: a script that sends a bearer token replaces the password in that one request; with the API left out of the password
# all works, and a 401 of the API is between it and the script.
# Seen: Chromium takes each 401 of the same origin for a wrong password, and forgets the right one: also one that asks for
# a bearer token, whether the request had a token or not. Requests without a token, which came through
# before, lack the password from then on, and so does the next page: a browser with a window asks for it again. So does a
# 401 without `WWW-Authenticate`. A 403 has it forget nothing, nor has a 401 to a fetch with `credentials: "omit"`.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import base64
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

PASSWORD = "Basic " + base64.b64encode(b"staging:open").decode()
heard = []


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme = self.headers.get("Authorization", "nothing").split(" ")[0]
        is_open = self.headers.get("Authorization") == PASSWORD
        status, asks = 200 if is_open else 401, None if is_open else 'Basic realm="staging"'
        if self.path.startswith("/api/"):
            # Without a password; what it answers is in the path.
            status, _, asks = self.path.removeprefix("/api/").partition("/")
        if not self.path.endswith("favicon.ico"):
            heard.append(scheme)
        self.send_response(int(status))
        if asks:
            self.send_header("WWW-Authenticate", asks)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"127.0.0.1:{server.server_port}"
# A fetch waits while a browser asks for a password.
ASK = """([path, init]) => Promise.race([
    fetch(path, init).then(answer => answer.status), new Promise(done => setTimeout(done, 2000))])"""
TOKEN = {"headers": {"Authorization": "Bearer a-token"}}
OMIT = {"credentials": "omit"}
# What the script sends between two requests without a token, and whether the password outlives it.
ACTS = {
    "nothing": (None, True),
    "a token, 403 by the API": (("/api/403", TOKEN), True),
    "a token without credentials, 401 Bearer by the API": (("/api/401/Bearer", TOKEN | OMIT), True),
    "a token without credentials, 401 Basic by the proxy": (("/me", TOKEN | OMIT), True),
    "a token, 401 by the API without WWW-Authenticate": (("/api/401", TOKEN), False),
    "a token, 401 Bearer by the API": (("/api/401/Bearer", TOKEN), False),
    "no token, 401 Bearer by the API": (("/api/401/Bearer", {}), False),
    "a token, 401 Basic by the proxy": (("/me", TOKEN), False),
}
seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    print("Chromium", browser.version)
    for name, (act, _) in ACTS.items():
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://staging:open@{site}/page")
        page.goto(f"http://{site}/page")
        assert page.evaluate(ASK, ["/plain", {}]) == 200
        if act:
            page.evaluate(ASK, list(act))
        heard.clear()
        page.evaluate(ASK, ["/plain", {}])
        seen[name] = heard[0] == "Basic"
        print(f"{name}: the next request has {'the password' if seen[name] else 'no password'}")
        context.close()
    browser.close()
server.shutdown()
assert seen == {name: outlives for name, (_, outlives) in ACTS.items()}, "the behaviour has changed"
PYTHON
