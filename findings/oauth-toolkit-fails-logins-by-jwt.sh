#!/usr/bin/env bash
# django-oauth-toolkit and django-axes: each request with a good JWT of SimpleJWT counts as a failed login.
#
# Guess: OAuth2TokenMiddleware looks a bearer token up, and leaves one that is not its own to the view; axes counts
# wrong passwords.
# Seen: the middleware calls Django's `authenticate()` for any bearer token. Where no backend knows it, Django sends
# `user_login_failed`, and axes takes that for a failure from this address, without a name. The first two requests of an
# app are answered as usual. The third is answered 429 "Account locked", although the view has done its work, and then
# nobody gets in from that address by a password: here the right one is refused with 401.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-oauth-toolkit==3.4.1 django-axes==8.3.1
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework",
        "oauth2_provider", "axes",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "oauth2_provider.middleware.OAuth2TokenMiddleware",
        "axes.middleware.AxesMiddleware",
    ],
    AUTHENTICATION_BACKENDS=[
        "axes.backends.AxesStandaloneBackend", "oauth2_provider.backends.OAuth2Backend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
logging.disable()

from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import TokenObtainPairView

served = []


@api_view()
@authentication_classes([JWTAuthentication])
def me(request):
    served.append(str(request.user))
    return Response(str(request.user))


urlpatterns = [path("token", TokenObtainPairView.as_view()), path("me", me)]
call_command("migrate", verbosity=0)
person = {"username": "alice", "password": "correct horse battery 9"}
User.objects.create_user(**person)
app = Client()
token = app.post("/token", person).json()["access"]
answers = [app.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code for _ in range(4)]
counted = list(AccessAttempt.objects.values_list("username", "failures_since_start"))
login = Client().post("/token", person).status_code
packages = ("django-oauth-toolkit", "django-axes", "djangorestframework-simplejwt")
print("Django", django.__version__, *(f"{name} {version(name)}" for name in packages))
print("requests with a good token:", *answers, "- served by the view:", len(served))
print("failures by name:", counted, "- the right password:", login)
assert answers == [200, 200, 429, 429] and served == ["alice"] * 4, "the behaviour has changed"
assert counted == [(None, 4)] and login == 401, "the behaviour has changed"
print("As seen: good tokens lock their address.")
PYTHON
