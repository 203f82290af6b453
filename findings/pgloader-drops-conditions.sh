#!/usr/bin/env bash
# pgloader: a SQLite database of Django that it moves to PostgreSQL has other constraints, and Django reports nothing.
#
# Guess: what moves tables, indexes and rows between databases moves them as they are, or says what it leaves out; and
# `migrate` notices tables that it has not made.
# Seen: pgloader (Debian's 3.6.9), called with the two databases as its documentation begins, exits with 0 and no error. A unique index
# with a condition has lost it: where one address of each person may be the primary one, a third address of a person is refused
# as a duplicate. Columns may be NULL, CHECK constraints are gone, and UUIDs are texts without hyphens, which PostgreSQL compares with no
# uuid: each query by such a key fails. `migrate` has nothing to do, since the table of migrations came along, and `check` with `--database`
# is content. Into tables that `migrate` has made (`data only`), the rows come right, but with `reset sequences` the sequences stay at
# their beginning, because Django's columns are identities: the first INSERTs are refused as duplicates.
#
# Needs PostgreSQL's server programs (Debian: postgresql) and pgloader (Debian: pgloader).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
command -v pgloader >/dev/null || { echo "needs pgloader"; exit 2; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' Django==5.2.19
PYTHONPATH=$(dirname "$0"):$folder FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import os
import re
import subprocess
import sys
from pathlib import Path

from postgres_lab import servers

FOLDER = Path(os.environ["FOLDER"])
(FOLDER / "people" / "migrations").mkdir(parents=True)
for each in ("people/__init__.py", "people/migrations/__init__.py"):
    (FOLDER / each).touch()
(FOLDER / "people" / "models.py").write_text("""
import uuid

from django.db import models


class Address(models.Model):
    person = models.IntegerField()
    primary = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "primary"], condition=models.Q(primary=True), name="one_primary"
            ),
            models.CheckConstraint(condition=models.Q(person__gt=0), name="somebody"),
        ]


class Login(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
""")


def django(database, code):
    """What the code prints, in a process of its own, with this database."""
    start = (
        "import django\nfrom django.conf import settings\n"
        f"settings.configure(DATABASES={{'default': {database!r}}}, INSTALLED_APPS=['people'])\n"
        "django.setup()\n"
        "from django.core.management import call_command\nfrom django.db import connection\n"
        "from people.models import Address, Login\n"
        "def outcome(do):\n"
        "    try:\n        do()\n"
        "    except Exception as error:\n"
        "        broken = error.__cause__.diag.constraint_name\n"
        "        return f'{type(error).__name__} {broken or \"\"}'.strip()\n"
        "    return 'done'\n"
    )
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


FILL = """
call_command('makemigrations', 'people', verbosity=0)
call_command('migrate', verbosity=0)
for primary in (True, False):
    Address.objects.create(person=1, primary=primary)
Login.objects.create()
"""
TRY = """
call_command('check', databases=['default'])
call_command('migrate')
print(outcome(lambda: Address.objects.create(person=1, primary=False)))
print(outcome(lambda: Address.objects.create(person=-1, primary=False)))
print(outcome(lambda: Login.objects.filter(pk=Login().pk).exists()))
"""


def load(server, name, ways):
    """Move the rows into this database; the lines of pgloader that are errors."""
    target = f"pgsql://postgres@127.0.0.1:{server.port}/{name}"
    file = FOLDER / "move.load"
    file.write_text(f"LOAD DATABASE FROM sqlite://{FOLDER}/site.sqlite3 INTO {target} {ways};")
    command = ["pgloader", file] if ways else ["pgloader", FOLDER / "site.sqlite3", target]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [each for each in done.stdout.splitlines() if " ERROR " in each or " FATAL " in each]


with servers() as start:
    server = start()
    seen = {}
    django({"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "site.sqlite3")}, FILL)
    for name in ("whole", "rows"):
        server.ask(f"CREATE DATABASE {name}")
        place = {"HOST": "127.0.0.1", "PORT": server.port, "USER": "postgres", "NAME": name}
        there = {"ENGINE": "django.db.backends.postgresql", **place}
        if name == "rows":
            django(there, "call_command('migrate', verbosity=0)")
        ways = "WITH data only, truncate, reset sequences" if name == "rows" else ""
        errors = load(server, name, ways)
        assert not errors, errors
        told = [re.sub(r"idx_\d+_", "idx_", each) for each in django(there, TRY)]
        seen[name] = told[-4:]
    print(subprocess.run(["pgloader", "--version"], capture_output=True, text=True).stdout.splitlines()[0])
    for name, what in seen.items():
        print(f"{name}:", *what, sep="\n  ")
    nothing = "  No migrations to apply."
    assert seen == {
        # A third address, one of nobody, and a login by its UUID.
        "whole": [nothing, "IntegrityError idx_one_primary", "done", "ProgrammingError"],
        "rows": [nothing, "IntegrityError people_address_pkey", "IntegrityError somebody", "done"],
    }, "the behaviour has changed"
PYTHON
