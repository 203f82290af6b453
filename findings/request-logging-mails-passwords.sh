#!/usr/bin/env bash
# django-request-logging: a mistyped password is mailed to ADMINS, in four e-mails.
#
# Guess: it is for development. It logs bodies with DEBUG, which nobody has on in production, and hides what is secret.
# Seen: the headers and the body of each request that is answered 4xx it logs as errors, for its logger is
# "django.request". With Django's own LOGGING that one mails errors to ADMINS where DEBUG is off. So each login that is
# refused sends them four e-mails, and one has the body with the password. Of the headers only Authorization is hidden:
# another e-mail has the cookies. DJANGO_REQUEST_LOGGING_LOG_BODY_DEFAULT_VALUE and REQUEST_LOGGING_SENSITIVE_HEADERS
# change that.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-request-logging==0.7.5
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ADMINS=[("Ann", "ann@example.org")],
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    MIDDLEWARE=["request_logging.middleware.LoggingMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

urlpatterns = [path("token", TokenObtainPairView.as_view())]
call_command("migrate", verbosity=0)
mail.outbox = []

print("Django", django.__version__, "django-request-logging", version("django-request-logging"))
client = Client()
client.cookies["device"] = "of-alice"
typed = {"username": "alice", "password": "correct horse batery 9"}
answer = client.post("/token", typed, content_type="application/json")
print("the answer:", answer.status_code)
bodies = [each.body for each in mail.outbox]
print("e-mails to ADMINS:", len(bodies))
for body in bodies:
    print(" ", body.splitlines()[0][:120])
assert answer.status_code == 401, "the behaviour has changed"
assert len(bodies) == 4, "the behaviour has changed"
assert sum("correct horse batery 9" in body.splitlines()[0] for body in bodies) == 1, "the behaviour has changed"
assert any("device=of-alice" in body.splitlines()[0] for body in bodies), "the behaviour has changed"
print("As seen: the password is in one of them.")
PYTHON
