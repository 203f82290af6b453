"""What the findings about PostgreSQL share: servers in a folder, and statements beside others.

It needs the server's programs (Debian: postgresql) and psycopg. Where this is root, servers run as nobody.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
USER = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
OPTIONS = "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
# A backend that waits for a synchronous standby.
WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def run(program: str, *arguments: object) -> None:
    path = str(BINARIES[-1] / program) if BINARIES else program
    command = [*USER, path, *map(str, arguments)]
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout


class Server:
    """A server with its data in the folder; a standby, if there is a leader."""

    def __init__(self, folder: Path, leader: "Server | None", settings: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.data = folder / str(self.port)
        if leader is None:
            run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync")
        else:
            source = f"host=127.0.0.1 port={leader.port} user=postgres application_name=standby"
            run("pg_basebackup", "-d", source, "-D", self.data, "-R", "-c", "fast", "--no-sync")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        options = f"-p {self.port} {OPTIONS}"
        run("pg_ctl", "-D", self.data, "-l", self.data / "log", "-o", options, "-w", "start")

    def connect(self, **parameters: Any) -> Any:
        given = {"dbname": "postgres", "autocommit": True, **parameters}
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", **given)

    def ask(self, sql: str) -> Any:
        """The first value of the answer, if there is one."""
        with self.connect() as connection:
            cursor = connection.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None

    def wait_for(self, sql: str) -> None:
        """Wait until the answer is true."""
        deadline = time.monotonic() + 60
        while not self.ask(sql):
            assert time.monotonic() < deadline, sql
            time.sleep(0.05)

    def set(self, name: str, value: str) -> None:
        """Change a setting, and wait until new connections have it."""
        self.ask(f"ALTER SYSTEM SET {name} = '{value}'")
        self.ask("SELECT pg_reload_conf()")
        self.wait_for(f"SELECT current_setting('{name}') = '{value}'")

    def promote(self) -> None:
        run("pg_ctl", "-D", self.data, "-w", "promote")


class Beside(threading.Thread):
    """Statements in a connection of their own; how many seconds the last took, and the error, if any."""

    def __init__(self, server: Server, *statements: str, **parameters: Any) -> None:
        super().__init__(daemon=True)
        self.server, self.statements, self.parameters = server, statements, parameters
        self.seconds, self.error = 0.0, ""
        self.start()

    def run(self) -> None:
        with self.server.connect(**self.parameters) as connection:
            for each in self.statements:
                began = time.monotonic()
                try:
                    connection.execute(each)
                except psycopg.Error as error:
                    self.error = str(error).split("\n")[0]
                self.seconds = time.monotonic() - began

    def waits(self, seconds: float) -> bool:
        """Whether they are not done after so many seconds."""
        self.join(seconds)
        return self.is_alive()


@contextmanager
def servers() -> Iterator[Callable[..., Server]]:
    """What starts servers, with their settings. They are removed at the end."""
    folder, started = Path(tempfile.mkdtemp()), []
    if USER:
        shutil.chown(folder, "nobody")

    def start(leader: Server | None = None, **settings: str) -> Server:
        started.append(Server(folder, leader, settings))
        return started[-1]

    try:
        yield start
    finally:
        for server in reversed(started):
            with suppress(AssertionError):
                run("pg_ctl", "-D", server.data, "-m", "immediate", "stop")
        shutil.rmtree(folder)
