#!/usr/bin/env bash
# python-socketio: `disconnect` does nothing until the handler of `connect` is through.
#
# Guess: `sio.disconnect(sid)` ends a socket, or raises an error if there is none.
# Seen: while the handler of `connect` is at work, it does neither: the socket is opened afterwards, its client can send
# events, and the handler of `disconnect` is not called. So who watches from the handler on whether a login ends, and
# disconnects then, misses an end that comes before the handler has returned. After it, the same call ends the socket.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.14.5 uvicorn==0.54.0 \
    websockets==17.4
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import socket
from importlib.metadata import version

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")
ended = []


@sio.event
async def connect(sid, environ, auth):
    if auth == {"when": "in the handler"}:
        await sio.disconnect(sid)


@sio.event
async def leave(sid):
    await sio.disconnect(sid)


@sio.event
async def disconnect(sid, reason):
    ended.append(reason)


@sio.event
async def ask(sid):
    return "answered"


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(socketio.ASGIApp(sio), log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.05)
    seen = {}
    for when in ("in the handler", "later"):
        client = socketio.AsyncClient(reconnection=False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await client.connect(url, auth={"when": when}, transports=["websocket"])
        if when == "later":
            await client.emit("leave")
        await asyncio.sleep(1)
        answer = await client.call("ask", timeout=5) if client.connected else None
        seen[when] = (client.connected, answer, list(ended))
        print(f"disconnected {when}: connected {client.connected}, {answer}, told the server {ended}")
        await client.disconnect()
        await asyncio.sleep(1)
        ended.clear()
    server.should_exit = True
    await serving
    return seen


print(*(f"{name} {version(name)}" for name in ("python-socketio", "uvicorn")))
seen = asyncio.run(main())
assert seen == {
    "in the handler": (True, "answered", []),
    "later": (False, None, ["server disconnect"]),
}, "the behaviour has changed"
print("As seen: what is disconnected in the handler stays connected.")
PYTHON
