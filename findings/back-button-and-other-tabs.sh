#!/usr/bin/env bash
# What another tab can do to a page that Chromium keeps for the Back button.
#
# Guess: a page in the back/forward cache is frozen, and hears nothing of a sign-out in another tab; one that holds a
# Web Lock is not put there, so a lock is held as long as its page has not finished.
# Seen: a message on a BroadcastChannel that the page listens to throws it out: Back asks the server. A change of
# `localStorage` does not; its event comes after the page is back. A page that holds a lock is put there, too, and the
# next tab that asks for the lock gets it at once, while the page's request under the lock is still on its way.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

BODY = b"""<!doctype html><link rel=icon href=data:,><p>page
<script>addEventListener("pageshow", event => document.title = event.persisted ? "shown again" : "asked for again")</script>"""
is_answered = threading.Event()


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/refresh":
            is_answered.wait(30)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
# What the page does, and what the other tab does while the page is in the cache.
ACTS = {
    "nothing": ("1", "1"),
    "BroadcastChannel": (
        "(window.channel = new BroadcastChannel('session')).onmessage = () => {}",
        "new BroadcastChannel('session').postMessage('signed out')",
    ),
    "localStorage": (
        "window.events = 0; addEventListener('storage', () => events++)",
        "localStorage.setItem('session', 'signed out')",
    ),
    "Web Lock": (
        "navigator.locks.request('refresh', () => fetch('/refresh')); 1",
        "navigator.locks.request('refresh', () => 'has the lock')",
    ),
}
EXPECTED = {
    "nothing": "shown again",
    "BroadcastChannel": "asked for again",
    "localStorage": "shown again",
    "Web Lock": "asked for again",
}
seen, said = {}, {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"],
        args=["--no-sandbox", "--disable-background-networking"],
        # Playwright switches the cache off that people have.
        ignore_default_args=["--disable-back-forward-cache"],
    )
    print("Chromium", browser.version)
    for name, (of_the_page, of_the_tab) in ACTS.items():
        context = browser.new_context()
        page, tab = context.new_page(), context.new_page()
        tab.goto(site + "/tab")
        page.goto(site + "/page")
        page.evaluate(of_the_page)
        page.goto(site + "/elsewhere")
        held = tab.evaluate("navigator.locks.query().then(state => state.held.length)")
        said[name] = tab.evaluate(of_the_tab), held
        tab.wait_for_timeout(500)
        page.evaluate("setTimeout(() => history.back())")  # after the answer to this call
        page.wait_for_url(site + "/page", wait_until="commit")
        page.wait_for_timeout(500)
        seen[name] = page.title()
        print(f"{name}: {seen[name]}", end="")
        if name == "localStorage":
            events = page.evaluate("window.events")
            print(f", events heard: {events}", end="")
        if name == "Web Lock":
            print(f", locks held from the cache: {held}, the other tab {said[name][0]}", end="")
        print()
    is_answered.set()
    browser.close()
assert seen == EXPECTED and events == 1 and said["Web Lock"] == ("has the lock", 1), "the behaviour has changed"
PYTHON
