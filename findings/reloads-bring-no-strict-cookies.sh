#!/usr/bin/env bash
# Chromium: behind a link from another site, reloading the page does not bring the cookies that are SameSite=Strict.
#
# Guess: the first request lacks them, as the link is another site's. A reload by the person at the browser is nobody
# else's, so it has them, and says `Sec-Fetch-Site: none`.
# Seen: the reload repeats the first request: without the cookies, with `Sec-Fetch-Site: cross-site`, however often. So
# somebody who came by a link in a web mailer stays signed out of a site with such cookies. The address entered
# again, or a link on the page itself, has them.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

asked = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/page":
            asked.append(("session=1" in self.headers.get("Cookie", ""), self.headers["Sec-Fetch-Site"]))
        link = f'<a href="http://127.0.0.1:{self.server.server_port}/page">page</a>'
        body = f"<!doctype html><link rel=icon href=data:,>{link}".encode()
        self.send_response(200)
        if self.path == "/login":
            self.send_header("Set-Cookie", "session=1; Path=/; HttpOnly; SameSite=Strict")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site, mailer = (f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost"))
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    print("Chromium", browser.version)
    page = browser.new_page()
    page.goto(site + "/login")
    page.goto(mailer + "/mail")
    page.click("a")
    page.wait_for_url(site + "/page")
    page.reload()
    page.reload()
    page.goto(site + "/page")
    page.goto(mailer + "/mail")
    page.click("a")
    page.wait_for_url(site + "/page")
    with page.expect_navigation():
        page.click("a")
    browser.close()
STEPS = ("link of another site", "reload", "second reload", "address entered", "link again", "its own link")
for step, (has_cookie, said) in zip(STEPS, asked, strict=True):
    print(f"{step}: {'with' if has_cookie else 'without'} the cookie, Sec-Fetch-Site: {said}")
foreign = (False, "cross-site")
assert asked == [
    foreign, foreign, foreign, (True, "none"), foreign, (True, "same-origin")
], "the behaviour has changed"
PYTHON
