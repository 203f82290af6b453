#!/usr/bin/env bash
# Chromium sends no client hints at all with requests from workers and with WebSocket handshakes.
#
# Guess: every request of an origin carries the same hints, as W3C's draft "User-Agent Client Hints" gives the
# three low-entropy ones (brands, mobile, platform) to all requests.
# Seen: requests of the page do, `fetch`, `sendBeacon` and `EventSource` alike. A dedicated worker, a service
# worker (for its own requests) and a WebSocket handshake send none, not even `Sec-CH-UA`.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

ASKED = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model"
PAGES = {
    "/worker.js": "fetch('/from-a-worker').then(() => postMessage(1))",
    "/service-worker.js": """
        addEventListener('activate', event => event.waitUntil(clients.claim()))
        addEventListener('message', event => fetch('/from-a-service-worker').then(() => event.source.postMessage(1)))
    """,
    "/events": "data: x\n\n",
}
TYPES = {"/events": "text/event-stream", "/worker.js": "text/javascript", "/service-worker.js": "text/javascript"}
hints = {}


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        hints[self.path] = sorted(name for name in self.headers if name.lower().startswith("sec-ch-ua"))
        body = PAGES.get(self.path, "<!doctype html><link rel=icon href=data:,><p>page").encode()
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(self.path, "text/html"))
        self.send_header("Accept-CH", ASKED)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    print("Chromium", browser.version)
    page = browser.new_page()
    page.goto(f"{site}/first")
    page.goto(f"{site}/a-page")
    page.evaluate("fetch('/fetch-of-a-page')")
    page.evaluate("fetch('/keepalive-of-a-page', {method: 'POST', body: 'x', keepalive: true})")
    page.evaluate("new Promise(done => { const e = new EventSource('/events'); e.onmessage = () => { e.close(); done() } })")
    page.evaluate("new Promise(done => { new Worker('/worker.js').onmessage = done })")
    page.evaluate("new Promise(done => { new WebSocket(`ws://${location.host}/a-socket`).onerror = () => done() })")
    page.evaluate("""new Promise(async done => {
        await navigator.serviceWorker.register('/service-worker.js')
        const { active } = await navigator.serviceWorker.ready
        navigator.serviceWorker.onmessage = done
        active.postMessage(1)
    })""")
    browser.close()
hints.pop("/worker.js"), hints.pop("/service-worker.js")
for path, names in hints.items():
    print(f"{path[1:]:24} {', '.join(name[len('Sec-CH-'):] for name in names) or 'no hint'}")
silent = {path for path, names in hints.items() if not names}
assert silent == {"/from-a-worker", "/from-a-service-worker", "/a-socket"}, "the behaviour has changed"
assert len(hints["/fetch-of-a-page"]) == 5, "the behaviour has changed"
PYTHON
