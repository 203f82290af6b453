"""The shop of the guides, from within: set up and migrated, with Alice in it. For the stories beside it."""

import json
import os
import sys
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import django

# django-user-sessions 2.0 asks its version of a module that setuptools no longer has.
sys.modules["pkg_resources"] = SimpleNamespace(
    DistributionNotFound=metadata.PackageNotFoundError, get_distribution=metadata.distribution
)  # type: ignore[assignment]

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

PASSWORD = "correct horse battery 9"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 14_0 like Mac OS X)"

setup_test_environment()
call_command("check", fail_level="WARNING", verbosity=0)
call_command("migrate", verbosity=0)
alice = get_user_model().objects.filter(username="alice").first() or (
    get_user_model().objects.create_user("alice", password=PASSWORD)
)
LOGIN = {"username": "alice", "password": PASSWORD}


def ask(method: str, path: str, token: str = "", data: Any = None, agent: str = "curl/8") -> Any:
    """The answer to a request. A token without a prefix is a bearer token."""
    headers = {"User-Agent": agent}
    if token:
        headers["Authorization"] = token if " " in token else f"Bearer {token}"
    return Client().generic(
        method,
        path,
        "" if data is None else json.dumps(data),
        content_type="application/json",
        headers=headers,
    )


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
