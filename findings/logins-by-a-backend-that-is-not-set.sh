#!/usr/bin/env bash
# Django: a login by a backend that AUTHENTICATION_BACKENDS does not have succeeds, and signs in nobody.
#
# Guess: `login(request, user, backend=...)` refuses a backend that is not in AUTHENTICATION_BACKENDS, or a check does.
# Seen: it stores the name, sends `user_logged_in` and the cookie, and writes `last_login`. From the next request on the
# person is anonymous, and nothing says why. Code that names `django.contrib.auth.backends.ModelBackend` does so once
# another backend has taken its place, for LDAP or to limit guesses. Packages name it, too: a link of
# django-request-token 2.3.1 that is to sign in works for one request (so does `login_user` of django-user-accounts 3.3.2,
# by its source).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 PyJWT==2.9.0 \
    django-request-token==2.3.1
cd "$folder"
cat > shop.py <<'PYTHON'
from django.contrib.auth.backends import ModelBackend


class Careful(ModelBackend):
    """Takes the place of Django's."""
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import django
from django.conf import settings

sys.path.insert(0, "")
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "request_token",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "request_token.middleware.RequestTokenMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    AUTHENTICATION_BACKENDS=["shop.Careful"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import login, user_logged_in
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from request_token.decorators import use_request_token
from request_token.models import RequestToken


def who(request):
    return HttpResponse(str(request.user))


def enter(request):
    user = User.objects.get()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return who(request)


urlpatterns = [
    path("who", who),
    path("enter", enter),
    path("link", use_request_token(scope="link", required=False)(who)),
]
print("Django", django.__version__, "django-request-token", version("django-request-token"))
call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice")
token = RequestToken.objects.create_token(scope="link", login_mode=RequestToken.LOGIN_MODE_SESSION, user=alice)
heard = []
user_logged_in.connect(lambda user, **kwargs: heard.append(str(user)), weak=False)
assert run_checks() == [], run_checks()

seen = []
for name, url in {"login()": "/enter", "a link of django-request-token": f"/link?rt={token.jwt()}"}.items():
    browser = Client()
    answers = [browser.get(url), browser.get("/who")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "sessionid" in browser.cookies
    said = [answer.content.decode() for answer in answers]
    print(f"{name}: {said[0]} at once, then {said[1]}")
    seen.append(said)
print("told of", len(heard), "logins; the checks report nothing")
assert seen == [["alice", "AnonymousUser"]] * 2, "the behaviour has changed"
assert heard == ["alice", "alice"], "the behaviour has changed"
print("As seen: both logins succeed, and sign in nobody.")
PYTHON
