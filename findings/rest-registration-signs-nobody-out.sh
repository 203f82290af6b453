#!/usr/bin/env bash
# django-rest-registration beside SimpleJWT: its login and its logout answer 200, and do nothing.
#
# Guess: the logout of a package for accounts ends what its users sign in with, or refuses what it cannot end.
# Seen: with SimpleJWT's authentication as the only class, the login answers "Login successful" with neither a token nor a
# cookie, and sends `user_logged_in`. The logout takes the access token, answers "Logout successful", and both tokens go on:
# it ends Django's session where SessionAuthentication is among the default classes, and authtoken's token where
# `revoke_token` is sent. A front end that trusts the 200 shows people that they are signed out.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-rest-registration==0.9.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework",
        "rest_framework_simplejwt.token_blacklist", "rest_registration",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    },
    REST_REGISTRATION={
        "REGISTER_VERIFICATION_ENABLED": False,
        "REGISTER_EMAIL_VERIFICATION_ENABLED": False,
        "RESET_PASSWORD_VERIFICATION_ENABLED": False,
    },
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import user_logged_in
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

urlpatterns = [
    path("accounts/", include("rest_registration.api.urls")),
    path("token/", TokenObtainPairView.as_view()),
    path("refresh/", TokenRefreshView.as_view()),
]
print("Django", django.__version__, "django-rest-registration", version("django-rest-registration"))
call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="secret")
assert run_checks() == [], run_checks()
heard = []
user_logged_in.connect(lambda user, **kwargs: heard.append(user), weak=False)

app = Client()
answer = app.post("/accounts/login/", {"login": "alice", "password": "secret"})
print("login: ", answer.status_code, answer.json(), "cookies:", len(app.cookies))
assert (answer.status_code, answer.json()) == (200, {"detail": "Login successful"})
assert not app.cookies and len(heard) == 1, "the behaviour has changed"

tokens = app.post("/token/", {"username": "alice", "password": "secret"}).json()
bearer = {"authorization": f"Bearer {tokens['access']}"}
answer = app.post("/accounts/logout/", headers=bearer)
print("logout:", answer.status_code, answer.json())
assert (answer.status_code, answer.json()) == (200, {"detail": "Logout successful"})
after = [
    app.get("/accounts/profile/", headers=bearer).status_code,
    app.post("/refresh/", {"refresh": tokens["refresh"]}).status_code,
]
print("after that, the access token:", after[0], "and the refresh token:", after[1])
assert after == [200, 200], "the behaviour has changed"
print("As seen: a login that signs in nobody, and a logout after which both tokens go on.")
PYTHON
