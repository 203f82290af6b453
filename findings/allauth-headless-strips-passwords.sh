#!/usr/bin/env bash
# django-allauth: the endpoints for apps strip blanks off a password, the pages do not.
#
# Guess: both doors of one package take the same password.
# Seen: the form of the sign-up page keeps the blank at either end of a password, the input of `auth/signup` and
# `auth/login` drops it. So somebody who signed up on the page with a blank at the end cannot sign in by the app,
# and the other way round. OWASP ASVS 5.0 6.2.9 asks for passwords exactly as they were typed.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 'django-allauth[headless]==65.22.1'
"$folder/venv/bin/python" - <<'PYTHON'
import logging

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
        "allauth", "allauth.account", "allauth.headless",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    ACCOUNT_LOGIN_METHODS={"email"},
    ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
    LOGIN_REDIRECT_URL="/",
)
django.setup()
logging.disable()

from importlib.metadata import version

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import include, path

urlpatterns = [path("accounts/", include("allauth.urls")), path("_allauth/", include("allauth.headless.urls"))]
call_command("migrate", verbosity=0)
PASSWORD = "correct horse battery 9 "
print("django-allauth", version("django-allauth"))
Client().post("/accounts/signup/", {"email": "page@example.org", "password1": PASSWORD})
app = {"email": "app@example.org", "password": PASSWORD}
Client().post("/_allauth/app/v1/auth/signup", app, content_type="application/json")
kept = {user.email: user.check_password(PASSWORD) for user in User.objects.all()}
login = Client().post(
    "/_allauth/app/v1/auth/login", {**app, "email": "page@example.org"}, content_type="application/json"
).status_code
print("the blank at the end was kept:", kept)
print("signed up on the page, signs in by the app with the same password:", login)
assert kept == {"page@example.org": True, "app@example.org": False} and login == 400, "the behaviour has changed"
PYTHON
