#!/usr/bin/env bash
# python-socketio: under ASGI every client has the address 127.0.0.1.
#
# Guess: `environ`, which the handler of `connect` gets, says in REMOTE_ADDR who has connected, as WSGI has it.
# Seen: with an ASGI server it is always 127.0.0.1, and REMOTE_PORT 0. A client at 127.0.0.2 has it, too; the true address
# is in environ["asgi.scope"]["client"]. Who limits guesses by it limits everybody at once, and who takes 127.0.0.1 for a
# proxy of their own believes each client's X-Forwarded-For.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.14.5 uvicorn==0.54.0 \
    websockets==17.4
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import socket
from importlib.metadata import version

import aiohttp
import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")
seen = []


@sio.event
async def connect(sid, environ, auth):
    seen.append((environ["REMOTE_ADDR"], environ["asgi.scope"]["client"][0]))


async def main():
    listener = socket.create_server(("0.0.0.0", 0))
    server = uvicorn.Server(uvicorn.Config(socketio.ASGIApp(sio), log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.05)
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        client = socketio.AsyncClient(reconnection=False, http_session=session)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await client.connect(url, transports=["websocket"])
        await client.disconnect()
    server.should_exit = True
    await serving


print(*(f"{name} {version(name)}" for name in ("python-socketio", "python-engineio", "uvicorn")))
asyncio.run(main())
[(remote, true)] = seen
print("REMOTE_ADDR:", remote, "- the client of the scope:", true)
assert (remote, true) == ("127.0.0.1", "127.0.0.2"), "the behaviour has changed"
print("As seen: REMOTE_ADDR is not the client's.")
PYTHON
