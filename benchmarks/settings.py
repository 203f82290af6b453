"""The site with its neighbours beside it, in a database that is made for the run."""

import os

os.environ.setdefault("SECRET_KEY", "a secret key for the benchmarks, of no use elsewhere")
os.environ.setdefault("JWT_SECRET_KEY", "a signing key for the benchmarks, of no use elsewhere")

from project.environment import mail_settings  # noqa: E402
from project.settings import *  # noqa: E402, F403
from project.settings import DATABASES, DEVICES, INSTALLED_APPS, env  # noqa: E402

DEBUG = False
ALLOWED_HOSTS = ["*"]
SECURE_SSL_REDIRECT = False
# Everybody comes from one machine, and long after the login.
DEVICES |= {"LOGIN_ATTEMPTS_PER_ADDRESS": 1_000_000_000, "STEP_UP_MAX_AGE": None}
INSTALLED_APPS += ["knox", "drf_sessions", "trusted_devices"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_ONLY = True
HEADLESS_FRONTEND_URLS: dict[str, str] = {}
vars().update(mail_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend"))
# One database, and it stays open: what is compared is what comes on top.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["TEST"] = {"NAME": env.str("BENCH_DATABASE", default="devices_bench")}

# Nothing that is measured asks the cache; its table would be spoken of in the figures.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
