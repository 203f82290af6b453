"""A host project over databases of its own: Django's stock user, our app from the checkout, SQLite files or a
PostgreSQL that the suite runs on. Scripts are run within it.
"""

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.hosts.project import ROOT, run

SETTINGS = """
from datetime import timedelta
from pathlib import Path

import django

SECRET_KEY = "a secret key for the tests, of no use elsewhere"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
BASE_DIR = Path(__file__).parent
ROOT_URLCONF = "urls"
DATABASES = {databases!r}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "rest_framework", "devices",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "devices.web.middleware.DeviceMiddleware",
]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS":
    {{"context_processors": ["django.template.context_processors.request"]}}}}]
AUTHENTICATION_BACKENDS = ["devices.backends.LimitedModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAILERS = {{"default": {{"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}}}
if django.VERSION < (6, 1):
    EMAIL_BACKEND = MAILERS["default"]["BACKEND"]
REST_FRAMEWORK = {{
    "DEFAULT_AUTHENTICATION_CLASSES": ["devices.api.authentication.DeviceSessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["devices.api.parsers.StrictJSONParser"],
    "EXCEPTION_HANDLER": "devices.api.errors.exception_handler",
}}
SIMPLE_JWT = {{
    "SIGNING_KEY": "a signing key for the tests, of no use elsewhere",
    "ISSUER": "host",
    "AUDIENCE": "host-api",
    "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
    "ROTATE_REFRESH_TOKENS": True,
    "TOKEN_OBTAIN_SERIALIZER": "devices.api.serializers.TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": "devices.api.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "devices.api.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "devices.api.serializers.TokenBlacklistSerializer",
}}
DEVICES = {{"NOTICE_QUEUE": "worker"}}
"""

URLS = """
from django.urls import include, path

urlpatterns = [
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.api.urls.login")),
    path("api/", include("devices.api.urls.tokens")),
    path("api/", include("devices.api.urls.staff")),
    path("devices/", include("devices.web.urls")),
]
"""

# At the head of each script.
PRELUDE = """
import os, sys, json
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
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
    def __init__(self, folder: Path, databases: dict[str, Any]) -> None:
        self.folder = folder
        self.write("settings.py", SETTINGS.format(databases=databases))
        self.write("urls.py", URLS)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def configure(self, more: str) -> None:
        """Append to the settings."""
        with (self.folder / "settings.py").open("a") as file:
            file.write(textwrap.dedent(more))

    def play(self, script: str, *, fails: bool = False, python: str = sys.executable) -> str:
        """Run a script within the project; what it prints. It has to succeed, or to fail."""
        self.write("script.py", PRELUDE + textwrap.dedent(script))
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        return run("script.py", cwd=self.folder, fails=fails, python=python, PYTHONPATH=path)
