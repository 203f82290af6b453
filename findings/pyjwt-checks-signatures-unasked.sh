#!/usr/bin/env bash
# PyJWT 2.14 refuses a token whose signature is no proper base64, also where it is told not to verify the signature.
#
# Guess: with `verify_signature=False`, or SimpleJWT's `RefreshToken(token, verify=False)`, the signature may be anything. So
# applications store tokens without it, and read them with a signature that they make up.
# Seen: the 43 letters "x" that stand for the signature of HS256 were accepted until PyJWT 2.13. From 2.14 on they are refused
# with "Invalid crypto padding", since the last letter has two bits too many; 43 letters "A" are accepted. Label Studio
# 1.23.2 lists the API tokens of its users in this way, and logs what it cannot read at the level DEBUG: the list is empty,
# answered 200, and the tokens work.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for pyjwt in 2.13.0 2.15.1; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyJWT==$pyjwt Django==5.2.19 \
        djangorestframework==3.17.2 djangorestframework-simplejwt==5.5.1
    "$folder/venv/bin/python" - <<'PYTHON'
import django
import jwt
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True,
)
django.setup()

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

stored = str(RefreshToken()).rpartition(".")[0]


def read(letter):
    try:
        return RefreshToken(f"{stored}.{letter * 43}", verify=False)["token_type"]
    except TokenError as error:
        return str(error.__cause__.__cause__)


seen = [read("x"), read("A")]
print("PyJWT", jwt.__version__, "with 43 times x:", seen[0], "| with 43 times A:", seen[1])
expected = {"2.13.0": ["refresh", "refresh"], "2.15.1": ["Invalid crypto padding", "refresh"]}
assert seen == expected[jwt.__version__], "the behaviour has changed"
PYTHON
done
echo "As seen: a signature that is not to be verified has to be proper base64."
