#!/usr/bin/env bash
# What Chromium shows when somebody presses Back after a sign-out.
#
# Guess: `Cache-Control: no-store` keeps a page out of the back/forward cache, and `Clear-Site-Data: "cache"`
# empties that cache.
# Seen: a `no-store` page comes back from it, without a request, unless a cookie of the page changed meanwhile.
# A page with `no-cache` comes back although the cookie is gone. `Clear-Site-Data: "cache"` takes neither out.
# So a sign-out in this browser hides `no-store` pages by changing the cookie. A session that was ended from
# another device changes no cookie here: Back shows the page as it was.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

HEADERS = {
    "/no-store": [("Cache-Control", "no-store"), ("Set-Cookie", "session=1; Path=/; HttpOnly")],
    "/no-cache": [("Cache-Control", "private, no-cache"), ("Set-Cookie", "session=1; Path=/; HttpOnly")],
    "/cookie-gone": [("Set-Cookie", "session=; Path=/; Max-Age=0; HttpOnly")],
    "/cache-cleared": [("Clear-Site-Data", '"cache"')],
}
BODY = b"""<!doctype html><link rel=icon href=data:,><p>page
<script>addEventListener("pageshow", event => document.title = event.persisted ? "shown again" : "asked for again")</script>"""


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        for name, value in HEADERS.get(self.path, []):
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
EXPECTED = {
    ("/no-store", "/elsewhere"): "shown again",
    ("/no-store", "/cookie-gone"): "asked for again",
    ("/no-store", "/cache-cleared"): "shown again",
    ("/no-cache", "/elsewhere"): "shown again",
    ("/no-cache", "/cookie-gone"): "shown again",
    ("/no-cache", "/cache-cleared"): "shown again",
}
seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"],
        args=["--no-sandbox", "--disable-background-networking"],
        # Playwright switches the cache off that people have.
        ignore_default_args=["--disable-back-forward-cache"],
    )
    print("Chromium", browser.version)
    for first, then in EXPECTED:
        page = browser.new_context().new_page()
        page.goto(site + first)
        page.goto(site + then)
        page.evaluate("setTimeout(() => history.back())")  # after the answer to this call
        page.wait_for_url(site + first, wait_until="commit")
        page.wait_for_timeout(500)
        seen[first, then] = page.title()
        print(f"{first} then {then} then Back: {page.title()}")
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
