#!/usr/bin/env bash
# django-axes and SimpleJWT: a login for tokens forgives no failures, with AXES_RESET_ON_SUCCESS, too.
#
# Guess: with AXES_RESET_ON_SUCCESS the right password clears the failures, at whichever door it is entered.
# Seen: axes clears them where `user_logged_in` is sent. Django's `login()` sends it, SimpleJWT's TokenObtainPairView
# does not, with UPDATE_LAST_LOGIN neither. So a person who only ever uses an app may mistype the password three times
# in all, in however many months: after the third it is refused, with the same 401 as a wrong one. Without
# AXES_COOLOFF_TIME, as by default, that stays so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-axes==8.3.1
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
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework", "axes",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "axes.middleware.AxesMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    LOGIN_REDIRECT_URL="/",
    AXES_LOCKOUT_PARAMETERS=["username"],
    AXES_RESET_ON_SUCCESS=True,
    SIMPLE_JWT={"UPDATE_LAST_LOGIN": True},
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView


class Page(LoginView):
    """A login by a form, whose page is of no matter here."""

    def render_to_response(self, *args, **kwargs):
        return HttpResponse("once more", status=401)


urlpatterns = [path("token", TokenObtainPairView.as_view()), path("page", Page.as_view())]
call_command("migrate", verbosity=0)


def at(door, name):
    """Mistype the password each time before it is entered as it is."""
    User.objects.create_user(name, password="correct horse battery 9")
    answers = []
    for _ in range(4):
        for password in ("wrong", "correct horse battery 9"):
            answers.append(Client().post(door, {"username": name, "password": password}).status_code)
    print(f"{door}, wrong and right in turn:", *answers)
    return answers


print("Django", django.__version__, "django-axes", version("django-axes"), end=" ")
print("djangorestframework-simplejwt", version("djangorestframework-simplejwt"))
page, token = at("/page", "alice"), at("/token", "bob")
assert page == [401, 302] * 4, "the behaviour has changed"
assert token == [401, 200, 401, 200, 401, 401, 401, 401], "the behaviour has changed"
print("As seen: only the page forgives.")
PYTHON
