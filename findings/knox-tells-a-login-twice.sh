#!/usr/bin/env bash
# django-rest-knox: a login view as its documents have it sends `user_logged_in` twice.
#
# Guess: Django's `login()` sends the signal, once for each login.
# Seen: knox's LoginView sends it, too, so that a login by it alone is noticed. Its documents also have a view that calls
# `login(request, user)` first, for a password in the body: then receivers hear of two logins, of which the second comes
# with the key of the session that the first has just begun. Who counts logins, mails about them or stores a device for
# each does so twice.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    django-rest-knox==5.1.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework", "knox",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"]},
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import login, user_logged_in
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from knox.views import LoginView
from rest_framework.authentication import BasicAuthentication
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.permissions import AllowAny


class ByBody(LoginView):
    """The password is in the body."""

    permission_classes = [AllowAny]

    def post(self, request, format=None):
        serializer = AuthTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        login(request, serializer.validated_data["user"])
        return super().post(request, format=None)


class ByHeader(LoginView):
    """The password is in the header."""

    authentication_classes = [BasicAuthentication]


urlpatterns = [path("body", ByBody.as_view()), path("header", ByHeader.as_view())]
call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="secret")
heard = []
user_logged_in.connect(lambda request, **kwargs: heard.append(request.session.session_key), weak=False)

print("Django", django.__version__, "django-rest-knox", version("django-rest-knox"))
counts = []
for name, sent in {
    "header": {"headers": {"authorization": "Basic YWxpY2U6c2VjcmV0"}},
    "body": {"data": {"username": "alice", "password": "secret"}},
}.items():
    heard.clear()
    answer = Client().post(f"/{name}", **sent)
    assert answer.status_code == 200, answer.content
    print(f"password in the {name}: heard", len(heard), "times")
    counts.append(len(heard))
assert counts == [1, 2], "the behaviour has changed"
print("As seen: one login, told twice.")
PYTHON
