#!/usr/bin/env bash
# workbox-background-sync: a queued request that is refused when it is repeated is gone; a queued password is on the disk.
#
# Guess: the plugin keeps a failed request until it has succeeded, or its retention time is over; it stores what it needs
# to repeat it, and a caching strategy stores nothing that says `no-store`.
# Seen: any answer counts as delivered. The repeated request has the access token of when it failed, is answered 401, and
# is deleted from the queue; no event tells the page. Header and body are stored in IndexedDB as they are, with the token,
# and for a login with the password. NetworkFirst stores a response with `Cache-Control: no-store`, and shows it to the
# next person who is offline.
#
# Needs Chromium (Debian: chromium), and npm; the package playwright drives it.
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh"
mkdir "$FOLDER/npm"
npm install --prefix "$FOLDER/npm" --silent --no-audit --no-fund workbox-background-sync@7.4.1 workbox-core@7.4.1 \
    workbox-routing@7.4.1 workbox-strategies@7.4.1
"$python" - <<'PYTHON'
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

MODULES = Path(os.environ["FOLDER"]) / "npm/node_modules"
PARTS = ("core", "routing", "strategies", "background-sync")
WORKER = "".join((MODULES / f"workbox-{part}/build/workbox-{part}.prod.js").read_text() for part in PARTS) + """
const { registerRoute } = workbox.routing, { NetworkFirst, NetworkOnly } = workbox.strategies;
const plugins = [new workbox.backgroundSync.BackgroundSyncPlugin("writes")];
registerRoute(({ url }) => url.pathname.startsWith("/api/"), new NetworkOnly({ plugins }), "POST");
registerRoute(({ url }) => url.pathname.startsWith("/api/"), new NetworkFirst());
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
"""
PAGE = b"""<!doctype html><link rel=icon href=data:,><script>
navigator.serviceWorker.register("/worker.js");
window.ready = new Promise(done => navigator.serviceWorker.addEventListener("controllerchange", done));</script>"""
POST = """fetch("/api/order", {method: "POST", body: "a password", headers: {Authorization: "Bearer old"}})
    .then(answer => answer.status, error => error.name)"""
QUEUE = """new Promise(done => {
  const opening = indexedDB.open("workbox-background-sync");
  opening.onsuccess = () => {
    const all = opening.result.transaction("requests").objectStore("requests").getAll();
    all.onsuccess = async () => {
      const stored = all.result.map(({requestData}) => requestData);
      opening.result.close();
      done(await Promise.all(stored.map(async ({headers, body}) => [headers.authorization, await new Response(body).text()])));
    };
  };
})"""
came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/worker.js":
            self.answer(200, "text/javascript", WORKER.encode())
        elif self.path == "/api/me":
            self.answer(200, "text/plain", b"alice", Cache_Control="no-store")
        else:
            self.answer(200, "text/html", PAGE)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        came.append(self.headers["Authorization"])
        self.answer(401, "text/plain", b"")

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    version = json.loads((MODULES / "workbox-background-sync/package.json").read_text())["version"]
    print("Chromium", browser.version, "workbox-background-sync", version)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.evaluate("ready.then(() => 1)")
    page.evaluate("fetch('/api/me')")
    context.set_offline(True)
    seen = {"the page is told": page.evaluate(POST)}
    seen["offline, of no-store"] = page.evaluate("fetch('/api/me').then(answer => answer.text())")
    page.wait_for_timeout(500)
    seen["stored"] = page.evaluate(QUEUE)
    context.set_offline(False)
    for _ in range(200):
        if came:
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(1000)
    seen["repeated, and answered 401"], seen["stored then"] = came, page.evaluate(QUEUE)
    browser.close()
for what, value in seen.items():
    print(f"{what}: {value}")
assert list(seen.values()) == [
    "TypeError", "alice", [["Bearer old", "a password"]], ["Bearer old"], [],
], "the behaviour has changed"
PYTHON
