#!/usr/bin/env bash
# Django: cache.incr() replaces the time-out of a counter in the database and in files, and keeps it elsewhere.
#
# Guess: `add(key, 0, timeout=3600)` and then `incr(key)` counts attempts for an hour, on each of Django's caches.
# Seen: LocMemCache keeps the time-out. DatabaseCache and FileBasedCache write the new number with the cache's own
# default, 5 minutes: the hour's counter starts anew after five quiet minutes, and one of a minute lives longer as it
# counts. With `TIMEOUT: None` it never ends.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import os
import time

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "files": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": os.environ["FOLDER"] + "/cache"
        },
        "database": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "counters"},
    },
)
django.setup()

from django.core.cache import caches
from django.core.management import call_command

call_command("createcachetable")
for cache in caches.all():
    cache.add("counter", 0, timeout=2)
    cache.incr("counter")
    cache.add("another", 0, timeout=2)
time.sleep(4)
print("Django", django.__version__)
counters = {name: caches[name].get("counter") for name in settings.CACHES}
others = [cache.get("another") for cache in caches.all()]
print("what is left of counters two seconds after their end:", counters)
assert counters == {"default": None, "files": 1, "database": 1}, "the behaviour has changed"
assert others == [None, None, None], others
PYTHON
