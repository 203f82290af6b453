#!/usr/bin/env bash
# Sentry: of an error during a login it scrubs the password from the body of the request, and sends it among the local
# variables; the refresh token of an error during a refresh is in both.
#
# Guess: with its defaults (`send_default_pii=False`, an EventScrubber that knows `password` and `token`), Sentry sends no
# password and no token of an error in a serializer.
# Seen: the scrubber looks at the names of local variables, and not into them, as `recursive` is off: `attrs` and `data` of
# a serializer have the password as it was typed, while the same key of the body is [Filtered]. The field of SimpleJWT's
# refresh is `refresh`, which is on no list: the token, good for weeks, is in the body, too.
# `include_local_variables=False` and `max_request_body_size="never"` send neither.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 djangorestframework==3.18.3 djangorestframework-simplejwt==5.5.1 sentry-sdk==2.75.0
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
import sentry_sdk
from django.conf import settings
from sentry_sdk.transport import Transport

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

events = []


class Local(Transport):
    """Keeps what would be sent."""

    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.type == "event")


class Login(TokenObtainPairSerializer):
    def validate(self, attrs):
        answer = super().validate(attrs)
        return {**answer, "plan": self.user.plan}  # the mistake: there is no such field


class Refresh(TokenRefreshSerializer):
    def validate(self, attrs):
        answer = super().validate(attrs)
        return {**answer, "plan": answer["plan"]}  # the same


urlpatterns = [
    path("good", TokenObtainPairView.as_view()),
    path("login", TokenObtainPairView.as_view(serializer_class=Login)),
    path("refresh", TokenRefreshView.as_view(serializer_class=Refresh)),
]
call_command("migrate", verbosity=0)
person = {"username": "alice", "password": "correct horse battery 9"}
User.objects.create_user(**person)
client = Client(raise_request_exception=False)
token = client.post("/good", person).json()["refresh"]


def places(secret):
    """Where the events have it."""
    found = set()
    for event in events:
        if secret in str(event["request"].get("data")):
            found.add("body")
        for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]:
            found |= {"variables" for value in frame.get("vars", {}).values() if secret in str(value)}
    return sorted(found)


def seen(**options):
    sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Local, **options)
    events.clear()
    for path_, body in (("/login", person), ("/refresh", {"refresh": token})):
        answer = client.post(path_, body, content_type="application/json")
        assert answer.status_code == 500, answer
    assert len(events) == 2, len(events)
    return {"password": places(person["password"]), "refresh token": places(token)}


print("sentry-sdk", version("sentry-sdk"), "djangorestframework-simplejwt", version("djangorestframework-simplejwt"))
default = seen()
print("by default:", default)
told = seen(include_local_variables=False, max_request_body_size="never")
print("without variables and bodies:", told)
assert default == {"password": ["variables"], "refresh token": ["body", "variables"]}, "the behaviour has changed"
assert told == {"password": [], "refresh token": []}, "the behaviour has changed"
PYTHON
