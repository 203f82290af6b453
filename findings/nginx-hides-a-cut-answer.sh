#!/usr/bin/env bash
# nginx: an answer that breaks off half-way arrives as a whole one.
#
# Guess: where a server fails in the middle of a streamed answer, a client behind nginx sees an error, as it does
# without nginx: the last chunk is missing.
# Seen: nginx 1.22 asks the server with HTTP/1.0 unless told otherwise (`proxy_http_version`). There the end of the
# connection is the end of the answer, so nginx sends its client all that came, and the last chunk, too: half an export
# looks like a whole one. With `proxy_http_version 1.1;` nginx cuts off its client as well; HAProxy does so by itself.
#
# Needs nginx and haproxy (Debian: nginx, haproxy).
set -euo pipefail
PATH=$PATH:/usr/sbin
for each in nginx haproxy; do command -v $each >/dev/null || { echo "needs $each"; exit 2; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1
cat > "$folder/app.py" <<'PYTHON'
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/csv")])
    yield b"id,ended\n"
    yield b"1,yes\n"
    raise RuntimeError("The database does not answer.")
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path

import gunicorn


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).split("\n")[0]


def answer(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    try:
        return f"whole: {connection.getresponse().read()}"
    except http.client.IncompleteRead as error:
        return f"cut off: {error.partial}"


app, nginx, haproxy = free_port(), free_port(), free_port()
folders = " ".join(
    f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
Path("nginx.conf").write_text(f"""
daemon off; pid nginx.pid; error_log stderr; events {{}}
http {{ access_log off; {folders} server {{ listen 127.0.0.1:{nginx};
    location / {{ proxy_pass http://127.0.0.1:{app}; }}
    location /1.1 {{ proxy_pass http://127.0.0.1:{app}; proxy_http_version 1.1; }}
}} }}
""")
Path("haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen site
    bind 127.0.0.1:{haproxy}
    server site 127.0.0.1:{app}
""")
commands = {
    app: [sys.executable, "-m", "gunicorn", "app:app", "--bind", f"127.0.0.1:{app}", "--threads", "2"],
    nginx: ["nginx", "-p", str(Path.cwd()), "-c", "nginx.conf"],
    haproxy: ["haproxy", "-f", "haproxy.cfg"],
}
print("gunicorn", gunicorn.__version__, "|", version("nginx", "-v"), "|", version("haproxy", "-v"))
with contextlib.ExitStack() as running:
    for port, command in commands.items():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.callback(process.wait)
        running.callback(process.terminate)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
    seen = {
        "gunicorn": answer(app, "/"),
        "nginx": answer(nginx, "/"),
        "nginx, proxy_http_version 1.1": answer(nginx, "/1.1"),
        "HAProxy": answer(haproxy, "/"),
    }
for name, each in seen.items():
    print(f"{name}: {each}")
assert [each.split(":")[0] for each in seen.values()] == [
    "cut off", "whole", "cut off", "cut off"
], "the behaviour has changed"
PYTHON
