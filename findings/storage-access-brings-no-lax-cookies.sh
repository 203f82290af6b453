#!/usr/bin/env bash
# Chromium: in a frame, document.requestStorageAccess() brings cookies that are SameSite=None, and no others.
#
# Guess: a site that is embedded in another one lacks its cookies there. Once the browser has granted it storage access, it has
# those of its own pages, and the person is signed in.
# Seen: the request is granted, and hasStorageAccess() is true. Only cookies with SameSite=None are sent then, also after a
# reload of the frame. Those with SameSite=Lax, as Django's cookie of the session is by default, and Strict are not. A
# cookie with one of these that the frame is sent is dropped, without an error that the page could see: a login is
# answered 200, and the next request is nobody's. Its `Sec-Fetch-Site` is `same-origin` all the same.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh"
"$python" - <<'PYTHON'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

KINDS = ("Strict", "Lax", "None")
PAGE = """<!doctype html><link rel=icon href=data:,><button>Go on</button><script>
document.querySelector("button").onclick = () => {
  window.granted = document.requestStorageAccess().then(() => true, () => false);
};
</script>"""


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        frame = f'<iframe allow="storage-access" src="http://localhost:{self.server.server_port}/page"></iframe>'
        held = [kind for kind in KINDS if f"{kind}=1" in self.headers.get("Cookie", "")]
        answers = {"/outer": frame, "/page": PAGE, "/held": f"{self.headers['Sec-Fetch-Site']}: {held}"}
        body = answers.get(self.path, "").encode()
        self.send_response(200)
        if self.path == "/login":
            for kind in KINDS:
                self.send_header("Set-Cookie", f"{kind}=1; Path=/; Secure; HttpOnly; SameSite={kind}")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site, other = (f"http://{host}:{server.server_port}" for host in ("localhost", "127.0.0.1"))
ASK = "path => fetch(path).then(answer => answer.text())"
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    print("Chromium", browser.version)
    seen = {}
    for where in ("signed in on its own page", "signs in within the frame"):
        context = browser.new_context()
        context.grant_permissions(["storage-access"])
        if where == "signed in on its own page":
            page = context.new_page()
            page.goto(site + "/page")
            page.evaluate(ASK, "/login")
            print("on its own page", page.evaluate(ASK, "/held"))
        page = context.new_page()
        page.goto(other + "/outer")
        frame = page.frames[1]
        frame.click("button")
        granted = frame.evaluate("granted"), frame.evaluate("document.hasStorageAccess()")
        if where == "signs in within the frame":
            frame.evaluate(ASK, "/login")
        seen[where] = [*granted, frame.evaluate(ASK, "/held")]
        print(where, "granted, has access, cookies:", *seen[where])
        context.close()
    browser.close()
expected = [True, True, "same-origin: ['None']"]
assert list(seen.values()) == [expected, expected], "the behaviour has changed"
print("As seen: storage access is granted, and the session cookie stays away.")
PYTHON
