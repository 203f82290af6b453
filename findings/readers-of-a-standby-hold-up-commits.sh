#!/usr/bin/env bash
# PostgreSQL: with `remote_apply` somebody who reads on the standby holds up commits on the primary.
#
# Guess: reading on a standby costs the primary nothing, as long as `hot_standby_feedback` is off.
# Seen: a transaction that is left open on the standby, and has read a table that is then altered on the primary, stops
# the replay until `max_standby_streaming_delay` is over (30 seconds by default). Until then every commit with
# `synchronous_commit = remote_apply` waits, also of other tables; with `on` none does. With `-1`, as for long
# reports, they wait as long as the reader likes.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from postgres_lab import Beside, servers

with servers() as start:
    leader = start()
    standby = start(leader, max_standby_streaming_delay="8s", hot_standby_feedback="off")
    leader.set("synchronous_standby_names", "standby")
    print("PostgreSQL", leader.ask("SHOW server_version"), "max_standby_streaming_delay 8s")
    leader.ask("CREATE TABLE report (id int)")
    leader.ask("SET synchronous_commit = remote_apply; CREATE TABLE session (ended bool)")
    reader = standby.connect()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM report")
    leader.ask("ALTER TABLE report ADD COLUMN more int")
    seconds = {}
    for level in ("on", "remote_apply"):
        commit = Beside(leader, f"SET synchronous_commit = {level}", "INSERT INTO session VALUES (true)")
        commit.join(60)
        seconds[level] = commit.seconds
    print({level: f"{each:.1f} seconds" for level, each in seconds.items()})
    assert seconds["on"] < 4 < seconds["remote_apply"], "the behaviour has changed"
PYTHON
