"""Whether devices can prove a key: DBSC and DPoP."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import Conf, conf
from devices.core import database, redis_servers
from devices.core.binding import replay

from . import urls
from .values import is_duration

# Chromium 156 signs six times in nine minutes for all of a site, and renews up to two minutes ahead.
SHORTEST: Final = timedelta(minutes=5)


def check() -> Iterator[CheckMessage]:
    """Check what DBSC needs, if it is on, and the settings of DPoP."""
    yield from _dbsc()
    yield from _dpop()


def _dbsc() -> Iterator[CheckMessage]:
    """Check what DBSC needs, if it is on."""
    if not conf.DBSC:
        return
    if not _has_endpoints():
        yield Error(
            "DEVICES['DBSC'] is on, but its URLs are missing, so no browser can bind a session.",
            hint="Include devices.web.urls in the URLconf, or devices.contrib.cookies.urls for apps alone.",
            id="devices.E110",
        )
    if settings.SESSION_COOKIE_DOMAIN or settings.SESSION_COOKIE_PATH != "/":
        yield Error(
            "DEVICES['DBSC'] is on, but the session cookie goes to other hosts, too, or only to some paths. "
            "The cookie that browsers renew is sent to this host and all its paths. Bound sessions would be "
            "refused elsewhere.",
            hint="Remove SESSION_COOKIE_DOMAIN and SESSION_COOKIE_PATH, or DEVICES['DBSC'].",
            id="devices.E111",
        )
    if not settings.SESSION_COOKIE_SECURE:
        yield checks.Warning(
            "DEVICES['DBSC'] is on, but the session cookie is also sent over plain HTTP. "
            "Browsers bind sessions over HTTPS only.",
            hint="Serve the site over HTTPS and set SESSION_COOKIE_SECURE.",
            id="devices.W112",
        )
    age: Any = getattr(settings, "DEVICES", {}).get("DBSC_COOKIE_AGE", 600)
    if is_duration("DBSC_COOKIE_AGE", age, 1) and conf.DBSC_COOKIE_AGE < SHORTEST:
        yield checks.Warning(
            "DEVICES['DBSC_COOKIE_AGE'] is so short that browsers stop renewing the cookie: "
            "Chromium signs at most six times in nine minutes.",
            hint=f"Set it to {SHORTEST.seconds} or more.",
            id="devices.W113",
        )


def _has_endpoints() -> bool:
    served = urls.views()
    return any(getattr(view, "proves_binding", False) for view in served)


def _dpop() -> Iterator[CheckMessage]:
    """Check the settings of DPoP."""
    conf = Conf()
    if (required := _required(conf)) is None:
        yield Error(
            "DEVICES['DPOP'] is neither 'off', 'optional' nor 'required', nor the path of a function.",
            hint="See docs/dpop.md.",
            id="devices.E120",
        )
    store = conf.DPOP_STORE
    is_redis = redis_servers.is_url(store)
    if not is_redis and store != replay.DATABASE:
        yield Error(
            "DEVICES['DPOP_STORE'] is neither 'database' nor the URL of a Redis.",
            hint="Write redis://host:6379/0, or redis+sentinel://host:26379/name/0. A Django cache does not "
            "work: it may evict a proof.",
            id="devices.E121",
        )
    if is_redis and find_spec("redis") is None:
        yield Error(
            "DEVICES['DPOP_STORE'] names a Redis, but the package redis is not installed.",
            hint="pip install redis",
            id="devices.E122",
        )
    # There is no second connection that could write beside the request's.
    connection = database.connection()
    is_atomic = connection.settings_dict["ATOMIC_REQUESTS"] and connection.vendor == "sqlite"
    if required and is_atomic and not is_redis:
        yield Error(
            "With ATOMIC_REQUESTS on SQLite, a used proof cannot be stored in another transaction.",
            hint="Set DEVICES['DPOP_STORE'] to the URL of a Redis, or use PostgreSQL.",
            id="devices.E123",
        )


def check_store() -> Iterator[CheckMessage]:
    """Ask the Redis that stores used proofs whether it keeps them. One that does not answer says nothing."""
    conf = Conf()
    is_off = _required(conf) is None or conf.DPOP == "off"
    if is_off or not redis_servers.is_url(conf.DPOP_STORE):
        return
    try:
        memory = redis_servers.client(conf.DPOP_STORE).info("memory")
    except Exception:
        # It is away, says it to nobody, or has no package here: the matter of another check.
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        yield checks.Warning(
            f"The Redis of DEVICES['DPOP_STORE'] evicts keys when its memory is full ({policy}). "
            "A proof that it has evicted works again.",
            hint="Set its maxmemory-policy to noeviction, or use a Redis of its own; see docs/dpop.md.",
            id="devices.W183",
        )


def _required(conf: Conf) -> bool | None:
    """Whether anybody has to prove a key; None if the setting makes no sense."""
    try:
        given = conf.DPOP
    except (ImportError, AttributeError, TypeError):
        return None
    return given not in ("off", "optional") if isinstance(given, str) or callable(given) else None
