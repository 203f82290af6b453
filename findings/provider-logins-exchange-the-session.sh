#!/usr/bin/env bash
# allauth, mozilla-django-oidc: during a login with a provider, `request.session` becomes another object.
#
# Guess: the session that SessionMiddleware gave the request is the same object until the answer. So middleware may keep
# it, and a receiver of `user_logged_in` may compare `request.session` with it, to tell a browser's login from an app's.
# Seen: that holds for a login by a form. Both packages save the session in the callback of a provider, and put a new
# one with the same key in its place. What middleware writes into the one that it has kept is lost without an error, and
# for that one nobody is signed in. allauth 65.22.1 does so; 65.21.0 does not.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 'django-allauth[socialaccount]==65.22.1' mozilla-django-oidc==5.0.2
cat > "$folder/seen.py" <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

OP = "https://provider.example.org"
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
        "allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.dummy",
        "mozilla_django_oidc",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        f"{__name__}.keep",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", f"{__name__}.Backend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGIN_REDIRECT_URL="/",
    ACCOUNT_EMAIL_VERIFICATION="none",
    SOCIALACCOUNT_LOGIN_ON_GET=True,
    OIDC_RP_CLIENT_ID="shop",
    OIDC_RP_CLIENT_SECRET="a secret of no use elsewhere",
    OIDC_RP_SIGN_ALGO="HS256",
    OIDC_OP_AUTHORIZATION_ENDPOINT=f"{OP}/authorize",
    OIDC_OP_TOKEN_ENDPOINT=f"{OP}/token",
    OIDC_OP_USER_ENDPOINT=f"{OP}/me",
)


def keep(get_response):
    """Middleware that counts the answers of a session in the session itself."""

    def middleware(request):
        session = request.session
        response = get_response(request)
        session["answers"] = session.get("answers", 0) + 1
        kept.append({"same object": session is request.session, "signed in": "_auth_user_id" in session})
        return response

    return middleware


kept = []
django.setup()

from urllib.parse import parse_qs, urlsplit

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Backend(OIDCAuthenticationBackend):
    """What the provider would say; there is no network here."""

    def get_token(self, payload):
        return {"id_token": "x", "access_token": "x"}

    def verify_token(self, token, **kwargs):
        return {"sub": "8"}

    def get_userinfo(self, *args):
        return {"email": "carol@example.org"}


urlpatterns = [
    path("form", LoginView.as_view()),
    path("accounts/", include("allauth.urls")),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="correct horse battery 9")


def form(browser):
    return browser.post("/form", {"username": "alice", "password": "correct horse battery 9"})


def allauth(browser):
    # Its provider for tests: the form stands for what a provider says of somebody.
    callback = browser.get("/accounts/dummy/login/")["Location"]
    return browser.post(callback, {"id": "7", "username": "bob", "email": "bob@example.org"})


def mozilla(browser):
    asked = urlsplit(browser.get("/oidc/authenticate/")["Location"]).query
    return browser.get("/oidc/callback/", {"state": parse_qs(asked)["state"][0], "code": "x"})


def seen(login):
    browser = Client()
    before = len(kept)
    assert login(browser).status_code == 302 and "_auth_user_id" in browser.session
    missing = len(kept) - before - browser.session.get("answers", 0)
    print(f"{login.__name__}: {kept[-1]}, answers that were not counted: {missing}")
    return kept[-1] == {"same object": True, "signed in": True}, missing


print("Django", django.__version__, *(f"{name} {version(name)}" for name in ("django-allauth", "mozilla-django-oidc")))
known = {login.__name__: seen(login) for login in (form, allauth, mozilla)}
was = (True, 0)
assert known["form"] == was, known
assert known["mozilla"][0] is False and known["mozilla"][1] > 0, known
if version("django-allauth") == "65.21.0":
    assert known["allauth"] == was, known
else:
    assert known["allauth"][0] is False and known["allauth"][1] > 0, known
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'django-allauth[socialaccount]==65.21.0'
"$folder/venv/bin/python" "$folder/seen.py"
echo "As seen: the session of a login with a provider is another object."
