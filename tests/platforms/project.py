"""A host project over databases of its own: SQLite files, or the PostgreSQL that the suite runs on.

Scripts are run within it.
"""

import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.hosts.project import HASTE, Host

SETTINGS = """
import django

ALLOWED_HOSTS = ["*"]
DATABASES = {databases!r}
MAILERS = {{"default": {{"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}}}
if django.VERSION < (6, 1):
    EMAIL_BACKEND = MAILERS["default"]["BACKEND"]
DEVICES = {{"NOTICE_QUEUE": "worker"}}
"""

# At the head of each script.
PRELUDE = """
import os, sys, json
os.environ["DJANGO_SETTINGS_MODULE"] = "stranger.settings"
import django
django.setup()
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
User = get_user_model()
PASSWORD = "correct horse battery 9"

def ask(method, path, token="", data=None, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = "" if data is None else json.dumps(data)
    return Client().generic(method, path, body, content_type="application/json", headers=headers)

def sign_in(name="alice", **headers):
    answer = ask("POST", "/api/token", data={"username": name, "password": PASSWORD}, **headers)
    assert answer.status_code == 200, (answer.status_code, answer.content)
    return answer.json()
"""


class Project:
    """A host, whose files are written by a test."""

    def __init__(self, folder: Path, site: Path, databases: dict[str, Any]) -> None:
        self.host = Host(folder, site)
        self.configure(HASTE + SETTINGS.format(databases=databases))

    def write(self, name: str, text: str) -> None:
        path = self.host.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def configure(self, more: str) -> None:
        """Append to the settings."""
        self.host.append("stranger/settings.py", more)

    def play(self, script: str, *, fails: bool = False, python: str = sys.executable) -> str:
        """Run a script within the project; what it prints. It has to succeed, or to fail."""
        self.write("script.py", PRELUDE + textwrap.dedent(script))
        return self.host.run("script.py", fails=fails, python=python)
