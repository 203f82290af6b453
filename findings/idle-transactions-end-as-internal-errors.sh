#!/usr/bin/env bash
# psycopg: a connection that PostgreSQL has closed for an idle transaction is no OperationalError.
#
# Guess: whoever handles OperationalError, as for any connection that the server closes, handles
# `idle_in_transaction_session_timeout`, too.
# Seen: its code is 25P03, of the class "invalid transaction state", so psycopg raises an InternalError and Django
# hands on its own InternalError: code that answers 503 at an OperationalError answers 500. The time-out of an
# idle session without a transaction (57P05), and being terminated by hand (57P01), are OperationalErrors.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import time

import psycopg

from postgres_lab import servers


def error_of(server, *statements, end=""):
    connection = server.connect()
    for each in statements:
        connection.execute(each)
    gone = f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {connection.info.backend_pid}"
    if end:
        server.ask(end.format(pid=connection.info.backend_pid))
    server.wait_for(gone)
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        return error.sqlstate, type(error).__mro__[1].__name__


with servers() as start:
    server = start()
    print("psycopg", psycopg.__version__, "PostgreSQL", server.ask("SHOW server_version"))
    seen = {
        "idle transaction": error_of(server, "SET idle_in_transaction_session_timeout = 200", "BEGIN"),
        "idle session": error_of(server, "SET idle_session_timeout = 200"),
        "terminated": error_of(server, "BEGIN", end="SELECT pg_terminate_backend({pid})"),
    }
    print(seen)
    assert seen == {
        "idle transaction": ("25P03", "InternalError"),
        "idle session": ("57P05", "OperationalError"),
        "terminated": ("57P01", "OperationalError"),
    }, "the behaviour has changed"
PYTHON
