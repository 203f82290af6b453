"""The database goes away under the running site and comes back: between the two is a line that can be cut."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from accounts.models import User
from tests.client import PASSWORD

from .site import Site, serve


class Line:
    """A TCP line to the database, on a port of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.open_ends: list[socket.socket] = []
        self.port = 0
        self.mend()

    def mend(self) -> None:
        self.entrance = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.port = self.entrance.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.entrance,), daemon=True).start()

    def cut(self) -> None:
        for end in [self.entrance, *self.open_ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.open_ends.clear()

    def _accept(self, entrance: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = entrance.accept()
                far = socket.create_connection(self.target)
                self.open_ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line() -> Iterator[Line]:
    if connection.vendor != "postgresql":
        pytest.skip("NO OUTAGE: it needs PostgreSQL, see DATABASE_URL")
    database = urlsplit(os.environ["DATABASE_URL"])
    line = Line(database.hostname or "127.0.0.1", database.port or 5432)
    yield line
    line.cut()


@pytest.fixture
def site(line: Line, transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    database = connection.settings_dict["NAME"]
    with serve(database, "database", tmp_path / "site.log", port=line.port) as site:
        yield site


def test_R03_without_its_database_the_site_says_so_at_once_and_lets_nobody_in(line, site):
    User.objects.create_user("alice@example.org", PASSWORD)
    credentials = {"email": "alice@example.org", "password": PASSWORD}
    with httpx.Client(base_url=site.url, timeout=60) as client:
        tokens = client.post("/api/login", json=credentials).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        refresh = {"refresh": tokens["refresh_token"]}
        asked = [
            lambda: client.get("/api/me"),
            lambda: client.post("/api/login", json=credentials),
            lambda: client.post("/api/token/refresh", json=refresh),
            lambda: client.post("/api/token/verify", json={"token": tokens["access_token"]}),
            lambda: client.post("/api/sessions/revoke-all"),
        ]
        # Every process has started and holds a connection.
        assert [client.get("/api/me").status_code for _ in range(40)] == [200] * 40

        line.cut()
        for ask in asked * 4:
            begun = time.monotonic()
            answer = ask()
            assert time.monotonic() - begun < 2
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert client.get("/healthz").status_code == 200

        line.mend()
        # At once, in every process, without a restart; and nothing was half done.
        assert [client.get("/api/me").status_code for _ in range(20)] == [200] * 20
        assert client.post("/api/token/refresh", json=refresh).status_code == 200
