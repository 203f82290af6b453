"""A socket of Socket.IO is opened with an access token, and stays as long as its session."""

import asyncio
import contextlib
import socket
import time

import socketio
import uvicorn
from django.db import connections
from shop import sockets
from shop.asgi import application

from devices.shortcuts import Client, end_session, start_session
from tests.integrations.behaviour import people, report

alice = people()
connections.close_all()
listener = socket.create_server(("127.0.0.1", 0))
URL = f"http://127.0.0.1:{listener.getsockname()[1]}"


@sockets.sio.event
async def whoami(sid):
    return (await sockets.sio.get_session(sid))["user_id"]


@contextlib.asynccontextmanager
async def opened(token, transport):
    """A client, and what happened to it."""
    client, told = socketio.AsyncClient(reconnection=False), []
    client.on("disconnect", lambda reason: told.append(reason))
    client.on("connect_error", lambda error: told.append(error["message"]))
    client.on("news", lambda text: told.append(text))
    with contextlib.suppress(socketio.exceptions.ConnectionError):
        await client.connect(URL, auth=token and {"token": token}, transports=[transport])
    try:
        yield client, told
    finally:
        # In polling, it would wait for an answer that comes after half a minute.
        await client.eio.disconnect(abort=True)


async def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.02)
    assert condition()


def sign_in():
    return start_session(Client("192.0.2.1", "curl"), alice)


async def in_thread(function, *args):
    return await asyncio.to_thread(function, *args)


async def play(transport):
    tokens, other = await in_thread(sign_in), await in_thread(sign_in)
    async with (
        opened(tokens.access, transport) as (client, told),
        opened(other.access, transport) as (second, second_told),
    ):
        assert await client.call("whoami", timeout=5) == alice.pk
        await sockets.sio.emit("news", "hello", room=f"user-{alice.pk}")
        await until(lambda: told == ["hello"] == second_told)
        await asyncio.sleep(1.2)
        began = time.monotonic()
        await in_thread(end_session, tokens.session)
        await until(lambda: told == ["hello", "server disconnect"])
        assert time.monotonic() - began < 1.5
        # It hears nothing more; the other one does.
        await sockets.sio.emit("news", "more", room=f"user-{alice.pk}")
        await until(lambda: second_told == ["hello", "more"])
        assert told == ["hello", "server disconnect"]
    for token in (tokens.access, tokens.refresh, "", None) if transport == "websocket" else ():
        async with opened(token, transport) as (client, told):
            code = "session_revoked" if token == tokens.access else "token_not_valid"
            assert not client.connected and told == [code], told


async def end_while_it_connects():
    """The session ends while the handler is still at work."""
    tokens = await in_thread(sign_in)

    async def connect(*args):
        await sockets.connect(*args)
        await in_thread(end_session, tokens.session)
        await asyncio.sleep(0.7)

    sockets.sio.on("connect", connect)
    async with opened(tokens.access, "websocket") as (_, told):
        await until(lambda: told == ["server disconnect"])
    sockets.sio.on("connect", sockets.connect)


async def main():
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    for transport in ("websocket", "polling"):
        await play(transport)
    await end_while_it_connects()
    server.should_exit = server.force_exit = True
    await serving


asyncio.run(main())
report({})
