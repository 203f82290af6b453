#!/usr/bin/env bash
# django-ninja-jwt: beside SimpleJWT, all of its own settings are ignored.
#
# Guess: the dictionary NINJA_JWT, which its documents name, says what signs its tokens and how long they live. What it lacks
# may come from SIMPLE_JWT.
# Seen: if there is a SIMPLE_JWT, NINJA_JWT is not read at all, without a word. Its tokens are signed with SimpleJWT's key, have
# SimpleJWT's lifetime, and SimpleJWT accepts them, though the project has given each of the two a key of its own.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-ninja==1.7.1 django-ninja-extra==0.31.7 django-ninja-jwt==5.4.5
cat > "$folder/mint.py" <<'PYTHON'
import json
import sys
from datetime import timedelta

import django
import jwt
from django.conf import settings

KEY, SIMPLE = "n" * 32, "s" * 32
both = sys.argv[1] == "both"
settings.configure(
    SECRET_KEY="d" * 32,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "ninja_extra", "ninja_jwt"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    NINJA_JWT={"SIGNING_KEY": KEY, "ACCESS_TOKEN_LIFETIME": timedelta(minutes=1)},
    **({"SIMPLE_JWT": {"SIGNING_KEY": SIMPLE, "ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}} if both else {}),
)
django.setup()
from ninja_jwt.tokens import AccessToken

token = str(AccessToken())
claims = jwt.decode(token, options={"verify_signature": False})
signed_by = "nobody"
for name, key in {"NINJA_JWT": KEY, "SIMPLE_JWT": SIMPLE}.items():
    try:
        jwt.decode(token, key, algorithms=["HS256"])
        signed_by = name
    except jwt.InvalidSignatureError:
        pass
accepted = False
if both:
    from rest_framework_simplejwt.tokens import AccessToken as Simple

    Simple(token)
    accepted = True
print(json.dumps([signed_by, claims["exp"] - claims["iat"], accepted]))
PYTHON
"$folder/venv/bin/pip" list 2>/dev/null | grep -i -E "ninja|simplejwt"
alone=$("$folder/venv/bin/python" "$folder/mint.py" alone)
both=$("$folder/venv/bin/python" "$folder/mint.py" both)
echo "with NINJA_JWT: signed by the key of, seconds, accepted by SimpleJWT: $alone"
echo "with SIMPLE_JWT, too: $both"
[ "$alone" = '["NINJA_JWT", 60, false]' ] && [ "$both" = '["SIMPLE_JWT", 3600, true]' ] || { echo "the behaviour has changed"; exit 1; }
echo "As seen: beside SimpleJWT, the settings of ninja-jwt count for nothing."
