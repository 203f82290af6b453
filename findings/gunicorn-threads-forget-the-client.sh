#!/usr/bin/env bash
# gunicorn with threads and the PROXY protocol: the second request of a connection has the address of the proxy.
#
# Guess: a proxy states the client's address once, at the start of a connection (HAProxy's `send-proxy`, a load balancer
# for TCP), and with --proxy-protocol that address is REMOTE_ADDR as long as the connection lasts.
# Seen: threaded workers (gthread, so --threads as well) apply it to the first request alone. A kept-alive client signs in
# from its own address, and is at the proxy's with its next request: sessions change their address, and people
# share one limit. Workers of gevent and of ASGI keep the address; synchronous ones take one request per connection, as
# threads do with --keep-alive 0.
#
# Needs haproxy (Debian: haproxy).
set -euo pipefail
PATH=$PATH:/usr/sbin
command -v haproxy >/dev/null || { echo "needs haproxy"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1 gevent==26.8.0 packaging==26.4
cat > "$folder/app.py" <<'PYTHON'
def app(environ, start_response):
    body = environ["REMOTE_ADDR"].encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = scope["client"][0].encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import re
import subprocess
import sys
import time
from pathlib import Path
from socket import create_connection, create_server

import gevent
import gunicorn

# Of this machine, as the proxy at 127.0.0.1.
CLIENT = "127.0.0.7"
KEEPS, FORGETS = [CLIENT] * 3, [CLIENT, "127.0.0.1", "127.0.0.1"]
EXPECTED = {
    "app:app": KEEPS,
    "app:app --threads 2": FORGETS,
    "app:app --threads 2 --keep-alive 0": KEEPS,
    "app:app --worker-class gevent": KEEPS,
    "app:asgi --worker-class asgi": KEEPS,
}


def three_requests(options):
    """The address that gunicorn has of a client that sends three requests over one connection to HAProxy."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", *options.split(), "--bind", "127.0.0.1:0"]
    command += ["--proxy-protocol", "--no-control-socket"]
    with contextlib.ExitStack() as running:
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        running.callback(server.wait)
        running.callback(server.terminate)
        at = next(found[1] for line in server.stderr if (found := re.search(r"at: http://([\d.:]+)", line)))
        Path("haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen site
    bind 127.0.0.1:{port}
    server site {at} send-proxy
""")
        haproxy = subprocess.Popen(["haproxy", "-f", "haproxy.cfg"], stderr=subprocess.DEVNULL)
        running.callback(haproxy.wait)
        running.callback(haproxy.terminate)
        for _ in range(300):
            with contextlib.suppress(OSError), create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        client = http.client.HTTPConnection("127.0.0.1", port, 30, source_address=(CLIENT, 0))
        seen = []
        for _ in range(3):
            client.request("GET", "/")
            seen.append(client.getresponse().read().decode())
        client.close()
        return seen


haproxy = subprocess.run(["haproxy", "-v"], capture_output=True, text=True).stdout.split("\n")[0]
print("gunicorn", gunicorn.__version__, "--proxy-protocol | gevent", gevent.__version__, "|", haproxy)
seen = {options: three_requests(options) for options in EXPECTED}
for options, addresses in seen.items():
    print(f"{options}: a client at {CLIENT} has {', '.join(addresses)}")
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
