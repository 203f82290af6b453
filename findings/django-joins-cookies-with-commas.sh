#!/usr/bin/env bash
# Django 5.2 under granian with HTTPS: of several cookies of a browser only the first arrives, with all others in its value.
#
# Guess: how a browser sends its cookies is the server's affair; `request.COOKIES` has each of them, whatever the server is.
# Seen: over HTTP/2 Chromium sends a header line for each cookie (RFC 9113 §8.2.3). granian gives ASGI applications
# the lines as they came, which its specification allows, and speaks HTTP/2 as soon as it has a certificate. Django 5.2
# joins lines with a comma, and splits cookies at semicolons. So who has a second cookie is signed out, and no form
# has its CSRF token. A test with one cookie, curl, and httpx, which send one line, do not show it. hypercorn and
# daphne join the lines themselves, granian does for WSGI, and so do nginx and other proxies that speak HTTP/1.1 behind.
#
# Needs Chromium (Debian: chromium; the package playwright drives it) and openssl.
command -v openssl >/dev/null || { echo "needs openssl"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" Django==5.2.19 granian==2.8.9 hypercorn==0.18.0 daphne==4.2.3 \
    "twisted[http2,tls]==26.10.0"
cat > "$FOLDER/app.py" <<'PYTHON'
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere", ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=__name__
)

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

urlpatterns = [path("", lambda request: JsonResponse(request.COOKIES))]
wsgi, asgi = get_wsgi_application(), get_asgi_application()
PYTHON
cd "$FOLDER"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout site.key -out site.crt 2>/dev/null
"$python" - <<'PYTHON'
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import sync_playwright

COOKIES = {"csrftoken": "c1", "sessionid": "s1"}
CUT = {"csrftoken": "c1,sessionid=s1"}
GRANIAN = "granian --port {} --ssl-certificate site.crt --ssl-keyfile site.key"
SERVERS = {
    f"{GRANIAN} --interface asgi app:asgi": ("h2", CUT),
    f"{GRANIAN} --interface asgi --http 1 app:asgi": ("http/1.1", COOKIES),
    f"{GRANIAN} --interface wsgi app:wsgi": ("h2", COOKIES),
    "hypercorn --bind 127.0.0.1:{} --certfile site.crt --keyfile site.key app:asgi": ("h2", COOKIES),
    "daphne -e ssl:{}:interface=127.0.0.1:privateKey=site.key:certKey=site.crt app:asgi": ("h2", COOKIES),
}
PROTOCOL = "performance.getEntriesByType('navigation')[0].nextHopProtocol"

seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    versions = [f"{each} {version(each)}" for each in ("Django", "granian", "hypercorn", "daphne")]
    print("Chromium", browser.version, "|", ", ".join(versions))
    for command in SERVERS:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        program, *options = command.format(port).split()
        environment = {**os.environ, "PYTHONPATH": "."}
        log = subprocess.DEVNULL
        program = Path(sys.executable).with_name(program)
        server = subprocess.Popen([program, *options], stdout=log, stderr=log, env=environment)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            context = browser.new_context(ignore_https_errors=True)
            url = f"https://localhost:{port}/"
            context.add_cookies([{"name": name, "value": value, "url": url} for name, value in COOKIES.items()])
            page = context.new_page()
            page.goto(url)
            seen[command] = (page.evaluate(PROTOCOL), json.loads(page.inner_text("body")))
            context.close()
        finally:
            server.terminate()
            server.wait()
        print(command.split()[0], *(options[6:] if "granian" in command else options[-1:]), seen[command])
    browser.close()
assert seen == SERVERS, "the behaviour has changed"
PYTHON
