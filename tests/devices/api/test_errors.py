"""Exception handlers and users of host projects that are not of DRF's kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.http import JsonResponse
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.views import APIView

from devices.api.errors import exception_handler, extend_handler
from devices.core.log.security_log import Event

ROOT = Path(__file__).parents[3]
# Its models import from us before Django REST framework can import its authentication class.
SHOP = """
from importlib import import_module
from os import environ

import_module(environ["IMPORTED"])


class Authentication:
    pass
"""
SETUP = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "shop", "devices"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["shop.models.Authentication"]},
)
django.setup()
"""


def test_a_handler_may_answer_with_a_response_of_django(rf):
    handler = extend_handler(lambda exc, context: JsonResponse({"problem": exc.default_code}))
    answer = handler(NotFound(), {"view": APIView(), "request": rf.get("/")})
    assert answer.content == b'{"problem": "not_found"}'


@pytest.mark.parametrize(
    "user", [None, object()], ids=["UNAUTHENTICATED_USER is None", "of no table"]
)
def test_who_is_refused_may_be_no_user_of_django(rf, user, security_lines):
    """Authentication classes of a project let in whom they like, such as patients by a code."""
    request = rf.get("/")
    request.user = user
    answer = exception_handler(PermissionDenied(), {"view": APIView(), "request": request})
    assert answer.status_code == 403
    [refused] = security_lines.of(Event.ACCESS_REFUSED)
    assert (refused["code"], refused["path"]) == ("permission_denied", "/")


@pytest.mark.parametrize(
    "module",
    [
        "devices.api.authentication",
        "devices.api.errors",
        "devices.api.serializers",
        "devices.permissions",
        "devices.shortcuts",
    ],
)
def test_models_may_import_what_is_to_be_extended(module, tmp_path):
    """As they may import SimpleJWT's class, and an exception handler that imports DRF's views when called."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/models.py").write_text(SHOP)
    result = subprocess.run(
        [sys.executable, "-c", SETUP],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "IMPORTED": module},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
