"""What the site needs of its database, asked by `check --database default` and by `migrate`."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connections

POOL_MODES = ("", "session", "transaction")


@checks.register("project")
def check_pool_mode(**kwargs: Any) -> list[CheckMessage]:
    """Complain about a pool mode that is none."""
    if settings.DB_POOL_MODE in POOL_MODES:
        return []
    return [
        checks.Error(
            "DB_POOL_MODE is neither 'session' nor 'transaction'.",
            hint="Set it to the pool_mode of PgBouncer, or leave it empty.",
            id="project.E001",
        )
    ]


@checks.register(checks.Tags.database)
def check_time_outs(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Complain if a statement may take for ever, because a pooler takes no time-out from the site."""
    return list(_endless(databases or ())) if settings.DB_POOL_MODE else []


def _endless(databases: Sequence[str]) -> Iterator[CheckMessage]:
    for alias in databases:
        if connections[alias].vendor != "postgresql":
            continue
        with connections[alias].cursor() as cursor:
            for limit in ("statement_timeout", "lock_timeout"):
                cursor.execute("SELECT current_setting(%s)", [limit])
                if cursor.fetchone() == ("0",):
                    yield checks.Warning(
                        f"The database role has no {limit}: a statement may run for ever.",
                        hint=f"ALTER ROLE … SET {limit} = '5s', and RECONNECT in PgBouncer's console.",
                        id="project.W002",
                    )
