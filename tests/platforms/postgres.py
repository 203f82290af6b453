"""PostgreSQL servers of a test's own, in a folder: a leader, standbys, and what happens to them."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
# PostgreSQL does not run as root.
USER = ["runuser", "-u", "nobody", "--"] if hasattr(os, "getuid") and os.getuid() == 0 else []

needs_servers = [
    pytest.mark.skipif(
        not (BINARIES or shutil.which("initdb")),
        reason="NO REPLICA: it needs the server's programs (initdb, pg_basebackup)",
    ),
    pytest.mark.skipif(
        bool(USER) and not shutil.which("runuser"),
        reason="NO REPLICA: PostgreSQL does not run as root, and there is no runuser",
    ),
]


def run(program: str, *arguments: object) -> None:
    path = str(BINARIES[-1] / program) if BINARIES else program
    command = [*USER, path, *map(str, arguments)]
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


def folder_for_servers(folder: Path) -> Path:
    """The folder, given to whom the servers run as."""
    if USER:
        shutil.chown(folder, "nobody")
    return folder


class Server:
    """One server; its data are in a folder of its own."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port

    def create(self) -> None:
        trust = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        run("initdb", "-D", self.data, *trust)

    def follow(self, port: int) -> None:
        """Copy the server at this port, and be a standby of it."""
        source = f"host=127.0.0.1 port={port} user=postgres application_name=standby"
        run("pg_basebackup", "-d", source, "-D", self.data, "-R", "-c", "fast", "--no-sync")

    def configure(self, **settings: str) -> None:
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        log = self.data / "log"
        run("pg_ctl", "-D", self.data, "-l", log, "-o", f"{options} -c fsync=off", "-w", "start")

    def promote(self) -> None:
        run("pg_ctl", "-D", self.data, "-w", "promote")

    def kill(self) -> None:
        """SIGKILL to all of its processes at once, as when the machine is gone."""
        main = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        os.kill(main, signal.SIGSTOP)  # so that it starts no other
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def stop(self) -> None:
        with suppress(AssertionError):
            run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
