#!/usr/bin/env bash
# Django's AsyncClient ignores the `headers` that it is made with, so a test that signs in with a token so is signed out.
#
# Guess: AsyncClient(headers={"Authorization": …}) sends the header with each request, as Client(headers=…) does.
# Seen (Django 5.2.19): Client sends it, AsyncClient does not. A request's own `headers` are sent by both. The defaults
# of the client have WSGI's names, and the scope of ASGI is made without them.
#
# Needs Python 3.11 or newer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import django
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path


def say(request):
    return HttpResponse(request.headers.get("Authorization", "no header"))


urlpatterns = [path("", say)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of no use elsewhere")
django.setup()
sent = {"Authorization": "Bearer token"}
seen = {
    "Client(headers=…).get()": Client(headers=sent).get("/"),
    "AsyncClient(headers=…).get()": asyncio.run(AsyncClient(headers=sent).get("/")),
    "AsyncClient().get(headers=…)": asyncio.run(AsyncClient().get("/", headers=sent)),
}
print("Django", django.__version__)
for name, answer in seen.items():
    print(f"{name}: {answer.content.decode()}")
found = [answer.content.decode() for answer in seen.values()]
assert found == ["Bearer token", "no header", "Bearer token"], "the behaviour has changed"
PYTHON
