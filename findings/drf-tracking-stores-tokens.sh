#!/usr/bin/env bash
# drf-api-tracking: it hides the password of a login, and stores the tokens of its answer as they are.
#
# Guess: fields that it hides, `token` and those in `sensitive_fields`, are hidden in requests and in answers alike.
# Seen: it cleans what was sent, which is a dictionary. The answer it takes as the text that was rendered, in which it
# finds no fields: APIRequestLog.response has the access and the refresh token, also where `sensitive_fields` names both.
# Of the request it stores the code of a second factor, unless `sensitive_fields` names that.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 drf-api-tracking==1.8.4
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "rest_framework_tracking",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView
from rest_framework_tracking.mixins import LoggingMixin
from rest_framework_tracking.models import APIRequestLog


class Login(LoggingMixin, TokenObtainPairView):
    sensitive_fields = {"access", "refresh"}


urlpatterns = [path("token", Login.as_view())]
call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="correct horse battery 9")

print("djangorestframework", version("djangorestframework"), "drf-api-tracking", version("drf-api-tracking"))
typed = {"username": "alice", "password": "correct horse battery 9", "otp": "123456"}
tokens = Client().post("/token", typed, content_type="application/json").json()
stored = APIRequestLog.objects.get()
print("what was sent:", stored.data)
print("the answer:", stored.response[:60], "…")
hidden = "correct horse battery 9" not in str(stored.data)
tokens_stored = tokens["access"] in stored.response and tokens["refresh"] in stored.response
print("password hidden:", hidden, "tokens stored:", tokens_stored, "code stored:", "123456" in str(stored.data))
assert hidden and tokens_stored and "123456" in str(stored.data), "the behaviour has changed"
print("As seen: the tokens are stored.")
PYTHON
