#!/usr/bin/env bash
# A synchronous worker of gunicorn is killed in the middle of a stream that lasts longer than --timeout.
#
# Guess: `timeout` is for requests that hang; a stream (server-sent events, say) that sends something each second
# shows that its worker is alive, and goes on.
# Seen: the worker tells the arbiter that it is alive between requests only, not while it sends. So after
# --timeout seconds (30 by default) it is killed, and the client's stream ends without an error that it could tell
# from a cut connection. Threaded workers (gthread) tell it all the time, and are not killed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1
cat > "$folder/app.py" <<'PYTHON'
import time


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(10):
        yield b"data: %d\n\n" % number
        time.sleep(1)
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import http.client
import re
import subprocess
import sys

import gunicorn

print("gunicorn", gunicorn.__version__, "--timeout 4, a stream of ten seconds, one event each second")
seen = {}
for worker, *more in (["sync"], ["gthread", "--threads", "2"]):
    command = [sys.executable, "-m", "gunicorn", "app:app", "--bind", "127.0.0.1:0", "--timeout", "4"]
    server = subprocess.Popen(
        [*command, "--worker-class", worker, *more], stderr=subprocess.PIPE, text=True
    )
    for line in server.stderr:
        if found := re.search(r"Listening at: http://127.0.0.1:(\d+)", line):
            break
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]))
    connection.request("GET", "/")
    answer = connection.getresponse()
    events = 0
    try:
        while line := answer.readline():
            events += line.startswith(b"data")
    except OSError:
        pass
    server.terminate()
    is_killed = "WORKER TIMEOUT" in server.stderr.read()
    seen[worker] = (events, is_killed)
    print(f"{worker}: {events} of 10 events, killed: {is_killed}")
assert seen["sync"][0] < 10 and seen["sync"][1], "the behaviour has changed"
assert seen["gthread"] == (10, False), "the behaviour has changed"
PYTHON
