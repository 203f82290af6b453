"""Health checks for an orchestrator: liveness and readiness."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Final

from django.core.cache import caches
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpResponse, JsonResponse

from devices.core.liveness import invalidation

logger = logging.getLogger("project")


def healthz() -> HttpResponse:
    """The process runs. It uses no other service, so a slow database does not restart the site."""
    return JsonResponse({"status": "ok", "liveness": invalidation.status()})


def readyz() -> HttpResponse:
    """503 while the database, its migrations or the cache are not as the site needs them.

    A bus that does not answer is told and makes no difference: without it the database is asked.
    """
    found = {name: _outcome(name, check) for name, check in CHECKS.items()}
    is_ready = set(found.values()) == {"ok"}
    status = {"status": "ok" if is_ready else "unavailable", **found}
    return JsonResponse(
        {**status, "liveness": invalidation.status()}, status=200 if is_ready else 503
    )


def _outcome(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:
        # Whatever it is, the site is not ready. Details are for the log: anybody may ask.
        logger.warning("Not ready, %s: %s", name, error)
        return "failed"
    return "ok"


def _ask_database() -> None:
    connections["default"].ensure_connection()
    if not connections["default"].is_usable():
        raise DatabaseError("The connection is broken")


@cache
def _ask_migrations() -> None:
    """Raise unless all are applied. Asked until they are: nobody takes them back from a running site."""
    executor = MigrationExecutor(connections["default"])
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DatabaseError(f"{len(missing)} migrations are not applied")


def _ask_cache() -> None:
    caches["default"].get("readyz")


PROBES: Final = {"/healthz": healthz, "/readyz": readyz}
CHECKS: Final = {"database": _ask_database, "migrations": _ask_migrations, "cache": _ask_cache}
