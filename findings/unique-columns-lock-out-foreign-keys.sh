#!/usr/bin/env bash
# PostgreSQL: changing an e-mail address that is unique locks out inserts of rows that refer to the person.
#
# Guess: a foreign key refers to the primary key, so an UPDATE of other columns leaves inserts of sessions alone, as one of
# the name does; `SELECT … FOR NO KEY UPDATE` is the lock that it takes.
# Seen: each column of a unique index counts as a key, whether anything refers to it or not. Until the transaction that
# changes the address is over, no session of this person can be inserted. A unique index on an expression
# (`lower(email)`), or with a condition, does not count, nor does an UPDATE that leaves the address as it is.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from postgres_lab import Beside, servers

CHANGES = {
    "name": "name = 'B'",
    "e-mail, unique": "email = 'b'",
    "e-mail, unique, the same": "email = email, name = 'B'",
    "phone, unique on lower()": "phone = 'b'",
    "badge, unique with a condition": "badge = 'b'",
}
with servers() as start:
    server = start()
    print("PostgreSQL", server.ask("SHOW server_version"))
    server.ask(
        "CREATE TABLE person (id int PRIMARY KEY, name text, email text UNIQUE, phone text, badge text);"
        "CREATE UNIQUE INDEX ON person (lower(phone));"
        "CREATE UNIQUE INDEX ON person (badge) WHERE badge IS NOT NULL;"
        "CREATE TABLE session (person int REFERENCES person);"
        "INSERT INTO person VALUES (1, 'A', 'a', 'a', 'a')"
    )
    seen = {}
    with server.connect() as other:
        for what, change in CHANGES.items():
            other.execute("BEGIN")
            other.execute(f"UPDATE person SET {change} WHERE id = 1")
            insert = Beside(server, "SET lock_timeout = 1000", "INSERT INTO session VALUES (1)")
            insert.join(30)
            other.execute("ROLLBACK")
            seen[what] = "lock timeout" in insert.error
            print(f"while somebody changes the {what}: a session {'waits' if seen[what] else 'is inserted'}")
assert seen == {what: what == "e-mail, unique" for what in CHANGES}, "the behaviour has changed"
PYTHON
