#!/usr/bin/env bash
# PostgreSQL: after a promotion pg_control_checkpoint() shows the timeline of before.
#
# Guess: once `pg_ctl promote --wait` is done and the server takes writes, `timeline_id` of pg_control_checkpoint() is the
# new timeline, so it tells that there was a failover.
# Seen: it stays the old one until the checkpoint that follows the promotion is complete. That is spread as any other,
# over 4.5 minutes by default if there is much to write. The name of the WAL file that is written now has the new
# timeline at once.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import time

from postgres_lab import servers

CONTROL = "SELECT timeline_id FROM pg_control_checkpoint()"
WRITTEN = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
with servers() as start:
    leader = start()
    standby = start(leader)
    leader.ask("CREATE TABLE session AS SELECT n, repeat('x', 500) FROM generate_series(1, 30000) AS n")
    position = leader.ask("SELECT pg_current_wal_lsn()")
    standby.wait_for(f"SELECT pg_last_wal_replay_lsn() >= '{position}'")
    standby.promote()
    standby.ask("CREATE TABLE it_takes (writes int)")
    print("PostgreSQL", standby.ask("SHOW server_version"))
    time.sleep(10)
    late = standby.ask(CONTROL), standby.ask(WRITTEN)
    print("ten seconds after the promotion: pg_control_checkpoint() {}, WAL {}".format(*late))
    standby.ask("CHECKPOINT")
    then = standby.ask(CONTROL), standby.ask(WRITTEN)
    print("after a checkpoint: pg_control_checkpoint() {}, WAL {}".format(*then))
    assert (late, then) == ((1, 2), (2, 2)), "the behaviour has changed"
PYTHON
