#!/usr/bin/env bash
# SimpleJWT: the refresh token of somebody whose account was deleted is answered 500, and verified as valid.
#
# Guess: TokenRefreshView refuses it, 401, as JWTAuthentication refuses the access token (`user_not_found`); so the app
# of a person who has left signs them out.
# Seen: the serializer looks the user up and lets DoesNotExist through: 500 at each try, until the token expires. Apps
# that keep their tokens while a server has trouble do not sign out, and each try is an error in the log. TokenVerifyView
# finds the token good, 200. Here the blacklist is installed; without it, it is the same.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 djangorestframework==3.18.3 djangorestframework-simplejwt==5.5.1
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
        "django.contrib.contenttypes", "django.contrib.auth", "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView, TokenVerifyView


@api_view()
@authentication_classes([JWTAuthentication])
def me(request):
    return Response(str(request.user))


urlpatterns = [
    path("token", TokenObtainPairView.as_view()),
    path("refresh", TokenRefreshView.as_view()),
    path("verify", TokenVerifyView.as_view()),
    path("me", me),
]
call_command("migrate", verbosity=0)
person = {"username": "alice", "password": "correct horse battery 9"}
User.objects.create_user(**person)
client = Client(raise_request_exception=False)
tokens = client.post("/token", person).json()


def seen():
    return {
        "access token": client.get("/me", headers={"Authorization": f"Bearer {tokens['access']}"}).status_code,
        "refresh": client.post("/refresh", {"refresh": tokens["refresh"]}).status_code,
        "verify": client.post("/verify", {"token": tokens["refresh"]}).status_code,
    }


before = seen()
User.objects.get().delete()
after = seen()
print("djangorestframework-simplejwt", version("djangorestframework-simplejwt"), "Django", django.__version__)
print("before:", before)
print("after the account was deleted:", after)
assert set(before.values()) == {200}, before
assert after == {"access token": 401, "refresh": 500, "verify": 200}, "the behaviour has changed"
PYTHON
