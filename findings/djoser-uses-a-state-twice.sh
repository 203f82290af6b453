#!/usr/bin/env bash
# djoser with social-auth-core 6: a login with another site fails if the client sends `state` in the query.
#
# Guess: `POST /o/github/?state=…&code=…` signs in, as djoser's view takes it and as it did for years; djoser 2.3.5 asks
# for `social-auth-app-django` without an upper bound.
# Seen: djoser looks at a `state` in the query by `validate_state()`, and social-auth then calls it again. Since a state
# is consumed by that, the second call finds none: 400 "The authentication session is unavailable". The same request
# with `state` and `code` in the form succeeds, since djoser looks at the query alone.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.0 \
    djangorestframework-simplejwt==5.5.1 djoser==2.3.5 social-auth-app-django==7.2.0 social-auth-core==6.2.0
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
from django.conf import settings

BACK = "https://shop.example.org/callback"
settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework",
        "social_django", "djoser",
    ],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    AUTHENTICATION_BACKENDS=["social_core.backends.github.GithubOAuth2", "django.contrib.auth.backends.ModelBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DJOSER={"TOKEN_MODEL": None, "SOCIAL_AUTH_ALLOWED_REDIRECT_URIS": [BACK]},
    SIMPLE_JWT={"SIGNING_KEY": "a signing key for this script, of no use elsewhere"},
)
django.setup()
logging.disable()

from urllib.parse import parse_qs, urlencode, urlsplit

from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from social_core.backends.github import GithubOAuth2

# What GitHub would say; there is no network here.
GithubOAuth2.request_access_token = lambda *args, **kwargs: {"access_token": "x"}
GithubOAuth2.user_data = lambda *args, **kwargs: {"id": 7, "login": "alice", "email": "alice@example.org"}
urlpatterns = [path("", include("djoser.social.urls"))]
call_command("migrate", verbosity=0)


def sign_in(*, in_query):
    browser = Client()
    url = browser.get("/o/github/", {"redirect_uri": BACK}).json()["authorization_url"]
    sent = {"state": parse_qs(urlsplit(url).query)["state"][0], "code": "x"}
    if in_query:
        answer = browser.post(f"/o/github/?{urlencode(sent)}", content_type="application/x-www-form-urlencoded")
    else:
        answer = browser.post("/o/github/", sent)
    print("in the query:" if in_query else "in the form: ", answer.status_code, list(answer.json()))
    return answer


print("djoser", version("djoser"), "social-auth-core", version("social-auth-core"))
query, form = sign_in(in_query=True), sign_in(in_query=False)
assert query.status_code == 400 and "unavailable" in query.json()["non_field_errors"][0], query.content
assert form.status_code == 201, form.content
print("As seen: only the form signs in.")
PYTHON
