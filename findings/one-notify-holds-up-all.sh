#!/usr/bin/env bash
# PostgreSQL: one NOTIFY whose commit waits for a synchronous standby holds up all others of the server.
#
# Guess: `synchronous_commit` is a choice of each transaction, so one that waits for a standby concerns only those that
# want the same rows; and `statement_timeout` ends a `SELECT pg_notify(…)` that takes too long.
# Seen: transactions that notify are committed one after another, under a lock of the whole server. Behind one that
# waits, every other NOTIFY waits too: on any channel, in any database, without a write, with `synchronous_commit = off`.
# Not `statement_timeout` but `lock_timeout` cuts that wait. Transactions without NOTIFY go on.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from postgres_lab import WAITS, Beside, servers

with servers() as start:
    leader = start()
    print("PostgreSQL", leader.ask("SHOW server_version"))
    leader.ask("CREATE TABLE session (id int, ended bool)")
    leader.ask("INSERT INTO session VALUES (1, false), (2, false)")
    leader.ask("CREATE DATABASE another")
    leader.set("synchronous_standby_names", "standby")
    Beside(leader, "UPDATE session SET ended = true WHERE id = 1; NOTIFY devices, '1'")
    leader.wait_for(WAITS)
    at_once = "SET synchronous_commit = off"
    say = "SELECT pg_notify('something_else', '')"
    tried = {
        "UPDATE": Beside(leader, at_once, "UPDATE session SET ended = true WHERE id = 2"),
        "NOTIFY": Beside(leader, at_once, say),
        "NOTIFY in another database": Beside(leader, at_once, say, dbname="another"),
        "NOTIFY, statement_timeout 500 ms": Beside(leader, at_once, "SET statement_timeout = 500", say),
        "NOTIFY, lock_timeout 500 ms": Beside(leader, at_once, "SET lock_timeout = 500", say),
    }
    tried["NOTIFY"].join(5)
    waits = {name: each.is_alive() for name, each in tried.items()}
    for name, each in tried.items():
        print(f"{name}: {'waits' if waits[name] else each.error or 'done'}")
    assert list(waits.values()) == [False, True, True, True, False], "the behaviour has changed"
    assert "lock timeout" in tried["NOTIFY, lock_timeout 500 ms"].error, "the behaviour has changed"
PYTHON
