"""Settings of the site. What differs between machines comes from the environment; see .env.example."""

from datetime import timedelta
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from .environment import BASE_DIR, env, mail_settings
from .identity_providers import *  # noqa: F403
from .identity_providers import PROVIDER_ORIGINS, SITE_NAME

# What it runs as

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
# Earlier ones, which still open what they signed and what they encrypted, but sign nothing any more.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# A separate key: changing SECRET_KEY signs nobody out of the API, and one stolen key does not give both.
JWT_SECRET_KEY = env.str("JWT_SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "project",
    "accounts",
    "devices",
    # In which staff cannot act on users above them.
    "devices.apps.GuardedAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "allauth.headless",
    "django_user_agents",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "project.middleware.Probes",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "devices.web.middleware.DeviceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "project.middleware.KnownDoors",
    "project.middleware.DatabaseAway",
    "project.middleware.RetryAfter",
]

FILE_UPLOAD_HANDLERS = ["project.uploads.NoFiles"]

ROOT_URLCONF = "project.urls"
SITE_URL = env.str("SITE_URL", default="http://localhost:8000" if DEBUG else "")
# Of a site below a path, which its proxy takes off: links lead there with it.
FORCE_SCRIPT_NAME = urlsplit(SITE_URL).path.rstrip("/") or None
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# The longest input is a token; larger requests are refused before they are read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

# What it keeps

# PgBouncer takes no startup parameter `options`: there the role has the time-outs, see docs/operations.md.
DB_POOL_MODE = env.str("DB_POOL_MODE", default="")
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # One writer at a time, who waits for the other instead of failing; readers are never blocked.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # Only threads that last may keep a connection: wsgi.py says so of its server.
    DATABASES["default"].setdefault("CONN_MAX_AGE", env.int("DB_CONN_MAX_AGE", default=0))
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options |= {"connect_timeout": 2, "tcp_user_timeout": 2000}
    # No answer is soon an answer, too: 503 instead of a worker that waits. Not for commands, see manage.py.
    DB_STATEMENT_TIMEOUT = env.str("DB_STATEMENT_TIMEOUT", default="5s")
    if not DB_POOL_MODE:
        limits = ("statement_timeout", "lock_timeout")
        options["options"] = " ".join(f"-c {limit}={DB_STATEMENT_TIMEOUT}" for limit in limits)
    # What is set or declared on a connection may be another client's, or gone, after a transaction.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = DB_POOL_MODE == "transaction"

# Counts of attempts (sign-ups, mails that are asked for) hold for all processes alike, and outlive them. They
# are thrown away when they are over, or when there are too many.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "project_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Whole: Django adds the path to a relative one only once it is known, and WhiteNoise asks before that.
STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # A developer's server takes the files from the apps, as they are just now.
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "project.static_files.HashedFiles"
    },
}
# Maps are for who reads the scripts of others: to compress them takes longer than all the rest.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# Who may come in

AUTHENTICATION_BACKENDS = ["devices.backends.LimitedModelBackend"]
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "devices:list"
LOGOUT_REDIRECT_URL = "home"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["devices.api.authentication.DeviceSessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["devices.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "devices.api.errors.exception_handler",
    "DATETIME_FORMAT": "iso-8601",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# A session ends this long after its last refresh; in a browser, after its last use.
IDLE_LIMIT = timedelta(days=30)
SESSION_COOKIE_AGE = int(IDLE_LIMIT.total_seconds())
# Nobody is signed in by a cookie session, wherever it is read, once its DeviceSession has ended.
SESSION_ENGINE = "devices.web.session_engines.db"

SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SECRET_KEY,
    "ISSUER": env.str("JWT_ISSUER", default="devices"),
    "AUDIENCE": "devices-api",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": IDLE_LIMIT,
    "ROTATE_REFRESH_TOKENS": True,
    # Clocks of several servers are never quite the same.
    "LEEWAY": timedelta(seconds=5),
    "TOKEN_OBTAIN_SERIALIZER": "accounts.serializers.TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": "devices.api.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "devices.api.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "devices.api.serializers.TokenBlacklistSerializer",
}

# A second factor that a thief of the password cannot get around is worth more than a step saved: 0, off.
TRUSTED_DEVICE_DAYS = env.int("DEVICES_TRUSTED_DEVICE_DAYS", default=0)
# allauth's page that offers it, if that is on, and the time it names: see `devices.contrib.allauth_mfa`.
MFA_TRUST_ENABLED = True
MFA_TRUST_COOKIE_AGE = timedelta(days=TRUSTED_DEVICE_DAYS)

DEVICES = {
    "SECOND_FACTOR": "accounts.second_factor.Authenticators",
    "REAUTHENTICATION_URL": "account_reauthenticate",
    "DBSC": env.bool("DEVICES_DBSC", default=not DEBUG),
    "LIVENESS": env.str("DEVICES_LIVENESS", default="database"),
    "BUS": env.str("DEVICES_BUS", default="") or None,
    "CITUS": env.bool("DEVICES_CITUS", default=False),
    "REVOCATION_COMMIT": env.str("DEVICES_REVOCATION_COMMIT", default="") or None,
    "ACCESS_TOKEN_FORMAT": env.str("DEVICES_ACCESS_TOKEN_FORMAT", default="simplejwt"),
    "SERVICE_CLIENTS": env.json("DEVICES_SERVICE_CLIENTS", default={}),
    "FEED": env.bool("DEVICES_FEED", default=False),
    "SIGNING_KEYS": env.str("DEVICES_SIGNING_KEYS", default="") or None,
    "DPOP": env.str("DEVICES_DPOP", default="optional"),
    "DPOP_NONCE": env.bool("DEVICES_DPOP_NONCE", default=False),
    "DPOP_STORE": env.str("DEVICES_DPOP_STORE", default="database"),
    "DEVICE_CODE_METHODS": ("password",) if env.bool("DEVICES_DEVICE_CODE", default=False) else (),
    "TRUSTED_DEVICE_MAX_AGE": TRUSTED_DEVICE_DAYS or None,
    "MAX_SESSIONS": env.int("DEVICES_MAX_SESSIONS", default=20) or None,
    "TRUSTED_PROXIES": env.tuple("TRUSTED_PROXIES", default=()),
    "TRUSTED_PROXY_HEADER": env.str("TRUSTED_PROXY_HEADER", default="X-Forwarded-For"),
    "SITE_NAME": SITE_NAME,
    "SITE_URL": SITE_URL,
    "NOTICE_QUEUE": env.str("DEVICES_NOTICE_QUEUE", default="embedded"),
    "LOGIN_PROOF": "devices.contrib.allauth.proof_of",
    "ACCOUNT_RECOVERY_URL": "accounts.recovery.url_for",
}
# A city database of MaxMind or DB-IP; without one the country is known, from data the package brings along.
if GEOIP_PATH := env.str("GEOIP_PATH", default=""):
    DEVICES["GEO_BACKEND"] = "devices.core.clients.geolocation.GeoIP2"
# Who operates the network of an address, for staff: an ASN database of MaxMind or DB-IP.
DEVICES["ASN_DATABASE"] = env.str("ASN_PATH", default="")

# Parsed user agents are not worth a cache that anybody can fill and so empty for everybody else.
USER_AGENTS_CACHE = None

SPECTACULAR_SETTINGS = {
    "TITLE": "devices",
    "DESCRIPTION": """Where you are signed in, and how to end it.

Sign in for an access and a refresh token; send the access token as `Authorization: Bearer …`. Both belong
to a session, and are refused from the next request on when it ends.

Every error is `{"detail": "…", "code": "…"}`; what is wrong with the fields of a request is
`{"field": ["…"]}`. Each endpoint names its codes; any of them may also answer 405 `method_not_allowed`,
406 `not_acceptable`, 425 `too_early` to early data of TLS (RFC 8470) that changes
something, and 503 `unavailable` while the database does not answer. Times are ISO 8601 in UTC.
Paths answer with a trailing slash too.

Apps that sign in step by step use allauth's endpoints, under `/_allauth/app/v1/`, which have a description of
their own. Beside its codes they answer 403 `email_not_verified` and `sign_in_first`.""",
    "TAGS": [
        {"name": "account", "description": "Who you are"},
        {"name": "tokens", "description": "SimpleJWT's endpoints, over sessions"},
        {"name": "sessions", "description": "Where you are signed in"},
        {"name": "staff", "description": "Everybody's sessions, by permission"},
    ],
    "VERSION": "0.2.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "defaultModelsExpandDepth": 0},
    "SCHEMA_PATH_PREFIX": "/api/",
    "PREPROCESSING_HOOKS": ["devices.api.openapi.without_trailing_slash"],
    "SORT_OPERATIONS": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
}

# How it is shown

LANGUAGE_CODE = "en"
# As the browser asks for, or as was chosen at the foot of a page.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = not DEBUG
# One name for one thing, in the pages of allauth, too: before the words that it brings along.
LOCALE_PATHS = [BASE_DIR / "project" / "words"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# What a page may do. Everything comes from here, nothing is written into the page: no inline script, no
# inline style, no other host, whatever somebody gets into a name.

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # `data:` are the arrows in Swagger UI's own style sheet.
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # Signing in with another site begins with a form here and leads there.
        "form-action": [SELF, *PROVIDER_ORIGINS],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Only over TLS, once it is not a developer's machine

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not DEBUG:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    if env.tuple("TRUSTED_PROXIES", default=()):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True

# A mail server that hangs holds up the sender of mails, not for ever.
vars().update(mail_settings(**env.email("EMAIL_URL", default="consolemail://"), EMAIL_TIMEOUT=20))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="devices@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        # One line per event whatever a client sends: JSON escapes every control character.
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(levelname)s",
            "rename_fields": {"levelname": "level"},
            "timestamp": "time",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "security": {"class": "logging.StreamHandler", "formatter": "json"},
    },
    "loggers": {
        # Django's own handler would say everything twice in DEBUG.
        "django": {"level": "INFO"},
        "django.utils.autoreload": {"level": "WARNING"},
        # It tells of each round, once a minute.
        "huey": {"level": "WARNING"},
        "devices.security": {"handlers": ["security"], "level": "INFO", "propagate": False},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}
