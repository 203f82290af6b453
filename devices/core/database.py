"""The database that sessions are written to, by whatever alias: its transactions, and what follows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.conf import settings
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


def place() -> tuple[str, str]:
    """Which database, and which of its schemas, this thread asks just now (django-tenants).

    Rows of one place say nothing about another's: users of both may have the same key.
    """
    return alias(), getattr(connection(), "schema_name", None) or ""


@contextmanager
def within(schema: str) -> Iterator[None]:
    """Ask this schema, in a thread that serves nobody just now. The empty name means the only one."""
    given: Any = connection()
    if not schema:
        yield
        return
    given.set_schema(schema)
    try:
        yield
    finally:
        given.set_schema_to_public()


def each_schema() -> Iterator[str]:
    """The schemas of django-tenants that have our tables, one after the other, within each; else once."""
    if not hasattr(connection(), "set_schema"):
        yield ""
        return
    given: Any = settings
    tenants = apps.get_model(given.TENANT_MODEL)._default_manager
    for schema in list(tenants.values_list("schema_name", flat=True)):
        with within(schema):
            if DeviceSession._meta.db_table in connection().introspection.table_names():
                yield schema


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
