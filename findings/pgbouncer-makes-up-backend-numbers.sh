#!/usr/bin/env bash
# PgBouncer: the number by which psycopg knows its backend is that of no process.
#
# Guess: `connection.info.backend_pid` behind PgBouncer is the backend that serves the client, or PgBouncer itself, so
# that it can be looked up in pg_stat_activity.
# Seen: PgBouncer gives each client a random number, in the modes `session` and `transaction`; by 1.18, not 1.25, some are
# negative. Clients that share a backend have different ones. `pg_backend_pid()` is the process. So a comparison of the
# two tells a pooler from a direct connection.
#
# Needs PostgreSQL's server programs and PgBouncer (Debian: postgresql, pgbouncer).
set -euo pipefail
export PATH="$PATH:/usr/sbin"
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
command -v pgbouncer >/dev/null || { echo "needs PgBouncer"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from postgres_lab import USER, servers


def numbers(server, mode):
    """Of 16 clients, one after the other: their numbers, and the processes that serve them."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        folder, port = Path(name), probe.getsockname()[1]
        folder.chmod(0o755)
        (folder / "users").write_text('"postgres" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n"
            f"auth_type = trust\nauth_file = {folder}/users\ndefault_pool_size = 1\n"
        )
        probe.close()
        pooler = subprocess.Popen([*USER, "pgbouncer", "-q", folder / "ini"], stderr=subprocess.DEVNULL)
        try:
            given, served = [], set()
            for _ in range(16):
                client = connect(port)
                given.append(client.info.backend_pid)
                served.add(client.execute("SELECT pg_backend_pid()").fetchone()[0])
                client.close()
        finally:
            pooler.terminate()
            pooler.wait()
    return given, served


def connect(port):
    for _ in range(100):
        try:
            where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
            return psycopg.connect(where, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise SystemExit("PgBouncer does not start")


with servers() as start:
    server = start()
    version = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True).stdout
    print("psycopg", psycopg.__version__, version.splitlines()[0], "PostgreSQL", server.ask("SHOW server_version"))
    with server.connect() as direct:
        own = direct.info.backend_pid == direct.execute("SELECT pg_backend_pid()").fetchone()[0]
    print("direct connection: the number is the process:", own)
    assert own, "the behaviour has changed"
    for mode in ("session", "transaction"):
        given, served = numbers(server, mode)
        print(f"{mode}: {len(set(given))} numbers for {len(served)} process, {sum(n < 0 for n in given)} negative")
        assert len(set(given)) == 16 and len(served) == 1, "the behaviour has changed"
        assert not served & set(given), "the behaviour has changed"
PYTHON
