#!/usr/bin/env bash
# Apache Traffic Server: as it comes, it answers DELETE 403 to everybody but its own machine.
#
# Guess: a reverse proxy hands on every method to what it maps, as nginx, HAProxy, Apache and Varnish do.
# Seen: its file `ip_allow.yaml` denies DELETE to all addresses but 127.0.0.1 and ::1 (9.2, as Debian has it). The answer
# is a page in HTML that the application never sees. On the machine of the proxy everything works. Elsewhere an API lists
# the sessions of a person, names them by PATCH and signs in by POST, and nobody can end one by `DELETE /sessions/ID`.
#
# Needs Traffic Server (Debian: trafficserver).
set -euo pipefail
command -v traffic_server >/dev/null || { echo "needs Apache Traffic Server"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"  # Its own user has to reach its files
cd "$folder"
traffic_server -V 2>&1 | head -1 | cut -d' ' -f1-3
installed=$(traffic_layout | sed -n 's/^SYSCONFDIR: //p')
cp -r "$installed" settings
mkdir run log cache
cat > runroot.yaml <<YAML
prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sysconfdir: $folder/settings
localstatedir: $folder
runtimedir: $folder/run
logdir: $folder/log
cachedir: $folder/cache
YAML
python3 - <<'PYTHON'
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

came = []


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        came.append(self.command)
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def log_message(self, *args):
        pass


app = ThreadingHTTPServer(("127.0.0.1", 0), App)
app.daemon_threads = True
threading.Thread(target=app.serve_forever, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
records, remap = Path("settings/records.config"), Path("settings/remap.config")
# Only its port and what it maps are set. The list of addresses is the one that was installed.
lines = [line for line in records.read_text().splitlines() if "server_ports" not in line]
records.write_text("\n".join([*lines, f"CONFIG proxy.config.http.server_ports STRING {port}", ""]))
remap.write_text(f"map / http://127.0.0.1:{app.server_port}/\n")
for each in (Path("run"), Path("log"), Path("cache")):
    with contextlib.suppress(OSError, LookupError):
        shutil.chown(each, "trafficserver", "trafficserver")
server = subprocess.Popen(
    ["traffic_server"],
    env={**os.environ, "TS_RUNROOT": os.getcwd()},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)


def ask(method, source):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    client.request(method, "/sessions/1", b"{}" if method in ("POST", "PATCH", "PUT") else None)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer.status, answer.getheader("Content-Type")


seen = {}
try:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    for source, name in (("127.0.0.1", "its own address"), ("127.0.0.2", "another address")):
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            came.clear()
            seen[method, name] = *ask(method, source), bool(came)
            status, kind, reached = seen[method, name]
            answer = f"{status} {kind}" if kind else status
            print(f"{method} from {name}: {answer}, the application {'got' if reached else 'never saw'} it")
finally:
    server.terminate()
    server.wait()
refused = {key for key, (_, _, reached) in seen.items() if not reached}
assert refused == {("DELETE", "another address")}, "the behaviour has changed"
assert seen["DELETE", "another address"][:2] == (403, "text/html"), "the behaviour has changed"
PYTHON
