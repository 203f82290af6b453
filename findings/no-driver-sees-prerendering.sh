#!/usr/bin/env bash
# Chromium: what runs in a page that is prerendered, and that it is not prerendered where a driver looks.
#
# Guess: a page that nobody has seen yet runs its script when it is shown; where it runs before, all of it does; and a test
# by Playwright sees what people see.
# Seen: its script runs at once, and its requests are sent with cookies, a POST too, marked by `Sec-Purpose` alone. But
# `navigator.locks.request` waits until the page is shown. So a client that refreshes its tokens under a lock does it late,
# and one without a lock at once; what it has loaded is shown after a sign-out in the page before. A change of localStorage
# reaches it meanwhile. As soon as DevTools or a driver is attached to the tab, Chromium prepares nothing and asks anew.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import json
import os
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

ICON = b"<!doctype html><link rel=icon href=data:,>"
OPENER = ICON + b"""<script>
const pause = time => new Promise(done => setTimeout(done, time));
(async () => {
  document.cookie = "session=alice";
  const rules = document.createElement("script");
  rules.type = "speculationrules";
  rules.textContent = '{"prerender": [{"urls": ["/prepared"], "eagerness": "immediate"}]}';
  document.head.append(rules);
  await pause(2500);
  localStorage.setItem("session", "signed out");
  await pause(1000);
  location.href = "/prepared";
})();
</script>"""
PREPARED = ICON + b"""<script>
const when = () => document.prerendering ? "before" : "when shown";
const seen = {script: when()};
const post = fetch("/refresh", {method: "POST"}).then(() => seen.POST = when());
const lock = navigator.locks.request("refresh", () => seen.lock = when());
addEventListener("storage", () => seen.storage = when());
document.addEventListener("prerenderingchange", () => setTimeout(tell, 500));
const tell = async () => {
  await Promise.all([post, lock]);
  fetch("/told", {method: "POST", body: JSON.stringify(seen)});
};
if (!document.prerendering) tell();
</script>"""
told, sent = [], []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body=b""):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(PREPARED if self.path == "/prepared" else OPENER)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/told":
            told.append(json.loads(body))
        else:
            sent.append((self.headers["Cookie"], self.headers["Sec-Purpose"]))
        self.answer()

    def log_message(self, *args):
        pass


def wait():
    deadline = time.monotonic() + 60
    while not told and time.monotonic() < deadline:
        time.sleep(0.1)
    return told.pop(), sent.pop()


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
flags = ["--headless=new", "--no-sandbox", "--no-first-run", f"--user-data-dir={os.environ['FOLDER']}/profile"]
quiet = subprocess.DEVNULL
alone = subprocess.Popen(
    [os.environ["CHROMIUM"], *flags, url], stdout=quiet, stderr=quiet, start_new_session=True
)
by_itself = wait()
os.killpg(alone.pid, signal.SIGKILL)
alone.wait()
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    print("Chromium", browser.version)
    browser.new_page().goto(url)
    driven = wait()
    browser.close()
print("by itself:", *by_itself)
print("driven:   ", *driven)
assert by_itself == (
    {"script": "before", "POST": "before", "storage": "before", "lock": "when shown"},
    ("session=alice", "prefetch;prerender"),
), "the behaviour has changed"
shown = "when shown"
assert driven == ({"script": shown, "POST": shown, "lock": shown}, ("session=alice", None)), "the behaviour has changed"
PYTHON
