"""Door at start-up: numbered checks of what would silently weaken the sessions."""

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt import settings as simplejwt
from rest_framework_simplejwt.views import TokenViewBase

from .conf import Conf
from .core.watch import background, risk
from .models import DeviceSession

# RFC 7518 §3.2: a key of at least the size of the hash.
KEY_BYTES = 32
LONGEST_LEEWAY = timedelta(minutes=1)

# The doors are named, not imported: a door does not depend on another.
AUTHENTICATION = "devices.api.authentication.DeviceSessionAuthentication"
EXCEPTION_HANDLER = "devices.api.errors.exception_handler"
BACKEND = "devices.backends.LimitedModelBackend"
COOKIES = "django.contrib.auth.middleware.AuthenticationMiddleware"
MIDDLEWARE = "devices.web.middleware.DeviceMiddleware"
SERIALIZERS = {
    "TOKEN_OBTAIN_SERIALIZER": "devices.api.serializers.SessionStartSerializer",
    "TOKEN_REFRESH_SERIALIZER": "devices.api.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "devices.api.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "devices.api.serializers.TokenBlacklistSerializer",
}

# What each key of DEVICES may hold: the least number, and whether None switches it off.
NUMBERS = {
    "TOUCH_INTERVAL": (0, False),
    "REFRESH_GRACE": (0, False),
    "MAX_SESSIONS": (1, True),
    "STEP_UP_MAX_AGE": (1, True),
    "SHORT_SESSION_MAX_AGE": (1, False),
    "LOGIN_FAILURES_PER_ACCOUNT": (1, False),
    "LOGIN_ATTEMPTS_PER_ADDRESS": (1, False),
    "INACTIVE_DAYS": (1, False),
    "RETENTION_DAYS": (0, False),
    "RISK_MEMORY_DAYS": (1, False),
    "RISK_DORMANT_DAYS": (1, False),
    "NOTICE_LEASE": (1, False),
    "IP_RETENTION_DAYS": (0, True),
    "ACTIVITY_RETENTION_DAYS": (1, True),
}


@checks.register("devices")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    return [
        *_doors(),
        *_tokens(),
        *_numbers(),
        *_proxies(),
        *_transactions(),
        *_liveness(),
        *_mails(),
        *_risk(),
        *_second_factor(),
    ]


def _doors() -> Iterator[CheckMessage]:
    ours = import_string(AUTHENTICATION)
    asked: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    if not any(issubclass(cls, ours) for cls in asked):
        yield Error(
            "The API does not ask whether a token's session is alive.",
            hint=f"Put {AUTHENTICATION} into REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'].",
            id="devices.E001",
        )
    for setting, name in SERIALIZERS.items():
        if not issubclass(
            import_string(getattr(simplejwt.api_settings, setting)), import_string(name)
        ):
            yield Error(
                f"SIMPLE_JWT['{setting}'] makes or takes tokens that have no session.",
                hint=f"Point it to {name} or a subclass; see docs/settings.md.",
                id="devices.E002",
            )
    backends = [import_string(name) for name in settings.AUTHENTICATION_BACKENDS]
    if not any(issubclass(backend, import_string(BACKEND)) for backend in backends):
        yield checks.Warning(
            "Passwords may be tried without limit.",
            hint=f"Put {BACKEND} into AUTHENTICATION_BACKENDS in place of Django's ModelBackend.",
            id="devices.W003",
        )
    yield from _middleware()


def _middleware() -> Iterator[CheckMessage]:
    asked = list(settings.MIDDLEWARE)
    if COOKIES in asked and MIDDLEWARE not in asked:
        yield Error(
            "Whoever signs in to the admin or to pages stays in, however their session ended.",
            hint=f"Put {MIDDLEWARE} behind {COOKIES} in MIDDLEWARE.",
            id="devices.E024",
        )
    elif MIDDLEWARE in asked and COOKIES in asked[asked.index(MIDDLEWARE) :]:
        yield Error(
            "What stands before the users of cookies are known cannot ask whether they still live.",
            hint=f"Put {MIDDLEWARE} behind {COOKIES} in MIDDLEWARE.",
            id="devices.E025",
        )
    elif MIDDLEWARE not in asked:
        yield checks.Warning(
            "A browser is not known again: each sign-in adds a session beside the one it had.",
            hint=f"Put {MIDDLEWARE} into MIDDLEWARE.",
            id="devices.W018",
        )


def _tokens() -> Iterator[CheckMessage]:
    jwt = simplejwt.api_settings
    if jwt.BLACKLIST_AFTER_ROTATION:
        yield Error(
            "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] fights the rotation of sessions.",
            hint="Remove it, and rest_framework_simplejwt.token_blacklist: sessions need no token table.",
            id="devices.E004",
        )
    if jwt.ALGORITHM.startswith("HS"):
        key = str(jwt.SIGNING_KEY)
        if len(key.encode()) < KEY_BYTES:
            yield Error(
                f"The key that signs the tokens is shorter than {KEY_BYTES} bytes.",
                hint="Set SIMPLE_JWT['SIGNING_KEY'] to a long random string.",
                id="devices.E005",
            )
        if key == settings.SECRET_KEY:
            yield checks.Warning(
                "The tokens are signed with SECRET_KEY: changing it signs everybody out.",
                hint="Give SIMPLE_JWT['SIGNING_KEY'] a key of its own.",
                id="devices.W006",
            )
    if not jwt.AUDIENCE:
        yield checks.Warning(
            "The tokens name no audience: those of another service with this key would be taken.",
            hint="Set SIMPLE_JWT['AUDIENCE'].",
            id="devices.W007",
        )
    if not jwt.ISSUER:
        yield checks.Warning(
            "The tokens name no issuer.", hint="Set SIMPLE_JWT['ISSUER'].", id="devices.W008"
        )
    if get_user_model()._meta.pk.name != jwt.USER_ID_FIELD and jwt.USER_ID_FIELD != "pk":
        yield Error(
            "SIMPLE_JWT['USER_ID_FIELD'] is not the primary key of the user.",
            hint=f"Set it to '{get_user_model()._meta.pk.name}': tokens name user and session by key.",
            id="devices.E009",
        )
    if not _is_leeway(jwt.LEEWAY):
        yield Error(
            "SIMPLE_JWT['LEEWAY'] is no number of seconds from 0 to 60, nor such a timedelta.",
            hint="A few seconds are enough for the clocks of several servers.",
            id="devices.E010",
        )


def _is_leeway(leeway: Any) -> bool:
    if isinstance(leeway, int | float) and not isinstance(leeway, bool):
        leeway = timedelta(seconds=leeway)
    return isinstance(leeway, timedelta) and timedelta(0) <= leeway <= LONGEST_LEEWAY


def _numbers() -> Iterator[CheckMessage]:
    given = getattr(settings, "DEVICES", {})
    known = {name for name, value in vars(Conf).items() if isinstance(value, property)}
    for key in given.keys() - known:
        yield checks.Warning(
            f"DEVICES['{key}'] is not a setting.", hint="See docs/settings.md.", id="devices.W011"
        )
    if not _is_number(given.get("SESSION_MAX_AGE", 90), 0) or not given.get("SESSION_MAX_AGE", 90):
        yield Error(
            "DEVICES['SESSION_MAX_AGE'] switches the absolute limit of sessions off.",
            hint="Set it to a number of days; NIST SP 800-63B asks for a limit.",
            id="devices.E012",
        )
    for key, (least, optional) in NUMBERS.items():
        value = given.get(key, least)
        if not (_is_number(value, least) or (value is None and optional)):
            yield Error(
                f"DEVICES['{key}'] is not a number of at least {least}.",
                hint="See docs/settings.md.",
                id="devices.E013",
            )


def _is_number(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _proxies() -> Iterator[CheckMessage]:
    proxies = getattr(settings, "DEVICES", {}).get("TRUSTED_PROXIES", ())
    if isinstance(proxies, str) or not all(_is_network(cidr) for cidr in proxies):
        yield Error(
            "DEVICES['TRUSTED_PROXIES'] is not a list of networks.",
            hint="Write CIDRs without host bits, for example ['10.0.0.0/8', 'fd00::/8'].",
            id="devices.E014",
        )
    elif not proxies and (settings.USE_X_FORWARDED_HOST or settings.SECURE_PROXY_SSL_HEADER):
        yield checks.Warning(
            "The site stands behind a proxy, but none is trusted: all sessions show the proxy's address.",
            hint="List the proxy's network in DEVICES['TRUSTED_PROXIES'].",
            id="devices.W015",
        )


def _is_network(cidr: Any) -> bool:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        return False
    return isinstance(cidr, str)


def _transactions() -> Iterator[CheckMessage]:
    atomic = [db for db in connections.settings if connections.settings[db].get("ATOMIC_REQUESTS")]
    if not atomic:
        return
    if drf.api_settings.EXCEPTION_HANDLER is not import_string(EXCEPTION_HANDLER):
        yield Error(
            "With ATOMIC_REQUESTS, a revocation that is answered with 401 would be rolled back.",
            hint=f"Set REST_FRAMEWORK['EXCEPTION_HANDLER'] to {EXCEPTION_HANDLER}.",
            id="devices.E016",
        )
    for view in _views(get_resolver().url_patterns):
        is_token_view = issubclass(getattr(view, "view_class", object), TokenViewBase)
        if is_token_view and not getattr(view, "_non_atomic_requests", None):
            yield Error(
                "With ATOMIC_REQUESTS, failed logins would not be counted.",
                hint="Include devices.api.urls, or wrap the view in transaction.non_atomic_requests.",
                obj=view,
                id="devices.E017",
            )


def _views(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback


def _liveness() -> Iterator[CheckMessage]:
    conf = Conf()
    if conf.LIVENESS not in ("database", "cached"):
        yield Error(
            "DEVICES['LIVENESS'] is neither 'database' nor 'cached'.",
            hint="See docs/settings.md.",
            id="devices.E020",
        )
    if conf.LIVENESS == "cached" and conf.BUS is None:
        yield Error(
            "Sessions shall be remembered, but nobody tells of their end: nothing is remembered.",
            hint="Set DEVICES['BUS'] to 'postgres' or to the URL of a Redis.",
            id="devices.E021",
        )
    if conf.BUS is not None and not _is_bus(conf.BUS):
        yield Error(
            "DEVICES['BUS'] is no bus that this site can have.",
            hint="'postgres' needs PostgreSQL and psycopg 3; redis://… and rediss://… the package redis.",
            id="devices.E022",
        )
    if conf.LIVENESS == "cached" and connections[_database()].settings_dict["ATOMIC_REQUESTS"]:
        yield checks.Warning(
            "Within the transactions of ATOMIC_REQUESTS nothing new is remembered of sessions.",
            hint="Wrap the views of the API in transaction.non_atomic_requests.",
            id="devices.W023",
        )


def _second_factor() -> Iterator[CheckMessage]:
    path = Conf().SECOND_FACTOR
    if path is not None and not _is_second_factor(path):
        yield Error(
            "DEVICES['SECOND_FACTOR'] does not lead to what knows second factors.",
            hint="Give the dotted path of a class with the methods has and verify; see docs/step-up.md.",
            id="devices.E030",
        )


def _is_second_factor(path: str) -> bool:
    try:
        backend = import_string(path)()
    except (ImportError, TypeError):
        return False
    return callable(getattr(backend, "has", None)) and callable(getattr(backend, "verify", None))


def _is_bus(bus: str) -> bool:
    if bus == "postgres":
        return connections[_database()].vendor == "postgresql" and find_spec("psycopg") is not None
    return bus.startswith(("redis://", "rediss://", "unix://")) and find_spec("redis") is not None


def _database() -> str:
    return router.db_for_write(DeviceSession)


def _mails() -> Iterator[CheckMessage]:
    conf = Conf()
    if conf.SITE_URL and not conf.SITE_URL.startswith(("https://", "http://")):
        yield Error(
            "DEVICES['SITE_URL'] is no URL.", hint="Write https://example.org.", id="devices.E030"
        )
    queue = conf.NOTICE_QUEUE
    is_redis = background.is_redis(queue)
    if not is_redis and queue not in ("embedded", "worker"):
        yield Error(
            "DEVICES['NOTICE_QUEUE'] is neither 'embedded' nor 'worker' nor the URL of a Redis.",
            hint="See docs/settings.md.",
            id="devices.E031",
        )
    if is_redis and find_spec("redis") is None:
        yield Error(
            "DEVICES['NOTICE_QUEUE'] names a Redis, but the package redis is not installed.",
            hint="pip install redis",
            id="devices.E031",
        )
    is_smtp = settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend")
    timeout = settings.EMAIL_TIMEOUT
    # A mail takes some ten answers of the server.
    if is_smtp and not (timeout and 10 * timeout <= conf.NOTICE_LEASE.total_seconds()):
        yield checks.Warning(
            "A mail server that hangs can hold a mail for longer than NOTICE_LEASE: it may be sent twice.",
            hint="Set EMAIL_TIMEOUT to a tenth of DEVICES['NOTICE_LEASE'] at most: 20.",
            id="devices.W032",
        )


def _risk() -> Iterator[CheckMessage]:
    conf = Conf()
    levels = [str(level) for level in risk.LEVELS]
    thresholds: dict[str, Any] = {str(level): score for level, score in risk.LEVELS.items()}
    thresholds |= conf.RISK_LEVELS
    numbers = [score for score in thresholds.values() if score is not None]
    is_ordered = all(_is_number(score, 1) for score in numbers) and numbers == sorted(numbers)
    if list(thresholds) != levels or not is_ordered:
        yield Error(
            "DEVICES['RISK_LEVELS'] names no levels, or not in their order.",
            hint=f"Give scores from 1 to 100, or None, for some of {', '.join(levels)}, in this order.",
            id="devices.E033",
        )
    unknown = conf.RISK_POINTS.keys() - risk.POINTS.keys()
    if unknown or not all(_is_number(points, 0) for points in conf.RISK_POINTS.values()):
        yield Error(
            "DEVICES['RISK_POINTS'] gives points to no reason of ours, or is no number.",
            hint=f"The reasons are {', '.join(risk.POINTS)}.",
            id="devices.E034",
        )
