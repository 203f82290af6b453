"""The database that sessions are written to, by whatever alias: its transactions, and what follows them."""

from collections.abc import Callable
from typing import Any

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from devices.models import DeviceSession

# By what drivers say that the database is away, full, locked, or out of time; any other error is a fault in
# the statement. PostgreSQL: classes and codes of its appendix A.
POSTGRESQL_AWAY = ("08", "53", "57", "58", "25006", "40001", "40P01", "55P03")
# SQLite: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
SQLITE_AWAY = {5, 6, 7, 8, 9, 10, 13, 14, 15}


def alias() -> str:
    """The alias by which DATABASES and the routers know it."""
    return router.db_for_write(DeviceSession)


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to it."""
    return connections[alias()]


def atomic() -> transaction.Atomic:
    """As Django's own, there."""
    return transaction.atomic(using=alias())


def on_commit(do: Callable[[], Any], *, robust: bool = False) -> None:
    """As Django's own, there: call it once what is written just now is committed."""
    transaction.on_commit(do, using=alias(), robust=robust)


def is_outage(error: Exception) -> bool:
    """Whether it is the database that is not available, and not the statement that is wrong."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__
    if sqlstate := getattr(cause, "sqlstate", None):
        return bool(sqlstate.startswith(POSTGRESQL_AWAY))
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return bool(code & 0xFF in SQLITE_AWAY)
    # Without a code there was no answer from the server.
    return isinstance(error, OperationalError | InterfaceError)
