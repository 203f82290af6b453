#!/usr/bin/env bash
# djangorestframework-yaml: each error of Django REST framework is answered 500.
#
# Guess: a client that asks for YAML gets errors with their status, in YAML.
# Seen: its encoder knows decimals, links and ordered dictionaries, and not `ErrorDetail`, the type of the texts in all errors
# of Django REST framework. Answers are fine; a 401, 403, 404, 429 or 400 of a serializer becomes a 500. So by
# `Accept: application/yaml` any client gets 500 where JSON gets 401, and cannot tell that it is signed out.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-yaml==2.0.0 PyYAML==6.0.4
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    LOGGING_CONFIG=None,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": [
            "rest_framework.renderers.JSONRenderer",
            "rest_framework_yaml.renderers.YAMLRenderer",
        ],
    },
)
django.setup()
logging.disable(logging.CRITICAL)

from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.response import Response
from rest_framework.views import APIView


class Given(serializers.Serializer):
    name = serializers.CharField()


class View(APIView):
    def get(self, request, what):
        if what == "session":
            raise NotAuthenticated
        if what == "missing":
            raise NotFound
        if what == "invalid":
            Given(data={}).is_valid(raise_exception=True)
        return Response({"good": True})


urlpatterns = [path("<what>", View.as_view())]
client = Client(raise_request_exception=False)
print("Django REST framework", version("djangorestframework"), "djangorestframework-yaml", version("djangorestframework-yaml"))
seen = {}
for what in ("good", "session", "missing", "invalid"):
    statuses = [
        client.get(f"/{what}", headers={"accept": kind}).status_code for kind in ("application/json", "application/yaml")
    ]
    print(f"{what}: JSON", statuses[0], "YAML", statuses[1])
    seen[what] = statuses
expected = {"good": [200, 200], "session": [403, 500], "missing": [404, 500], "invalid": [400, 500]}
assert seen == expected, "the behaviour has changed"
print("As seen: good answers are YAML, and each error is a 500.")
PYTHON
