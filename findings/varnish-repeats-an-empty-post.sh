#!/usr/bin/env bash
# Varnish: a POST without a body is sent to the application twice where a kept connection ends without an answer.
#
# Guess: a cache repeats GET, if anything; POST is not idempotent (RFC 9110 §9.2.2), and comes once.
# Seen: on a connection to the application that was used before, Varnish (7.1) repeats whatever has no body to keep: DELETE,
# and a POST with `Content-Length: 0` as well, without asking VCL. A refresh whose token is in a cookie, a sign-out
# or "send me another code" has no body. So behind a worker that was killed after its work, a refresh token is used
# twice, or a code is sent twice. A POST with a body comes once, and so does the first on a connection.
#
# Needs varnish (Debian: varnish).
set -euo pipefail
PATH=$PATH:/usr/sbin
command -v varnishd >/dev/null || { echo "needs varnish"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"  # Varnish's own user has to reach its files
cd "$folder"
varnishd -V 2>&1 | head -1
python3 - <<'PYTHON'
import collections
import contextlib
import http.client
import os
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

came = collections.Counter()


class App(BaseHTTPRequestHandler):
    """Answers a page; of any other request it takes note, and ends the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def note(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        came[self.path] += 1
        self.close_connection = True

    do_POST = do_DELETE = note

    def log_message(self, *args):
        pass


app = ThreadingHTTPServer(("127.0.0.1", 0), App)
app.daemon_threads = True
threading.Thread(target=app.serve_forever, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
here = os.getcwd()
Path("site.vcl").write_text(
    f'vcl 4.1; backend site {{ .host = "127.0.0.1"; .port = "{app.server_port}"; }}'
)
command = ["varnishd", "-F", "-a", f"127.0.0.1:{port}", "-f", f"{here}/site.vcl", "-n", f"{here}/work", "-s", "malloc,16m"]
varnish = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
EXPECTED = {"/refresh": 2, "/login": 1, "/session": 2, "/first": 1}
try:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    for method, path, body in (
        ("POST", "/first", b""), ("POST", "/refresh", b""), ("DELETE", "/session", None), ("POST", "/login", b"{}")
    ):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        if path != "/first":
            # Varnish keeps the connection of this one.
            client.request("GET", "/page")
            client.getresponse().read()
        client.request(method, path, body, {"Cookie": "refresh=a token"})
        answer = client.getresponse()
        answer.read()
        client.close()
        kept = f"{len(body or b'')} bytes on a {'new' if path == '/first' else 'kept'} connection"
        print(f"{method} {path}, {kept}: the application got {came[path]}, the client {answer.status}")
finally:
    varnish.terminate()
    varnish.wait()
assert came == EXPECTED, "the behaviour has changed"
PYTHON
