#!/usr/bin/env bash
# Playwright: within a frame of another site, its Chromium has no localStorage; the same browser without its flags has.
#
# Guess: a front end that is embedded in another site behaves in a test with Playwright as in Chromium.
# Seen: Playwright starts Chromium with `--disable-features=…`, with ThirdPartyStoragePartitioning among them. Where a frame is
# of another site, each use of localStorage, sessionStorage, IndexedDB and Web Locks then fails with a SecurityError, so
# that a front end which keeps its tokens there does not start. With a `--disable-features` of one's own, which takes the
# place of Playwright's, the frame has a storage for itself, as for people. A cookie that is Partitioned works with both.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        frame = f'<iframe src="http://localhost:{self.server.server_port}/page"></iframe>'
        held = "held" if "session=1" in self.headers.get("Cookie", "") else "nothing"
        body = {"/outer": frame, "/held": held}.get(self.path, "<!doctype html>").encode()
        self.send_response(200)
        if self.path == "/login":
            self.send_header("Set-Cookie", "session=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
outer = f"http://127.0.0.1:{server.server_port}/outer"
LOOK = """async () => {
  const seen = {};
  const look = async (name, use) => {
    try { await use(); seen[name] = "works"; } catch { seen[name] = "fails"; }
  };
  await look("localStorage", () => localStorage.setItem("a", "1"));
  await look("sessionStorage", () => sessionStorage.setItem("a", "1"));
  await look("locks", () => navigator.locks.request("a", () => {}));
  await fetch("/login");
  seen.cookie = await (await fetch("/held")).text();
  return seen;
}"""
seen = {}
with sync_playwright() as playwright:
    for name, args in {"Playwright's flags": [], "without them": ["--disable-features=None"]}.items():
        browser = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking", *args]
        )
        page = browser.new_page()
        page.goto(outer)
        seen[name] = page.frames[1].evaluate(LOOK)
        print("Chromium", browser.version, name, seen[name])
        browser.close()
works = {"localStorage": "works", "sessionStorage": "works", "locks": "works", "cookie": "held"}
fails = {"localStorage": "fails", "sessionStorage": "fails", "locks": "fails", "cookie": "held"}
assert seen == {"Playwright's flags": fails, "without them": works}, "the behaviour has changed"
print("As seen: a frame has storage for people, and not for Playwright.")
PYTHON
