#!/usr/bin/env bash
# SimpleJWT with JWK_URL: while the keys cannot be read, each good token is refused with 401 token_not_valid.
#
# Guess: a service that cannot read the keys of its issuer answers 500 or 503: it does not know whether the token is good.
# Seen: it answers 401 `token_not_valid`, word for word as to a forged token, where the server of the keys is away or
# answers 503. So clients refresh in vain, or sign people out. With a set that was read before, it begins when PyJWT has
# kept that for five minutes. A page of a proxy with the status 200 instead of the keys is answered with 500.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 "PyJWT[crypto]==2.15.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import django
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.urls import path
from jwt.algorithms import ECAlgorithm

private, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "one", "alg": "ES256"}
answers = {
    "the keys": (200, json.dumps({"keys": [jwk]})),
    "503": (503, ""),
    "a page": (200, "<p>One moment, please."),
}
shown = ""


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = answers[shown]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
settings.configure(
    SECRET_KEY="not a secret of anybody, but long enough",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    SIMPLE_JWT={"ALGORITHM": "ES256", "JWK_URL": f"http://127.0.0.1:{server.server_port}/jwks.json"},
)
django.setup()
logging.disable()

from rest_framework.response import Response  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt import state  # noqa: E402


class View(APIView):
    def get(self, request):
        return Response("welcome")


urlpatterns = [path("", View.as_view())]
claims = {"token_type": "access", "user_id": "7", "jti": "1", "exp": int(time.time()) + 300}
good, forged = (jwt.encode(claims, key, "ES256", {"kid": "one"}) for key in (private, other))
client = APIClient(raise_request_exception=False)


def ask(token, what):
    global shown
    shown = what
    # As in a process that has just started, or whose five minutes are over.
    state.token_backend.jwks_client.jwk_set_cache.jwk_set_with_timestamp = None
    answer = client.get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    seen = answer.status_code, answer.json().get("code") if answer.status_code == 401 else None
    return (*seen, answer.content)


for name in ("Django", "djangorestframework", "djangorestframework-simplejwt", "PyJWT"):
    print(name, version(name))
seen = {what: ask(good, what) for what in answers}
seen["the keys, a forged token"] = ask(forged, "the keys")
server.shutdown()
server.server_close()
seen["nobody listens"] = ask(good, "the keys")
for what, (status, code, _) in seen.items():
    print(f"{what}: {status} {code or ''}")
refused = seen["the keys, a forged token"]
assert refused[:2] == (401, "token_not_valid")
assert seen["503"] == seen["nobody listens"] == refused, "the behaviour has changed"
assert [seen[what][0] for what in ("the keys", "a page")] == [200, 500], "the behaviour has changed"
PYTHON
