"""What it costs to hold 1,000 WebSockets open, and how soon the right ones are closed when a session ends.

    python -m benchmarks.sockets [--sockets 1000] [--times 200] [--write docs/performance.md]

Server (uvicorn), clients and whoever ends the sessions are three processes. The time runs from the commit of
an end to the moment at which the client is told.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import django

from . import page
from .scale import SERVER

PER_PERSON = 2
# Seconds that anything may take before it counts as lost.
PATIENCE = 60.0
LIBRARIES = (*page.SITE, "channels", "uvicorn", "websockets")


def application() -> Any:
    """`/plain` and `/ours`: the same consumer of Channels, without and with our middleware."""
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import URLRouter
    from django.urls import path

    from devices.contrib.channels import DeviceAuthMiddleware

    class Consumer(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept("bearer")

    feed = Consumer.as_asgi()
    return URLRouter([path("plain", feed), path("ours", DeviceAuthMiddleware(feed))])


def serve(port: int) -> None:
    import uvicorn

    uvicorn.run(application(), port=port, log_level="error", lifespan="off", ws="websockets-sansio")


async def clients(url: str) -> None:
    """Open a socket for each token that comes in, then tell which are closed, and when."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    loop = asyncio.get_running_loop()

    async def hold(token: str) -> None:
        try:
            async with connect(
                url,
                subprotocols=["bearer", token],  # type: ignore[list-item]
                max_size=2**16,
                open_timeout=PATIENCE,
            ) as opened:
                print("open", flush=True)
                await opened.wait_closed()
                how: Any = opened.close_code
        except (OSError, WebSocketException) as error:
            how = repr(error)
        print(json.dumps([token[-16:], how, time.monotonic()]), flush=True)

    held = set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        held.add(asyncio.create_task(hold(line.strip())))
        # So many handshakes at once are not what is measured.
        await asyncio.sleep(0.003)
    for task in held:
        task.cancel()


class Process:
    """The server, or the clients. What they print is read by a thread, so that nobody waits for ever."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self.process: Any = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.sockets", *arguments],
            env=os.environ | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self, wanted: str) -> str:
        """What it prints next. Raises TimeoutError, and says what was wanted."""
        try:
            return self._lines.get(timeout=PATIENCE)
        except Empty:
            raise TimeoutError(f"Not within {PATIENCE} s: {wanted}") from None

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *args: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def kilobytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def seconds(self) -> float:
        """Of CPU."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server does not answer.")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def measure(bus: str, sockets: int, times: int, path: str = "ours") -> list[str]:
    """The cells of a row: memory of a socket, CPU while nothing happens, and how soon they are closed."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    from devices.core import sessions, tokens
    from devices.core.clients.client import Client
    from devices.models import RevokeReason

    users = get_user_model().objects
    name = connection.settings_dict["NAME"]
    database = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + name
    started = [
        sessions.start(users.create_user(f"{bus}{path}{n}@example.org"), Client("127.0.0.1"))
        for n in range(sockets // PER_PERSON)
    ]
    port = free_port()
    with (
        Process("--serve", str(port), "--bus", bus, DATABASE_URL=database) as server,
        Process("--clients", f"ws://127.0.0.1:{port}/{path}") as others,
    ):
        wait_for(port)
        held: dict[str, Any] = {}

        def open_all(each: Any) -> None:
            for _ in range(PER_PERSON):
                access = tokens.issue(each).access
                held.setdefault(str(each.pk), set()).add(access[-16:])
                print(access, file=others.process.stdin, flush=True)
                opened = others.line("a socket opens")
                assert opened == "open\n", opened

        # What the first ones load once is no memory of a socket.
        warm = [
            sessions.start(
                users.create_user(f"{bus}{path}warm{n}@example.org"), Client("127.0.0.1")
            )
            for n in range(10)
        ]
        for each in warm:
            open_all(each)
        time.sleep(2)
        before = server.kilobytes()
        for each in started:
            open_all(each)
        time.sleep(2)
        memory = (server.kilobytes() - before) / len(started) / PER_PERSON
        used = server.seconds()
        time.sleep(10)
        cells = [f"{memory:.0f} KB", f"{(server.seconds() - used) * 10:.1f} %"]
        if path == "plain":
            return [*cells, "–", "–", "–"]
        delays = []
        for each in started[:times]:
            committed = time.monotonic()
            sessions.revoke(each, reason=RevokeReason.ADMIN)
            committed = time.monotonic()
            number = len(delays) + 1
            closed = [
                json.loads(others.line(f"socket {number + n} closes")) for n in range(PER_PERSON)
            ]
            # The right ones, and no others.
            assert {token for token, _, _ in closed} == held[str(each.pk)], closed
            assert all(code == 4401 for _, code, _ in closed), closed
            delays += [max(0.0, at - committed) * 1000 for _, _, at in closed]
        cuts = statistics.quantiles(delays, n=100, method="inclusive")
        return [*cells, f"{cuts[49]:.0f}", f"{cuts[98]:.0f}", f"{max(delays):.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    for internal in ("--serve", "--clients", "--bus"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.clients:
        asyncio.run(clients(options.clients))
        return
    os.environ.setdefault("DATABASE_URL", f"{SERVER}/postgres")
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    from django.conf import settings

    settings.DEVICES |= {"BUS": options.bus or None}
    django.setup()
    logging.disable()
    if options.serve:
        serve(int(options.serve))
        return
    from django.test.utils import setup_databases, teardown_databases

    from devices.conf import conf

    made = setup_databases(verbosity=0, interactive=False)
    rows = []
    try:
        for name, bus, path in (
            ("without our middleware", "", "plain"),
            ("PostgreSQL is the bus", "postgres", "ours"),
            ("Redis is the bus", os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), "ours"),
            ("no bus", "", "ours"),
        ):
            settings.DEVICES |= {"BUS": bus or None}
            conf.reload()
            rows.append([name, *measure(bus, options.sockets, options.times, path)])
            print(rows[-1], flush=True)
    finally:
        teardown_databases(made, verbosity=0)
    head = [f"{options.sockets:,} sockets", "memory of one", "CPU, idle"]
    head += ["closed after ms: p50", "p99", "worst"]
    text = page.table(head, rows)
    print(text)
    if options.write:
        page.write(options.write, "sockets", f"{page.machine(LIBRARIES)}\n\n{text}")


if __name__ == "__main__":
    main()
