#!/usr/bin/env bash
# `Clear-Site-Data: "cache"` makes Chromium forget which client hints an origin has asked for; "storage" does not.
#
# Guess: `Accept-CH` is kept with the site's data and goes with "storage"; "cache" is about copies of answers.
# Seen: "cache" and "cookies" forget what was asked for, "storage" keeps it. A page that is open goes on sending
# all hints; the next page that is loaded sends the three low-entropy ones only. So the page with the login form
# has to ask by itself: what another page of the site asked for is gone after such a sign-out, and with it
# Windows 11 and the phone's model.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

hints = {}


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        hints[self.path] = sorted(name for name in self.headers if name.lower().startswith("sec-ch-ua"))
        body = b"<!doctype html><link rel=icon href=data:,><p>page"
        self.send_response(200)
        if self.path == "/app":
            self.send_header("Accept-CH", "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model")
        if self.path.startswith("/clear/"):
            self.send_header("Clear-Site-Data", f'"{self.path.removeprefix("/clear/")}"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    print("Chromium", browser.version)
    for what in ("cache", "cookies", "storage"):
        page = browser.new_context().new_page()
        page.goto(f"{site}/app")
        page.evaluate("fetch('/login')")
        before = hints["/login"]
        page.evaluate(f"fetch('/clear/{what}')")
        page.evaluate("fetch('/still-open')")
        page.goto(f"{site}/another-page")
        page.evaluate("fetch('/login')")
        seen[what] = len(before), len(hints["/still-open"]), len(hints["/login"])
        print('"{}": hints before {}, from the page still open {}, from the next page {}'.format(what, *seen[what]))
    browser.close()
assert seen == {"cache": (5, 5, 3), "cookies": (5, 5, 3), "storage": (5, 5, 5)}, "the behaviour has changed"
PYTHON
