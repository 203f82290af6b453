"""How it is known that a session has ended: the mode, and the bus."""

from collections.abc import Iterator
from importlib.util import find_spec

from django.core.checks import CheckMessage, Error
from django.db import connections, router

from devices.conf import Conf
from devices.core import redis_servers
from devices.core.liveness.invalidation import is_postgres
from devices.models import DeviceSession


def check() -> Iterator[CheckMessage]:
    """Check the settings that say how sessions are validated."""
    conf = Conf()
    if conf.LIVENESS not in ("database", "cached"):
        yield Error(
            "DEVICES['LIVENESS'] is neither 'database' nor 'cached'.",
            hint="See docs/settings.md.",
            id="devices.E020",
        )
    if conf.LIVENESS == "cached" and conf.BUS is None:
        yield Error(
            "DEVICES['LIVENESS'] is 'cached', but there is no bus: nothing is cached.",
            hint="Set DEVICES['BUS'] to 'postgres' or to the URL of a Redis.",
            id="devices.E021",
        )
    if conf.BUS is not None and not _is_bus(conf.BUS):
        yield Error(
            "DEVICES['BUS'] is not a bus that this site can use.",
            hint="postgres needs PostgreSQL and psycopg 3; redis://…, rediss://… and redis+sentinel://… the "
            "package redis. For Sentinel, Cluster and Valkey see docs/platforms.md.",
            id="devices.E022",
        )
    if conf.LIVENESS == "cached" and _has_schemas_unknown_to_us():
        yield Error(
            "The mode 'cached' cannot distinguish the schemas of this database engine.",
            hint="Set DEVICES['LIVENESS'] to 'database', or use django-tenants; see docs/platforms.md.",
            id="devices.E073",
        )
    if conf.BUS == "postgres" and _is_pooled():
        yield Error(
            "DEVICES['BUS'] listens through a pooler, which delivers no messages.",
            hint="Set it to the direct URL of the same database: postgres://user@host/name.",
            id="devices.E063",
        )


def _has_schemas_unknown_to_us() -> bool:
    connection = connections[_database()]
    engine = connection.settings_dict["ENGINE"].lower()
    is_by_schema = any(word in engine for word in ("schema", "tenant"))
    return is_by_schema and not hasattr(connection, "schema_name")


def _is_pooled() -> bool:
    # Django's own switch for a pooler that hands out another backend for each transaction.
    return bool(connections[_database()].settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))


def _is_bus(bus: str) -> bool:
    if is_postgres(bus):
        return connections[_database()].vendor == "postgresql" and find_spec("psycopg") is not None
    return redis_servers.is_url(bus) and find_spec("redis") is not None


def _database() -> str:
    return router.db_for_write(DeviceSession)
