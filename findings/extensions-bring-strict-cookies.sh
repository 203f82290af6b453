#!/usr/bin/env bash
# Chromium: what an extension asks a site for, it asks with the cookies that are SameSite=Strict, as nobody's page.
#
# Guess: an extension has an origin of its own, chrome-extension://…, so that its requests are those of another site: they
# lack the cookies with SameSite=Strict, and say `Sec-Fetch-Site: cross-site`.
# Seen: with the site in its `host_permissions`, its requests bring all cookies of the site, from its service worker, too.
# They say `Sec-Fetch-Site: none`, as an address that a person has typed. A POST names the extension as `Origin`; a GET has
# no Origin. So a server that takes `none` for the person at the browser takes the extension for them. Without the
# permission it is another site, as guessed.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

asked = {}


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        origin = (self.headers["Origin"] or "").partition(":")[0]
        has_cookie = "session=1" in self.headers.get("Cookie", "")
        asked[self.path] = (self.command, has_cookie, self.headers["Sec-Fetch-Site"], origin)
        self.send_response(200)
        if self.path == "/login":
            self.send_header("Set-Cookie", "session=1; Path=/; HttpOnly; SameSite=Strict")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
ASK = "([url, method]) => fetch(url, {method, credentials: 'include'}).catch(() => {})"
for name, permissions in {"allowed": ["http://127.0.0.1/*"], "plain": []}.items():
    folder = Path(os.environ["FOLDER"]) / name
    folder.mkdir()
    manifest = {
        "manifest_version": 3, "name": name, "version": "1", "host_permissions": permissions,
        "background": {"service_worker": "worker.js"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "worker.js").write_text("")
    (folder / "page.html").write_text("<!doctype html>")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            os.environ["FOLDER"] + "/profile-" + name,
            executable_path=os.environ["CHROMIUM"],
            args=[
                "--no-sandbox", "--headless=new", "--disable-background-networking",
                f"--disable-extensions-except={folder}", f"--load-extension={folder}",
                "--disable-features=DisableLoadExtensionCommandLineSwitch",
            ],
        )
        print("Chromium", context.browser.version if context.browser else "", "extension:", name)
        context.new_page().goto(site + "/login")
        worker = (context.service_workers or [context.wait_for_event("serviceworker")])[0]
        worker.evaluate(ASK, [f"{site}/{name}-worker-get", "GET"])
        worker.evaluate(ASK, [f"{site}/{name}-worker-post", "POST"])
        page = context.new_page()
        page.goto(worker.url.replace("worker.js", "page.html"))
        page.evaluate(ASK, [f"{site}/{name}-page-post", "POST"])
        context.close()
for path, what in asked.items():
    if path.count("-"):
        print(path, "method, cookie, Sec-Fetch-Site, scheme of the Origin:", *what)
assert asked["/allowed-worker-get"] == ("GET", True, "none", "")
assert asked["/allowed-worker-post"] == asked["/allowed-page-post"] == ("POST", True, "none", "chrome-extension")
assert asked["/plain-worker-get"] == ("GET", False, "cross-site", "chrome-extension")
assert asked["/plain-page-post"] == ("POST", False, "cross-site", "chrome-extension")
print("As seen: SameSite=Strict does not keep the cookie from an extension.")
PYTHON
