#!/usr/bin/env bash
# django-oauth-toolkit that introspects at another site: tokens outlive their end, and an audience refuses them all.
#
# Guess: with RESOURCE_SERVER_INTROSPECTION_URL a service asks for each token, or keeps an answer for a short time that a
# setting limits, 0 for never. `sub` in the answer says whose token it is. An outage is answered 500 or 503.
# Seen (3.4.1): it keeps an answer until the token expires, at most ten hours, so that a token that was revoked stays good.
# With RESOURCE_SERVER_TOKEN_CACHING_SECONDS = 0 it refuses each token; 1 is the least. An answer without `username` is
# somebody who is not authenticated. An `aud` that is no URL of the service refuses the token, unless
# RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR says otherwise. While the other site answers 503, a good token gets 401
# invalid_token, as a bad one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    django-oauth-toolkit==3.4.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import django
from django.conf import settings
from django.core.management import call_command
from django.test.utils import override_settings
from django.urls import path

answer = {}


class Site(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(answer).encode()
        self.send_response(200 if answer else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
MINE = {
    "RESOURCE_SERVER_INTROSPECTION_URL": f"http://127.0.0.1:{server.server_port}/",
    "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": ("service", "secret"),
}
settings.configure(
    SECRET_KEY="not a secret of anybody, but long enough",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "oauth2_provider",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER=MINE,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["oauth2_provider.contrib.rest_framework.OAuth2Authentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)
django.setup()
call_command("migrate", verbosity=0)
logging.disable()

from rest_framework.response import Response  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class View(APIView):
    def get(self, request):
        return Response(request.user.get_username())


urlpatterns = [path("", View.as_view())]
client = APIClient()


def ask(token):
    response = client.get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    return response.status_code, response.headers.get("WWW-Authenticate", "")


def good(**more):
    return {"active": True, "sub": "7", "exp": int(time.time()) + 300, **more}


for name in ("Django", "djangorestframework", "django-oauth-toolkit"):
    print(name, version(name))
seen = {}
answer = good()
seen["no username"] = ask("one")[0]
answer = good(username="7", aud="api")
seen["aud api"] = ask("two")[0]
with override_settings(
    OAUTH2_PROVIDER=MINE | {"RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR": lambda uri, aud: "api" in aud}
):
    seen["aud api, with a validator"] = ask("three")[0]
answer = good(username="7")
seen["username"] = ask("four")[0]
answer = {"active": False}
seen["revoked since"] = ask("four")[0]
seen["revoked before"] = ask("five")[0]
for seconds in (0, 1):
    with override_settings(
        OAUTH2_PROVIDER=MINE | {"RESOURCE_SERVER_TOKEN_CACHING_SECONDS": seconds}
    ):
        answer = good(username="7")
        seen[f"kept for {seconds} s"] = ask(f"six{seconds}")[0]
        time.sleep(1.1)
        answer = {"active": False}
        seen[f"kept for {seconds} s, revoked since"] = ask(f"six{seconds}")[0]
answer = {}
seen["503"], challenge = ask("seven")
for what, status in seen.items():
    print(f"{what}: {status}")
print("503:", challenge)
assert 'error="invalid_token"' in challenge, "the behaviour has changed"
expected = [403, 401, 200, 200, 200, 401, 401, 401, 200, 401, 401]
assert list(seen.values()) == expected, "the behaviour has changed"
PYTHON
