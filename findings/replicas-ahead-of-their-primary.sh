#!/usr/bin/env bash
# PostgreSQL: while a commit waits for a synchronous standby, others see it before its own server shows it.
#
# Guess: a replica is behind its primary or level with it; what it shows, the primary has shown before. And logical
# decoding hands on what is committed, so what can be read.
# Seen: the primary hides the change until the synchronous standby has it. An asynchronous standby, and whoever decodes
# the log, have it already. So somebody whose session has ended on the replica is still signed in at the primary, and a
# consumer that looks up what it was told finds the row as it was before.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from postgres_lab import WAITS, Beside, servers

STATE = "SELECT state FROM session WHERE id = 1"
with servers() as start:
    leader = start(wal_level="logical")
    replica = start(leader)
    print("PostgreSQL", leader.ask("SHOW server_version"))
    leader.ask("CREATE TABLE session (id int PRIMARY KEY, state text)")
    leader.ask("INSERT INTO session VALUES (1, 'active')")
    leader.ask("SELECT 1 FROM pg_create_logical_replication_slot('feed', 'test_decoding')")
    leader.set("synchronous_standby_names", "another")
    Beside(leader, "UPDATE session SET state = 'ended' WHERE id = 1")
    leader.wait_for(WAITS)
    replica.wait_for("SELECT state = 'ended' FROM session WHERE id = 1")
    decoded = leader.ask(
        "SELECT data FROM pg_logical_slot_peek_changes('feed', NULL, NULL) WHERE data LIKE '%UPDATE%'"
    )
    seen = {"the primary": leader.ask(STATE), "its asynchronous standby": replica.ask(STATE)}
    print(seen, "logical decoding:", decoded)
    assert list(seen.values()) == ["active", "ended"] and "'ended'" in decoded, "the behaviour has changed"
PYTHON
