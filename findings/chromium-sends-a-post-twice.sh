#!/usr/bin/env bash
# Chromium: a POST is sent twice where a connection that was used before ends without an answer.
#
# Guess: POST is not repeated by itself (RFC 9110 §9.2.2); `fetch` fails, and the page decides.
# Seen: on a kept-alive connection Chromium cannot tell whether the server had read the request, and sends it again, with
# the same body and headers, over a new one; the page sees one answer. So behind a worker that was killed after it had
# done its work, a refresh token is used twice, a one-time code is consumed, and a DPoP proof comes as a replay. On a
# connection of its own the request fails at once, and is sent once.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

KEPT, NEW = "a connection that was used before", "a new connection"
came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body=b"<!doctype html><link rel=icon href=data:,>"):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        came.append((body, self.headers["X-Proof"]))
        if len(came) == 1:
            # The work is done, and the process ends.
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.answer(b"done")

    def log_message(self, *args):
        pass


POST = """fetch("/refresh", {method: "POST", body: "token", headers: {"X-Proof": "once"}})
    .then(answer => answer.text(), error => error.name)"""
server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    print("Chromium", browser.version)
    for before, name in (("/kept", KEPT), ("/close", NEW)):
        came.clear()
        page = browser.new_context().new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}{before}")
        told = page.evaluate(POST)
        seen[name] = len(came), told
        assert set(came) == {(b"token", "once")}
        print(f"{name}: sent {len(came)} times, the page is told {told}")
    browser.close()
assert seen == {KEPT: (2, "done"), NEW: (1, "TypeError")}, "the behaviour has changed"
PYTHON
