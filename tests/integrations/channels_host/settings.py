"""The stranger's project, with Channels as its documents say to install it."""

import os

from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = ["daphne", *given.INSTALLED_APPS]
ASGI_APPLICATION = "channels_host.asgi.application"
ROOT_URLCONF = "channels_host.urls"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SESSION_ENGINE = "devices.web.session_engines.db"
LOGIN_REDIRECT_URL = "/devices/"
DEVICES = {"BUS": os.environ.get("BUS") or None, "NOTICE_QUEUE": "worker"}
if name := os.environ.get("POSTGRES"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "HOST": "127.0.0.1",
            "USER": "postgres",
        }
    }
else:
    DATABASES = given.DATABASES
    # Several threads of the server, and the test beside it.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL",
    }
