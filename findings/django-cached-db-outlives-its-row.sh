#!/usr/bin/env bash
# Django's `cached_db` sessions: deleting the row from `django_session` signs nobody out.
#
# Guess: the database decides, and the cache only saves a query, so `Session.objects.filter(…).delete()` (or the
# admin's delete action) ends the session.
# Seen: the copy in the cache goes on signing in, until it expires there. The first request that changes the session
# is answered 400 ("Bad Request"), since the row to update is gone, and the next one is signed in again.
# `SessionStore(session_key).delete()` removes both.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
"$folder/venv/bin/python" - <<'PYTHON'
import logging

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cached_db",
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.contrib.sessions.backends.cached_db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client


def read(request):
    return HttpResponse(str(request.user))


def write(request):
    request.session["seen"] = True
    return HttpResponse(str(request.user))


urlpatterns = [path("read", read), path("write", write)]
call_command("migrate", verbosity=0)
print("Django", django.get_version())
client = Client()
client.force_login(User.objects.create_user("alice"))
key = client.session.session_key
Session.objects.all().delete()
after = client.get("/read").content.decode()
changed = client.get("/write").status_code
again = client.get("/read").content.decode()
SessionStore(key).delete()
ended = client.get("/read").content.decode()
print(f"row deleted: {after}; a request that changes the session: {changed}; then: {again}")
print(f"after SessionStore(key).delete(): {ended}")
assert (after, changed, again, ended) == ("alice", 400, "alice", "AnonymousUser"), "the behaviour has changed"
PYTHON
