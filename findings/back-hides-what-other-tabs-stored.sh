#!/usr/bin/env bash
# Firefox, WebKitGTK: a page that Back brings out of its cache has missed what another tab stored or said.
#
# Guess: as in Chromium, the `storage` event of a change in another tab comes once the page is back, and a message on a
# BroadcastChannel that it listens to throws it out of the cache. A page with `no-store` is not kept after sign-out.
# Seen: in both the event never comes: a page that shows who is signed in goes on showing them after a sign-out in
# another tab, until it looks by itself, at `pageshow`. Firefox does not keep a page with an open BroadcastChannel;
# WebKit keeps it and drops the message. Over plain HTTP, as in development, WebKit keeps pages with `no-store`, too,
# also after a cookie was deleted; over HTTPS it does not.
#
# Needs Firefox (Debian: firefox-esr), WebKitWebDriver (webkit2gtk-driver), Xvfb, Node and openssl.
set -euo pipefail
FIREFOX=$(command -v firefox-esr || command -v firefox) || { echo "needs Firefox"; exit 2; }
MINIBROWSER=$(ls /usr/lib/*/webkit2gtk-4.1/MiniBrowser 2> /dev/null) || { echo "needs webkit2gtk-driver"; exit 2; }
for program in WebKitWebDriver xvfb-run node npm openssl; do
    command -v "$program" > /dev/null || { echo "needs $program"; exit 2; }
done
export FIREFOX MINIBROWSER
folder=$(mktemp -d); trap 'kill $server 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check selenium==4.51.0
npm install --silent --no-fund --no-audit puppeteer-core@24.43.1
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2> /dev/null

cat > server.py <<'PYTHON'
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><link rel=icon href=data:,><p>page
<script>addEventListener("pageshow", event => document.title = event.persisted ? "shown again" : "asked for again")</script>"""


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        if "private" in self.path:
            self.send_header("Cache-Control", "no-cache, no-store, must-revalidate, private")
            self.send_header("Set-Cookie", "session=1; Path=/; HttpOnly; SameSite=Lax")
        if "sign-out" in self.path:
            self.send_header("Set-Cookie", "session=; Path=/; Max-Age=0")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args):
        pass


plain, secure = (ThreadingHTTPServer(("127.0.0.1", 0), Server) for _ in range(2))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=secure.serve_forever, daemon=True).start()
print(f"http://localhost:{plain.server_port} https://localhost:{secure.server_port}", flush=True)
plain.serve_forever()
PYTHON
python3 server.py > addresses 2> /dev/null &
server=$!
until [ -s addresses ]; do sleep 0.1; done
read -r PLAIN SECURE < addresses
export PLAIN SECURE

cat > acts.json <<'JSON'
{
  "localStorage": [
    "addEventListener('storage', () => heard++)",
    "localStorage.setItem('session', 'signed out')"
  ],
  "BroadcastChannel": [
    "(window.channel = new BroadcastChannel('session')).onmessage = () => heard++",
    "new BroadcastChannel('session').postMessage('signed out')"
  ]
}
JSON

cat > firefox.mjs <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";
const { FIREFOX: executablePath, PLAIN, SECURE } = process.env;
const browser = await puppeteer.launch({ browser: "firefox", executablePath, acceptInsecureCerts: true });
const pause = (time) => new Promise((done) => setTimeout(done, time));
const back = async (page) => {
  await page.evaluate(() => { setTimeout(() => history.back()); });
  await pause(1500);
  return page.title();
};
console.log(await browser.version());
for (const [name, [ofThePage, ofTheTab]] of Object.entries(JSON.parse(readFileSync("acts.json")))) {
  const [page, tab] = [await browser.newPage(), await browser.newPage()];
  await tab.goto(`${PLAIN}/tab`);
  await page.goto(`${PLAIN}/page`);
  await page.evaluate(`window.heard = 0; ${ofThePage}; 1`);
  await page.goto(`${PLAIN}/elsewhere`);
  await tab.evaluate(`${ofTheTab}; 1`);
  await pause(500);
  console.log(`${name}: ${await back(page)}, heard ${await page.evaluate("window.heard ?? null")}`);
}
for (const site of [PLAIN, SECURE]) {
  const page = await browser.newPage();
  await page.goto(`${site}/private`);
  await page.goto(`${site}/sign-out`);
  console.log(`no-store over ${site.split(":")[0]}: ${await back(page)}`);
}
await browser.close();
JAVASCRIPT

cat > webkit.py <<'PYTHON'
import json
import os
import shutil
import time

from selenium import webdriver
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

PLAIN, SECURE = os.environ["PLAIN"], os.environ["SECURE"]
options = Options()
options.binary_location = os.environ["MINIBROWSER"]
options.add_argument("--automation")
options.set_capability("acceptInsecureCerts", True)
browser = webdriver.WebKitGTK(options=options, service=Service(shutil.which("WebKitWebDriver")))


def back():
    browser.execute_script("setTimeout(() => history.back())")
    time.sleep(1.5)
    return browser.title


print("webkitgtk/" + browser.capabilities["browserVersion"])
page = browser.current_window_handle
browser.switch_to.new_window("tab")
tab = browser.current_window_handle
browser.get(PLAIN + "/tab")
for name, (of_the_page, of_the_tab) in json.load(open("acts.json")).items():
    browser.switch_to.window(page)
    browser.get(PLAIN + "/page")
    browser.execute_script(f"window.heard = 0; {of_the_page}")
    browser.get(PLAIN + "/elsewhere")
    browser.switch_to.window(tab)
    browser.execute_script(of_the_tab)
    time.sleep(0.5)
    browser.switch_to.window(page)
    shown = back()
    print(f"{name}: {shown}, heard {json.dumps(browser.execute_script('return window.heard ?? null'))}")
for site in (PLAIN, SECURE):
    browser.get(site + "/private")
    browser.get(site + "/sign-out")
    print(f"no-store over {site.split(':')[0]}: {back()}")
browser.quit()
PYTHON

timeout 120 node firefox.mjs | tee firefox.txt
timeout 120 xvfb-run --auto-servernum venv/bin/python webkit.py | tee webkit.txt
diff <(tail -n +2 firefox.txt) - <<'SEEN' || { echo "the behaviour of Firefox has changed"; exit 1; }
localStorage: shown again, heard 0
BroadcastChannel: asked for again, heard null
no-store over http: asked for again
no-store over https: asked for again
SEEN
diff <(tail -n +2 webkit.txt) - <<'SEEN' || { echo "the behaviour of WebKit has changed"; exit 1; }
localStorage: shown again, heard 0
BroadcastChannel: shown again, heard 0
no-store over http: shown again
no-store over https: asked for again
SEEN
