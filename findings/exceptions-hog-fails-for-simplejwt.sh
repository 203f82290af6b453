#!/usr/bin/env bash
# drf-exceptions-hog: beside SimpleJWT, each token that is refused is answered 500.
#
# Guess: a token that has expired is answered 401 in drf-exceptions-hog's form, with SimpleJWT's code `token_not_valid`.
# Seen: SimpleJWT's errors say a dictionary of text and code. drf-exceptions-hog takes the parts of an error for fields only
# if it is a ValidationError; of this one it reads `detail[0]`, and raises KeyError. So 500 is the answer to an invalid
# token, to one of somebody who is gone, and to a refresh token that has expired: a client that refreshes at 401 never does. A
# request without a token is answered 401.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 drf-exceptions-hog==0.4.0
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={
        "EXCEPTION_HANDLER": "exceptions_hog.exception_handler",
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)
django.setup()
logging.disable(logging.CRITICAL)

from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenRefreshView


class View(APIView):
    def get(self, request):
        return Response({})


urlpatterns = [path("view", View.as_view()), path("refresh", TokenRefreshView.as_view())]
print(*(f"{name} {version(name)}" for name in ("djangorestframework-simplejwt", "drf-exceptions-hog")))
client = Client(raise_request_exception=False)
seen = {
    "no token": client.get("/view").status_code,
    "an invalid token": client.get("/view", headers={"authorization": "Bearer invalid"}).status_code,
    "an invalid refresh token": client.post("/refresh", {"refresh": "invalid"}).status_code,
}
for what, status in seen.items():
    print(f"{what}: {status}")
assert list(seen.values()) == [401, 500, 500], "the behaviour has changed"
print("As seen: a refused token is a 500.")
PYTHON
