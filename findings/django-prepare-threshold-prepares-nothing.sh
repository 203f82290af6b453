#!/usr/bin/env bash
# Django with psycopg 3: the option `prepare_threshold` alone prepares no statement.
#
# Guess: with `OPTIONS = {"prepare_threshold": 0}` each query that runs again is prepared, and where the option is left
# out, `connection.connection.execute(sql, prepare=True)` prepares one.
# Seen: Django's cursor puts the values into the SQL in the client, and such a cursor of psycopg prepares nothing,
# whatever the option says. It takes `server_side_binding`, too. Without the option Django turns preparing off, and then
# `prepare=True` is ignored without a word.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' 'Django==5.2.19'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import django
import psycopg
from django.conf import settings
from django.db import connections

from postgres_lab import servers

OPTIONS = {
    "default": {},
    "threshold": {"prepare_threshold": 0},
    "binding": {"server_side_binding": True},
    "both": {"prepare_threshold": 0, "server_side_binding": True},
}

with servers() as start:
    server = start()
    given = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres"}
    given |= {"HOST": "127.0.0.1", "PORT": server.port}
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        DATABASES={name: given | {"OPTIONS": options} for name, options in OPTIONS.items()},
    )
    django.setup()
    from django.contrib.auth.models import Permission
    from django.core.management import call_command

    print("Django", django.__version__, "psycopg", psycopg.__version__, "PostgreSQL", server.ask("SHOW server_version"))
    call_command("migrate", verbosity=0)

    def prepared(using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT statement FROM pg_prepared_statements")
            return sum("auth_permission" in statement for (statement,) in cursor.fetchall())

    seen = {}
    for using in OPTIONS:
        for _ in range(10):
            list(Permission.objects.using(using).filter(pk=1))
        seen[using] = prepared(using)
    given = connections["default"].connection
    raw = psycopg.Cursor(given)
    for _ in range(10):
        raw.execute("SELECT name FROM auth_permission WHERE id = %s", [1], prepare=True)
    seen["default, prepare=True"] = prepared("default")
    print(seen)
    assert seen == {
        "default": 0,
        "threshold": 0,
        "binding": 0,
        "both": 1,
        "default, prepare=True": 0,
    }, "the behaviour has changed"
    connections.close_all()
PYTHON
