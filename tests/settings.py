"""The site's settings as the suite runs it: whatever .env holds, but for the database, is kept out."""

import os
import tempfile

os.environ.update(
    SECRET_KEY="a secret key for the tests, of no use elsewhere",
    JWT_SECRET_KEY="a signing key for the tests, of no use elsewhere",
    DEBUG="false",
    ALLOWED_HOSTS="*",
    EMAIL_URL="memorymail://",
    SITE_URL="https://devices.test",
    DEVICES_NOTICE_QUEUE="worker",
    REQUIRE_EMAIL_VERIFICATION="false",
    TRUSTED_PROXIES="",
    TRUSTED_PROXY_HEADER="X-Forwarded-For",
    DEVICES_MAX_SESSIONS="20",
    DEVICES_TRUSTED_DEVICE_DAYS="0",
    DEVICES_DEVICE_CODE="false",
    DEVICES_DBSC="true",
    DEVICES_LIVENESS="database",
    DEVICES_BUS="",
    DEVICES_SIGNING_KEYS="",
    DEVICES_FEED="false",
    DEVICES_CITUS=str("CITUS_URL" in os.environ).lower(),
    DEVICES_ACCESS_TOKEN_FORMAT="simplejwt",
    DEVICES_SERVICE_CLIENTS="{}",
    JWT_ISSUER="devices",
    DEVICES_DPOP="optional",
    DEVICES_DPOP_NONCE="false",
    DB_POOL_MODE="",
    SECURE_SSL_REDIRECT="false",
    GOOGLE_CLIENT_ID="",
    GITHUB_CLIENT_ID="",
    OIDC_SERVER_URL="",
)

if "CITUS_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["CITUS_URL"]

# Making and dropping a database may take its time; what the site may take, the races set themselves.
os.environ.setdefault("DB_STATEMENT_TIMEOUT", "0")

from project.settings import *  # noqa: E402, F403
from project.settings import DATABASES, INSTALLED_APPS  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as the site has one. In memory threads share its tables, and are refused instead of waiting.
    DATABASES["default"]["TEST"] = {
        "NAME": os.path.join(tempfile.gettempdir(), f"devices-tests-{os.getpid()}.sqlite3")
    }

if "CITUS_URL" in os.environ:
    # A cluster of a new database would have to be put together on each node.
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}

# Rooms that a project opens by itself.
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "devices.contrib.audit",
    "devices.contrib.providers",
    "devices.contrib.ssf",
]

# Hashing is slow on purpose; tests that are about it choose their own hasher.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
