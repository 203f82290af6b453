#!/usr/bin/env bash
# Django: while the cache does not answer, `cached_db` fails for sessions that its database has, and `cache` signs out.
#
# Guess: `cached_db` writes each session to the database, too, so that pages are only slower without the cache; its save()
# catches and logs what the cache raises. `cache` has nothing else, so its pages fail until the cache is back.
# Seen: the other way round. load() of `cached_db` catches what reading from the cache raises, asks the database, and then
# writes the session back to the cache without catching anything: each page of a person who is signed in is a 500. load()
# of `cache` takes an error for a session that is not there: the page is 200 for nobody, its answer deletes the cookie, and
# the person stays signed out when the cache is back with the session in it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 redis==8.1.0
cat > "$folder/seen.py" <<'PYTHON'
import logging
import sys

import django
from django.conf import settings

# At port 1 nothing listens.
ENGINE = sys.argv[1]
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={"default": MEMORY, "redis": REDIS},
    SESSION_ENGINE=f"django.contrib.sessions.backends.{ENGINE}",
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(request.user.get_username() or "nobody"))]
call_command("migrate", verbosity=0)
browser = Client(raise_request_exception=False)
browser.force_login(User.objects.create_user("alice"))


def page():
    answer = browser.get("/")
    text = answer.content.decode() if answer.status_code == 200 else ""
    deletes = "sessionid" in answer.cookies and answer.cookies["sessionid"]["max-age"] == 0
    return answer.status_code, text, "cookie deleted" if deletes else "cookie kept"


seen = [page()]
with override_settings(SESSION_CACHE_ALIAS="redis"):
    seen.append(page())
seen.append(page()[:2])
print(f"Django {django.__version__}, {ENGINE}: with the cache, without it, with it again")
for each in seen:
    print("  ", *each)
expected = {
    "cached_db": [(200, "alice", "cookie kept"), (500, "", "cookie kept"), (200, "alice")],
    "cache": [(200, "alice", "cookie kept"), (200, "nobody", "cookie deleted"), (200, "nobody")],
}
assert seen == expected[ENGINE], "the behaviour has changed"
PYTHON
for engine in cached_db cache; do "$folder/venv/bin/python" "$folder/seen.py" $engine; done
echo "As seen: without its cache cached_db fails, and cache signs people out for good."
