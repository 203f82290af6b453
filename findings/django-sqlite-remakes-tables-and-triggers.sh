#!/usr/bin/env bash
# What becomes of triggers when Django alters a field on SQLite, which it does by making the table anew.
#
# Guess: triggers survive, as indexes and constraints do, or Django says that they do not.
# Seen: those of the table are gone without a word. And where a trigger of another table only names this one, the
# migration fails: SQLite reads all triggers when a table is renamed, while that table is not there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check Django==5.2.8
cat >probe.py <<'PYTHON'
import sqlite3
import sys

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "probe.sqlite3"}},
    INSTALLED_APPS=[],
)
django.setup()
from django.db import OperationalError, connection, models


class Person(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "probe"


class Note(models.Model):
    text = models.CharField(max_length=10)

    class Meta:
        app_label = "probe"


def widen(model, name):
    before = model._meta.get_field(name)
    after = models.TextField()
    after.set_attributes_from_name(name)
    after.model = model
    with connection.schema_editor() as editor:
        editor.alter_field(model, before, after)


def triggers():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return [name for (name,) in cursor.fetchall()]


with connection.schema_editor() as editor:
    editor.create_model(Person)
    editor.create_model(Note)
with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TRIGGER noted AFTER UPDATE ON probe_person "
        "BEGIN INSERT INTO probe_note (text) VALUES (NEW.name); END"
    )
print(f"Django {django.__version__}, SQLite {sqlite3.sqlite_version}")
print("A trigger on probe_person writes to probe_note. Before:", triggers())
try:
    widen(Note, "text")
    failed = ""
except OperationalError as error:
    failed = str(error)
print("Altering a field of probe_note, which has no trigger:", failed or "works")
widen(Person, "name")
print("Altering a field of probe_person works. Triggers thereafter:", triggers())
sys.exit(not ("error in trigger noted: no such table" in failed and triggers() == []))
PYTHON
env/bin/python probe.py
