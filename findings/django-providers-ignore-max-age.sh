#!/usr/bin/env bash
# django-oauth-toolkit and allauth as OpenID providers: `max_age` is ignored, and `auth_time` is that of another browser, or missing.
#
# Guess: where a client asks for `max_age`, the provider asks somebody anew whose sign-in is older, and the ID token says in
# `auth_time` when that was (OpenID Connect Core §3.1.2.1: REQUIRED with `max_age`).
# Seen: with `max_age=1`, a browser that signed in an hour ago is sent back at once with a code by both. The ID token of
# allauth.idp.oidc 65.22 has no `auth_time`. That of django-oauth-toolkit 3.4 has the user's `last_login`, which is the last one in
# any browser: here that of a phone just now. `prompt=login` is obeyed by both. So a client that wants a recent proof
# sends both parameters, and cannot take either provider's `auth_time` for that of this browser.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 django-oauth-toolkit==3.4.1 \
    "django-allauth[idp-oidc]==65.22.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

import django
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
        "oauth2_provider", "allauth", "allauth.account", "allauth.idp.oidc",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": key, "PKCE_REQUIRED": False, "SCOPES": {"openid": "openid"},
    },
    IDP_OIDC_PRIVATE_KEY=key,
)
django.setup()
from allauth.idp.oidc.models import Client as Registered
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from oauth2_provider.models import Application

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("toolkit/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("", include("allauth.idp.urls")),
]
call_command("migrate", verbosity=0)
for package in ("Django", "django-oauth-toolkit", "django-allauth"):
    print(package, version(package))

BACK, SECRET = "https://app.test/back", "a secret of the client, long enough"
Application.objects.create(
    client_id="app", client_secret=SECRET, client_type="confidential", authorization_grant_type="authorization-code",
    redirect_uris=BACK, algorithm="RS256", skip_authorization=True, name="app",
)
app = Registered(id="app", name="app", type="confidential", skip_consent=True)
app.set_secret(SECRET)
app.set_redirect_uris([BACK])
app.set_scopes(["openid"])
app.set_grant_types(["authorization_code"])
app.set_response_types(["code"])
app.save()

alice = get_user_model().objects.create_user("alice", password="correct horse battery 9")
browser = Client()
browser.force_login(alice)
# That was an hour ago. Since then she has signed in on her phone.
get_user_model().objects.update(last_login=timezone.now() - timedelta(hours=1))
phone = Client()
phone.force_login(alice)
alice.refresh_from_db()


def sign_in(authorize, token, **more):
    query = {"client_id": "app", "redirect_uri": BACK, "response_type": "code", "scope": "openid", "state": "s", **more}
    away = browser.get(authorize, query)["Location"]
    code = parse_qs(urlsplit(away).query).get("code") if away.startswith(BACK) else None
    if code is None:
        return "asks anew"
    grant = {
        "grant_type": "authorization_code", "code": code[0], "redirect_uri": BACK,
        "client_id": "app", "client_secret": SECRET,
    }
    given = browser.post(token, grant).json()["id_token"]
    said = jwt.decode(given, options={"verify_signature": False}).get("auth_time")
    if said is None:
        return "a code at once, without auth_time"
    is_the_phones = said == int(alice.last_login.timestamp())
    return f"a code at once, with auth_time of {'the phone' if is_the_phones else 'this browser'}"


seen = {}
for name, authorize, token in (
    ("django-oauth-toolkit", "/toolkit/authorize/", "/toolkit/token/"),
    ("allauth.idp.oidc", "/identity/o/authorize", "/identity/o/api/token"),
):
    for more in ({"max_age": "1"}, {"prompt": "login"}):
        seen[name, *more] = sign_in(authorize, token, **more)
        print(f"{name}, {more}: {seen[name, *more]}")
expected = {
    ("django-oauth-toolkit", "max_age"): "a code at once, with auth_time of the phone",
    ("django-oauth-toolkit", "prompt"): "asks anew",
    ("allauth.idp.oidc", "max_age"): "a code at once, without auth_time",
    ("allauth.idp.oidc", "prompt"): "asks anew",
}
sys.exit(0 if seen == expected else 1)
PYTHON
