"""DPoP: who must prove a key, and whether used proofs can be recognized."""

from collections.abc import Iterator
from importlib.util import find_spec

from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core import database
from devices.core.binding import replay


def check() -> Iterator[CheckMessage]:
    """Check the settings of DPoP."""
    conf = Conf()
    if (required := _required(conf)) is None:
        yield Error(
            "DEVICES['DPOP'] is neither 'off', 'optional' nor 'required', nor the path of a function.",
            hint="See docs/dpop.md.",
            id="devices.E120",
        )
    store = conf.DPOP_STORE
    is_redis = replay.is_redis(store)
    if not is_redis and store != replay.DATABASE:
        yield Error(
            "DEVICES['DPOP_STORE'] is neither 'database' nor the URL of a Redis.",
            hint="Write redis://host:6379/0. A Django cache does not work: it may evict a proof.",
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


def _required(conf: Conf) -> bool | None:
    """Whether anybody has to prove a key; None if the setting makes no sense."""
    try:
        given = conf.DPOP
    except (ImportError, AttributeError, TypeError):
        return None
    return given not in ("off", "optional") if isinstance(given, str) or callable(given) else None
