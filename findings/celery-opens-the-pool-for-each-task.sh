#!/usr/bin/env bash
# Celery: with Django's connection pool, a prefork worker opens four connections for each task, and one without.
#
# Guess: with `OPTIONS["pool"]` a process of a worker keeps its connections, and a task opens none.
# Seen: before and after each task Celery (5.7.0) closes the whole pool in a process of the pool "prefork", which is its
# default. The next task makes a new pool, whose threads open four connections at once (psycopg's `min_size`), and hands
# out one of them; the worker's other threads lose theirs meanwhile. `CELERY_DB_REUSE_MAX` makes it rarer. With
# `--pool threads` the pool stays open.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 celery==5.7.0 \
    'psycopg[binary]==3.3.9' psycopg-pool==3.3.3
cat > "$folder/shop_settings.py" <<'PYTHON'
import json
import os

SECRET_KEY = "a key for this script, of no use elsewhere"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["PORT"],
        "USER": "postgres",
        "NAME": "postgres",
        "OPTIONS": {"pool": json.loads(os.environ["POOL"])},
    }
}
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": os.environ["QUEUE"], "data_folder_out": os.environ["QUEUE"], "control_folder": os.environ["QUEUE"]
}
CELERY_RESULT_BACKEND = f"file://{os.environ['QUEUE']}"
CELERY_DB_REUSE_MAX = json.loads(os.environ["REUSE"])
PYTHON
cat > "$folder/shop.py" <<'PYTHON'
import os
import time

from celery import Celery

os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task
def ask():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    time.sleep(0.3)
PYTHON
cd "$folder"
PYTHONPATH=$(cd "$OLDPWD" && cd "$(dirname "$0")" && pwd):$folder "$folder/venv/bin/python" - <<'PYTHON'
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version

from postgres_lab import servers

TASKS = 10
ASK = f"import shop\nfor _ in range({TASKS}): shop.ask.delay().get(timeout=60, interval=0.05)"
# By worker, pool and CELERY_DB_REUSE_MAX: the connections that ten tasks open.
EXPECTED = {
    ("prefork", "false", "null"): range(10, 11),
    ("prefork", "true", "null"): range(40, 42),
    ("prefork", "true", "100"): range(4, 6),
    ("threads", "true", "null"): range(4, 6),
}

with servers() as start:
    server = start(log_connections="on")
    log = server.data / "log"
    packages = ("celery", "Django", "psycopg-pool")
    print(*(f"{each} {version(each)}" for each in packages), "PostgreSQL", server.ask("SHOW server_version"))
    seen = {}
    for kind in EXPECTED:
        worker, pool, reuse = kind
        queue = tempfile.mkdtemp(dir=".")
        environment = {
            **os.environ, "PORT": str(server.port), "POOL": pool, "REUSE": reuse, "QUEUE": os.path.abspath(queue)
        }
        command = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-P", worker, "-c", "1", "-l", "error"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
        try:
            before = log.read_text().count("connection authorized")
            subprocess.run([sys.executable, "-c", ASK], env=environment, check=True)
            seen[kind] = log.read_text().count("connection authorized") - before
        finally:
            process.terminate()
            process.wait()
        print(f"--pool {worker}, OPTIONS['pool'] {pool}, DB_REUSE_MAX {reuse}: {seen[kind]} connections for {TASKS} tasks")
    assert all(seen[kind] in expected for kind, expected in EXPECTED.items()), "the behaviour has changed"
PYTHON
