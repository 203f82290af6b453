#!/usr/bin/env bash
# allauth headless: what refuses to sign somebody in reaches an app at its login, and is dropped when it signs up.
#
# Guess: an answer that the adapter's `login()` raises as `ImmediateHttpResponse` (an account that waits for approval, too
# many sessions) is what the app gets, by whichever door somebody is signed in.
# Seen: `POST auth/login` answers as raised. `POST auth/signup` with the same adapter swallows it and answers 401 with the
# flows of somebody who is not signed in: login, signup and so on. The account exists by then, so that signing up again
# fails for another reason. Nothing tells the app why.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 'django-allauth[headless]==65.22.1'
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

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
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ACCOUNT_ADAPTER=f"{__name__}.Closed",
    ACCOUNT_EMAIL_VERIFICATION="none",
    HEADLESS_ONLY=True,
    HEADLESS_CLIENTS=("app",),
)


class Closed:
    """Stands in until the apps are loaded."""


django.setup()

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.internal.restkit.response import APIResponse
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import include, path


class Closed(DefaultAccountAdapter):
    def login(self, request, user):
        raise ImmediateHttpResponse(APIResponse(request, errors=[{"code": "awaits_approval"}], status=403))


urlpatterns = [path("_allauth/", include("allauth.headless.urls"))]
call_command("migrate", verbosity=0)
people = get_user_model().objects
people.create_user("alice", password="a long password of alice")


def post(door, name):
    said = {"username": name, "password": f"a long password of {name}"}
    answer = Client().post(f"/_allauth/app/v1/auth/{door}", said, content_type="application/json")
    print(f"{door}: {answer.status_code}", [error["code"] for error in answer.json().get("errors", [])])
    return answer


print("django-allauth", version("django-allauth"))
login, signup, again = post("login", "alice"), post("signup", "bob"), post("signup", "bob")
assert login.status_code == 403 and login.json()["errors"] == [{"code": "awaits_approval"}], login.content
assert signup.status_code == 401 and "errors" not in signup.json() and signup.json()["data"]["flows"], signup.content
assert people.filter(username="bob").exists() and again.status_code == 400, again.content
print("As seen: the app that signed up is not told why it is not signed in.")
PYTHON
