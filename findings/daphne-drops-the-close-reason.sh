#!/usr/bin/env bash
# Daphne: the reason with which an application closes a WebSocket does not reach the client. Uvicorn sends it.
#
# Guess: `websocket.close` of ASGI has a `code` and a `reason` (since its version 2.3, and Channels' `self.close(code, reason)`
# passes both), so a client can tell "signed out" from "expired" by the reason.
# Seen: with Daphne the client gets the code and an empty reason, without an error or a warning. What a client has to
# know stands in the code.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check daphne==4.2.3 uvicorn==0.54.0 websockets==17.4
cat > "$folder/application.py" <<'PYTHON'
async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4401, "reason": "signed out"})
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import socket
import subprocess
import sys
import time
from importlib.metadata import version

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def seen(*command):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", *(part.format(port) for part in command), "application:application"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        with connect(f"ws://127.0.0.1:{port}/") as opened:
            try:
                opened.recv(timeout=10)
            except ConnectionClosed as closed:
                return closed.rcvd.code, closed.rcvd.reason
    finally:
        server.terminate()
        server.wait()


daphne = seen("daphne", "-b", "127.0.0.1", "-p", "{}")
uvicorn = seen("uvicorn", "--port", "{}", "--lifespan", "off")
print(f"Daphne {version('daphne')}: {daphne}; Uvicorn {version('uvicorn')}: {uvicorn}")
assert uvicorn == (4401, "signed out"), uvicorn
assert daphne == (4401, ""), "the behaviour has changed"
PYTHON
