"""What differs between machines: the environment, or a file `.env` beside `manage.py`."""

from pathlib import Path
from typing import Any

import django
import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# What Django 6.1 calls the settings of a mail server, which it knows by name.
_OPTIONS = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_TIMEOUT": "timeout",
}


def mail_settings(**server: Any) -> dict[str, Any]:
    """Return the settings of one mail server, given by its `EMAIL_*`, as the installed Django wants them."""
    if django.VERSION < (6, 1):
        return server
    backend = server["EMAIL_BACKEND"]
    names = _OPTIONS if backend.endswith(".smtp.EmailBackend") else {}
    if backend.endswith(".filebased.EmailBackend"):
        names = {"EMAIL_FILE_PATH": "file_path"}
    options = {names[name]: value for name, value in server.items() if name in names and value}
    return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
