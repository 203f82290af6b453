#!/usr/bin/env bash
# Django and PostgreSQL: a DELETE of "the first four that nobody holds" may delete all.
#
# Guess: `filter(pk__in=due.select_for_update(skip_locked=True).values("pk")[:4]).delete()`, one statement, deletes at
# most four rows, as the subquery alone gives four.
# Seen: where PostgreSQL takes the table for empty (analyzed before it was filled), it joins by a nested loop and runs the
# subquery anew for each row that it looks at. Each run skips what the statement has deleted already and gives the next
# four, so that all twenty go. After ANALYZE the same statement deletes four. With the keys in a list, it is always four.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' Django==5.2.19
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import django
from django.conf import settings

from postgres_lab import servers

with servers() as start:
    server = start(autovacuum="off")
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": "127.0.0.1",
                "PORT": server.port,
                "USER": "postgres",
                "NAME": "postgres",
            }
        }
    )
    django.setup()

    from django.db import connection, models, transaction

    class Job(models.Model):
        due = models.IntegerField(db_index=True)

        class Meta:
            app_label = "jobs"

    def run(sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)

    def deleted(as_list=False):
        Job.objects.all().delete()
        Job.objects.bulk_create(Job(due=number) for number in range(20))
        with transaction.atomic():
            keys = Job.objects.order_by("due").select_for_update(skip_locked=True).values_list("pk")[:4]
            if as_list:
                keys = [pk for (pk,) in keys]
            return Job.objects.filter(pk__in=keys).delete()[0]

    with connection.schema_editor() as editor:
        editor.create_model(Job)
    Job.objects.create(due=0)
    run("ANALYZE jobs_job")
    seen = {"taken for empty": deleted(), "keys in a list": deleted(as_list=True)}
    Job.objects.bulk_create(Job(due=number) for number in range(1000))
    run("ANALYZE jobs_job")
    seen["analyzed"] = deleted()
    connection.close()
    print("Django", django.__version__, "PostgreSQL", server.ask("SHOW server_version"))
    print("deleted of a limit of four:", seen)
    assert seen == {"taken for empty": 20, "keys in a list": 4, "analyzed": 4}, "the behaviour has changed"
PYTHON
