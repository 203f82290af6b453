#!/usr/bin/env bash
# Django, SimpleJWT: a login that merely hashes the password anew signs out everywhere else.
#
# Guess: sessions end when the password changes. That Django hashes the same password with more iterations, as it does at
# the first login after each of its releases, or with a new first entry of PASSWORD_HASHERS, changes nothing for them.
# Seen: the hash of a session is made of the stored hash, not of the password. So after an upgrade each person's first
# login ends all their other sessions, and with CHECK_REVOKE_TOKEN SimpleJWT refuses all their other access tokens: "The
# user's password has been changed."
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 djangorestframework==3.18.3 djangorestframework-simplejwt==5.5.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SIMPLE_JWT={"CHECK_REVOKE_TOKEN": True},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"]
    },
)
django.setup()

from django.contrib.auth import authenticate, hashers, login
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenObtainPairView

PERSON = {"username": "alice", "password": "correct horse battery 9"}


def sign_in(request):
    login(request, authenticate(request, **PERSON))
    return HttpResponse()


@api_view()
def api(request):
    return Response(str(request.user))


urlpatterns = [
    path("login", sign_in),
    path("page", lambda request: HttpResponse(str(request.user))),
    path("token", TokenObtainPairView.as_view()),
    path("api", api),
]
call_command("migrate", verbosity=0)
User.objects.create_user(**PERSON)
print(*(f"{name} {version(name)}" for name in ("Django", "djangorestframework-simplejwt")))
phone, laptop = Client(), Client()
phone.get("/login")
bearer = {"Authorization": f"Bearer {phone.post('/token', PERSON).json()['access']}"}


def seen():
    return phone.get("/page").content.decode(), phone.get("/api", headers=bearer).status_code


laptop.get("/login")
before = seen()
hashers.PBKDF2PasswordHasher.iterations += 200_000  # as another release of Django has it
laptop.get("/login")
after = seen()
print(f"the phone after a login elsewhere: {before}; after one that hashed the password anew: {after}")
assert (before, after) == (("alice", 200), ("AnonymousUser", 401)), "the behaviour has changed"
PYTHON
