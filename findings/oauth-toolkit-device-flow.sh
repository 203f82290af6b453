#!/usr/bin/env bash
# django-oauth-toolkit: with the newest oauthlib, no device gets a code to show.
#
# Guess: `pip install django-oauth-toolkit` installs versions that work together, and its endpoint for devices without a
# browser (RFC 8628) gives a code to an application that may have one.
# Seen: django-oauth-toolkit 3.4.1 takes any oauthlib from 3.3 on, and pip installs 4.0.1. With that, `device-authorization/`
# answers 500 to each good request, since oauthlib now also says for which scope the code is. Authorization codes work
# with both. With oauthlib 3.3.1 the device gets its code.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PYTHON'
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "oauth2_provider"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={"OAUTH_DEVICE_VERIFICATION_URI": "https://example.org/o/device/"},
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()

import logging

from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from oauth2_provider.models import get_application_model

logging.disable()
urlpatterns = [path("o/", include("oauth2_provider.urls"))]
call_command("migrate", verbosity=0)
get_application_model().objects.create(
    client_id="tv",
    client_type="public",
    authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
)
answer = Client(raise_request_exception=False).post(
    "/o/device-authorization/", "client_id=tv", content_type="application/x-www-form-urlencoded"
)
names = ["Django", "django-oauth-toolkit", "oauthlib"]
print(*(f"{name} {version(name)}" for name in names), "->", answer.status_code)
PYTHON
seen=""
for oauthlib in 3.3.1 4.0.1; do
    python3 -m venv "$folder/$oauthlib"
    "$folder/$oauthlib/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 django-oauth-toolkit==3.4.1 \
        oauthlib==$oauthlib
    answer=$("$folder/$oauthlib/bin/python" "$folder/ask.py")
    echo "$answer"
    seen="$seen ${answer##* }"
done
[ "$seen" = " 200 500" ] || { echo "The behaviour has changed."; exit 1; }
echo "As seen: a code with oauthlib 3.3, an error with 4.0."
