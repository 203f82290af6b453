#!/usr/bin/env bash
# dj-rest-auth: who signs in for tokens in the header gets no refresh token.
#
# Guess: with USE_JWT and no cookie configured, the answer to a login has both tokens in its body, as its serializer
# (`access`, `refresh`) and the documentation of the endpoint have it. JWT_AUTH_HTTPONLY is about cookies.
# Seen: JWT_AUTH_HTTPONLY is on by default and empties `refresh` in the body, whether or not JWT_AUTH_REFRESH_COOKIE
# names a cookie to put it in. Without one, the client is signed out when its first access token expires. The
# answer to a registration has the token all the same.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.0 \
    djangorestframework-simplejwt==5.5.1 dj-rest-auth==7.2.0
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
from django.conf import settings

OPTIONS = {"USE_JWT": True, "TOKEN_MODEL": None, "SESSION_LOGIN": False}
settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "dj_rest_auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_AUTH=OPTIONS,
)
django.setup()
logging.disable()

from dj_rest_auth.app_settings import api_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import include, path

urlpatterns = [path("auth/", include("dj_rest_auth.urls"))]
call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="correct horse battery 9")


def sign_in():
    answer = Client().post("/auth/login/", {"username": "alice", "password": "correct horse battery 9"})
    body = answer.json()
    print(answer.status_code, {"access": len(body["access"]), "refresh": len(body["refresh"])}, "characters;",
          "cookies:", list(answer.cookies))
    return body


print("dj-rest-auth", version("dj-rest-auth"), "djangorestframework-simplejwt", version("djangorestframework-simplejwt"))
by_default = sign_in()
api_settings.JWT_AUTH_HTTPONLY = False
switched_off = sign_in()
assert by_default["access"] and by_default["refresh"] == "", "the refresh token is in the answer now"
assert switched_off["refresh"]
print("As seen: without JWT_AUTH_HTTPONLY=False nobody gets the refresh token.")
PYTHON
