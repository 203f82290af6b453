#!/usr/bin/env bash
# django-cachalot: a row that SQL changes by EXECUTE or by a function stays in the cache as it was.
#
# Guess: with CACHALOT_INVALIDATE_RAW, its default, every statement on a cursor of Django's that changes a table empties
# the cache of that table; only what other programs change is missed.
# Seen: it searches the statement for words (UPDATE, INSERT, DELETE, …). `EXECUTE name` of a prepared UPDATE has none of
# them, nor has `SELECT end_sessions()`: the ORM goes on with the old row, for as long as CACHALOT_TIMEOUT says, which is
# without an end by default. An UPDATE that a CTE contains is noticed.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 django-cachalot==2.9.1 \
    'psycopg[binary]==3.3.9'
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings
from postgres_lab import servers

with servers() as start:
    server = start()
    settings.configure(
        INSTALLED_APPS=["django.contrib.sessions", "cachalot"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": "127.0.0.1",
                "PORT": server.port,
                "USER": "postgres",
                "NAME": "postgres",
            }
        },
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        USE_TZ=True,
    )
    django.setup()

    from django.contrib.sessions.models import Session
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    call_command("migrate", verbosity=0)
    print("Django", django.__version__, "django-cachalot", version("django-cachalot"))
    Session.objects.create(session_key="a", session_data="", expire_date=timezone.now())
    cursor = connection.cursor()
    cursor.execute("PREPARE change (text) AS UPDATE django_session SET session_data = $1")
    cursor.execute(
        "CREATE FUNCTION change(text) RETURNS void LANGUAGE sql AS 'UPDATE django_session SET session_data = $1'"
    )
    seen = {}
    for way, sql in {
        "UPDATE": "UPDATE django_session SET session_data = %s",
        "UPDATE in a CTE": "WITH a AS (UPDATE django_session SET session_data = %s RETURNING 1) SELECT * FROM a",
        "EXECUTE": "EXECUTE change (%s)",
        "a function": "SELECT change(%s)",
    }.items():
        Session.objects.get(session_key="a")
        cursor.execute(sql, [way])
        [there] = server.connect().execute("SELECT session_data FROM django_session").fetchone()
        assert there == way, there
        seen[way] = Session.objects.get(session_key="a").session_data == way
        print(f"{way}: {'noticed' if seen[way] else 'not noticed'}")
        Session.objects.update(session_data="")
    connection.close()
    assert seen == {"UPDATE": True, "UPDATE in a CTE": True, "EXECUTE": False, "a function": False}, seen
    print("As seen: what changes a table without saying so stays unnoticed.")
PYTHON
