#!/usr/bin/env bash
# PostgreSQL: no time-out of a statement cuts a COMMIT short that waits for a synchronous standby.
#
# Guess: with `statement_timeout` each statement ends in time, COMMIT and those that commit by themselves among them.
# Seen: while the standby is away an UPDATE and a COMMIT wait far beyond it, and beyond `lock_timeout`. The time-out is
# over before the transaction is committed. pg_cancel_backend ends the wait, with a warning and no error: the client
# reads that its change is committed, which it is here alone.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from postgres_lab import WAITS, Beside, servers

LIMITS = ("SET statement_timeout = '500ms'", "SET lock_timeout = '500ms'")
with servers() as start:
    leader = start(synchronous_standby_names="standby", synchronous_commit="local")
    print("PostgreSQL", leader.ask("SHOW server_version"), "without its synchronous standby")
    leader.ask("CREATE TABLE session (id int, ended bool)")
    leader.ask("INSERT INTO session VALUES (1, false), (2, false)")
    durably = "SET synchronous_commit = on"
    update = Beside(leader, *LIMITS, durably, "UPDATE session SET ended = true WHERE id = 1")
    commit = Beside(leader, *LIMITS, durably, "BEGIN", "UPDATE session SET ended = true WHERE id = 2", "COMMIT")
    sleep = Beside(leader, *LIMITS, "SELECT pg_sleep(60)")
    leader.wait_for(WAITS)
    waiting = {"UPDATE": update.waits(3), "COMMIT": commit.waits(0), "pg_sleep": sleep.waits(0)}
    print("still waiting after three seconds, with time-outs of half a second:", waiting)
    leader.ask("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    update.join(10), commit.join(10)
    ended = leader.ask("SELECT count(*) FROM session WHERE ended")
    print("after pg_cancel_backend: errors", [update.error, commit.error], "sessions that are ended", ended)
    assert waiting == {"UPDATE": True, "COMMIT": True, "pg_sleep": False}, "the behaviour has changed"
    assert (update.error, commit.error, ended) == ("", "", 2), "the behaviour has changed"
PYTHON
