#!/usr/bin/env bash
# drf-problems: the code that an error of Django REST framework was given is lost.
#
# Guess: `type`, by which RFC 9457 has a client tell one problem from another, ends with the code of the error, as in
# `raise AuthenticationFailed("…", code="otp_required")`.
# Seen: it takes `exc.code`, which no error of Django REST framework has: its code is that of `exc.detail`. So `type` ends
# with the default of the class, `authentication_failed`, and the code is nowhere. Errors that have an attribute `code` of
# their own are the only ones whose code comes through.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 drf-problems==1.0.5
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "drf_problems"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"EXCEPTION_HANDLER": "drf_problems.exceptions.exception_handler"},
)
django.setup()

from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView


class Failing(APIView):
    permission_classes = []

    def get(self, request, kind):
        if kind == "login":
            raise AuthenticationFailed("A code is needed.", code="otp_required")
        raise ValidationError({"email": ["This address is taken."]}, code="email_taken")


urlpatterns = [
    path("problems/", include("drf_problems.urls")),
    path("fail/<kind>", Failing.as_view()),
    path("token", TokenObtainPairView.as_view()),
]
call_command("migrate", verbosity=0)

print("djangorestframework", version("djangorestframework"), "drf-problems", version("drf-problems"))
client = Client()
answers = [
    client.get("/fail/login"),
    client.get("/fail/field"),
    client.post("/token", {"username": "alice", "password": "x"}, content_type="application/json"),
]
for given, answer in zip(("otp_required", "email_taken", "no_active_account"), answers):
    print(f"{given}:", answer.status_code, answer.content.decode())
    assert given not in answer.content.decode(), "the behaviour has changed"
types = [answer.json()["type"].rstrip("/").rpartition("/")[2] for answer in answers]
assert types == ["authentication_failed", "invalid", "authentication_failed"], "the behaviour has changed"
print("As seen: no answer has the code.")
PYTHON
