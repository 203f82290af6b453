"""A host project that is served by a server of its own process, and its database beside it."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from django.db import connection

from tests.client import CHROME, PASSWORD
from tests.hosts.project import Host
from tests.ports import free_port

COMMANDS = {
    "daphne": ("daphne", "-b", "127.0.0.1", "-p", "{port}", "{application}"),
    "uvicorn": ("uvicorn", "--port", "{port}", "--log-level", "warning", "{application}"),
    "gunicorn": ("gunicorn", "-b", "127.0.0.1:{port}", "--threads", "4", "{application}"),
}


class Server:
    def __init__(self, host: Host, port: int, database: str) -> None:
        self.host, self.database = host, database
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"User-Agent": CHROME, **headers})

    def sign_in(self, name: str) -> dict[str, str]:
        """The tokens of a new session, on a device of its own."""
        with self.client() as client:
            answer = client.post("/api/token", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    def bearer(self, tokens: dict[str, str]) -> httpx.Client:
        return self.client(Authorization=f"Bearer {tokens['access']}")

    def sql(self, statement: str) -> list[Any]:
        """As another program would do it."""
        if not self.database:
            with closing(sqlite3.connect(self.host.folder / "db.sqlite3", timeout=10)) as sqlite:
                found = sqlite.execute(statement).fetchall()
                sqlite.commit()
                return found
        import psycopg

        given = connection.settings_dict
        with psycopg.connect(
            host=given["HOST"], port=given["PORT"], user=given["USER"], dbname=self.database
        ) as postgres:
            cursor = postgres.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def serve(
    host: Host, server: str, project: str, people: list[str], database: str = "", **env: str
) -> Iterator[Server]:
    """Migrate, make these people, and serve the project until the end of the block."""
    env = {"DJANGO_SETTINGS_MODULE": f"{project}.settings", "POSTGRES": database, **env}
    Path(host.folder / "db.sqlite3").unlink(missing_ok=True)
    host.run("manage.py", "migrate", "--verbosity", "0", **env)
    host.run("manage.py", "shell", "--no-imports", "-c", _making(people), **env)
    port = free_port()
    kind = "wsgi" if server == "gunicorn" else "asgi"
    application = f"{project}.{kind}:application"
    command = [part.format(port=port, application=application) for part in COMMANDS[server]]
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "PYTHONPATH")}
    paths = os.pathsep.join([str(host.folder), str(host.site)])
    log = host.folder / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=host.folder,
            env={
                **clean,
                "PYTHONPATH": paths,
                "JWT_SECRET_KEY": "a signing key for the stranger, of no use elsewhere",
                **env,
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(port, process, log)
        yield Server(host, port, database)
    finally:
        process.terminate()
        process.wait(10)


def _making(people: list[str]) -> str:
    return (
        "from django.contrib.auth.models import User\n"
        f"for name in {people!r}:\n"
        f"    User.objects.create_user(name, f'{{name}}@example.org', {PASSWORD!r})\n"
    )


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"The server does not answer: {log.read_text()}")
