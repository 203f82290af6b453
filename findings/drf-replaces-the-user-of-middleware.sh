#!/usr/bin/env bash
# Django REST framework: after a view, middleware no longer sees who is signed in by the cookie.
#
# Guess: `request.user` in middleware is the user of the session cookie, before and after the view; what a view of DRF
# finds out stays in DRF's own request.
# Seen: with the answer of a view whose classes accept no cookie (JWT only), middleware sees AnonymousUser, although the
# same request came in as the user of the cookie. DRF writes its result into Django's request as well. So a middleware
# that logs who did what, or renews a session for who is signed in, behaves differently for pages and for DRF views.
# With `UNAUTHENTICATED_USER = None`, as DRF's documentation has it for projects without django.contrib.auth, it is None,
# and `request.user.is_authenticated` raises there.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.0 \
    djangorestframework-simplejwt==5.5.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.who",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    },
)
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

seen = []


def who(get_response):
    def middleware(request):
        before = str(request.user)
        response = get_response(request)
        seen.append((before, str(request.user)))
        return response

    return middleware


class Prices(APIView):
    def get(self, request):
        return Response([])


urlpatterns = [path("page", lambda request: HttpResponse()), path("prices", Prices.as_view())]
call_command("migrate", verbosity=0)
browser = Client()
browser.force_login(get_user_model().objects.create_user("alice"))
browser.get("/page")
browser.get("/prices")
with override_settings(REST_FRAMEWORK={**settings.REST_FRAMEWORK, "UNAUTHENTICATED_USER": None}):
    browser.get("/prices")
print("Django", django.__version__, "djangorestframework", version("djangorestframework"))
for name, (before, after) in zip(["a page", "a view of DRF", "without a user for nobody"], seen):
    print(f"{name}: {before} before, {after} after")
assert seen == [("alice", "alice"), ("alice", "AnonymousUser"), ("alice", "None")], seen
print("As seen: who is signed in is lost to middleware behind a view of DRF.")
PYTHON
