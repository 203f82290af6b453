#!/usr/bin/env bash
# Django REST framework's APIClient sends the token of `credentials()` also where a request names another one.
#
# Guess: as with Django's Client, headers of the client are defaults, and a request's own header is sent in their place.
# Seen: after `client.credentials(HTTP_AUTHORIZATION="Bearer alice")`, `client.get("/", headers={"Authorization": "Bearer
# bob"})` is alice's request, without an error. A test that a second person, an old token or a forged one is refused asks
# with the good token. `APIClient(headers=…)` gives way to the request, and `logout()` leaves it, while it clears what
# `credentials()` set.
#
# Needs Python 3.11 or newer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3
"$folder/venv/bin/python" - <<'PYTHON'
import django
import rest_framework
from django.conf import settings
from django.http import HttpResponse
from django.urls import path


def say(request):
    return HttpResponse(request.headers.get("Authorization", "no header"))


urlpatterns = [path("", say)]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of no use elsewhere",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()

from rest_framework.test import APIClient

alice, bob = "Bearer alice", "Bearer bob"
by_credentials, by_headers = APIClient(), APIClient(headers={"Authorization": alice})
by_credentials.credentials(HTTP_AUTHORIZATION=alice)
found = {}
for name, client in {"credentials(alice)": by_credentials, "APIClient(headers=alice)": by_headers}.items():
    found[f"{name}, a request"] = client.get("/")
    found[f"{name}, a request with bob's token"] = client.get("/", headers={"Authorization": bob})
    client.logout()
    found[f"{name}, a request after logout()"] = client.get("/")
found = {name: answer.content.decode() for name, answer in found.items()}
print("Django", django.__version__, "djangorestframework", rest_framework.VERSION)
for name, header in found.items():
    print(f"{name}: {header}")
assert list(found.values()) == [alice, alice, "no header", alice, bob, alice], "the behaviour has changed"
print("As seen: the request of bob was alice's.")
PYTHON
