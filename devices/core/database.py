"""The database that sessions are written to, by whatever alias: its transactions, and what follows them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connections,
    models,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

from devices.conf import conf
from devices.models import DeviceSession

# By what drivers say that the database is away, full, locked, or out of time; any other error is a fault in
# the statement. PostgreSQL: classes and codes of its appendix A. 25P03 and 25P04: it closed the connection of
# a transaction that was idle or took too long; psycopg has no OperationalError for them.
POSTGRESQL_AWAY = ("08", "53", "57", "58", "25006", "25P03", "25P04", "40001", "40P01", "55P03")
# SQLite: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
SQLITE_AWAY = {5, 6, 7, 8, 9, 10, 13, 14, 15}

# libpq's name of a connection without a transaction.
PQTRANS_IDLE: Final = 0

# What PostgreSQL's `synchronous_commit` may be, the weakest first.
COMMITS: Final = ("off", "local", "remote_write", "on", "remote_apply")
# Within a statement that is a transaction by itself: its commit waits for no disk and no standby. Others see
# it at once all the same; a crash of the server may lose the last half second.
COMMIT_ASYNCHRONOUSLY: Final = "set_config('synchronous_commit', 'off', true)"

# What the role of the site does with the app's tables, and with the users'.
RIGHTS: Final = ["SELECT", "INSERT", "UPDATE", "DELETE"]
RIGHTS_TO_USERS: Final = ["SELECT", "UPDATE"]


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
    using = alias()
    if not _has_schemas(using):
        return using, ""
    given: Any = connections[using]
    return using, given.schema_name or ""


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. Raises OverflowError for the first and the last day of the calendar.

    Databases take times in a zone of their own, in which these may be in the year 0 or 10000.
    """
    utc, day = moment.astimezone(UTC), timedelta(days=1)
    _ = utc - day, utc + day
    return utc


@cache
def _has_schemas(using: str) -> bool:
    return hasattr(connections[using], "set_schema")


@contextmanager
def within(schema: str) -> Iterator[None]:
    """Use this schema, in a thread without a request. The empty name means the only one."""
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
    kind = _ImmediateAtomic if connection().vendor == "sqlite" else transaction.Atomic
    return kind(alias(), savepoint=True, durable=False)


class _ImmediateAtomic(transaction.Atomic):
    """SQLite waits for other writers where a transaction begins.

    By default it does not wait in one that reads before it writes, and refuses it with "database is locked"
    as soon as somebody else has written in between.
    """

    def __enter__(self) -> None:
        given: Any = transaction.get_connection(self.using)
        given.ensure_connection()  # It reads the mode of the settings, which is for the host's transactions.
        mode = given.transaction_mode
        given.transaction_mode = mode or "IMMEDIATE"
        try:
            super().__enter__()
        finally:
            given.transaction_mode = mode


def on_commit(do: Callable[[], Any], *, robust: bool = False) -> None:
    """As Django's own, there: call it once what is written just now is committed."""
    # Not by `transaction.on_commit`: tests of projects put a function of one argument in its place.
    connection().on_commit(do, robust=robust)


def after_commit(do: Callable[[], Any]) -> None:
    """Call it after the commit of somebody else's transaction, such as one of ATOMIC_REQUESTS; else now."""
    if is_within_transaction():
        on_commit(do, robust=True)
    else:
        do()


def is_within_transaction() -> bool:
    """Whether somebody else's transaction is open there, such as one of ATOMIC_REQUESTS."""
    # One around a whole test ends nothing that the test could see.
    blocks = connection().atomic_blocks
    return any(not getattr(each, "_from_testcase", False) for each in blocks)


def reads_committed() -> bool:
    """Whether the next statement there sees what is committed by now, and nothing else.

    So does the first one of a transaction: PostgreSQL begins it with that.
    """
    here = connection()
    driver: Any = here.connection
    if driver is None:
        return True
    if here.vendor == "sqlite":
        return not driver.in_transaction
    # The same number by psycopg 3 and psycopg2.
    return bool(driver.info.transaction_status == PQTRANS_IDLE)


def lock_name(name: str) -> None:
    """Wait for whoever else holds this name, and hold it until the transaction in hand ends.

    For limits on rows that are not there yet, and so cannot be locked. SQLite has one writer at a time.
    """
    if connection().vendor == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with connection().cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def commit_durably() -> None:
    """Have the transaction in hand wait for its standbys as REVOCATION_COMMIT says: it ends sessions."""
    if sql := durable_commit():
        with connection().cursor() as cursor:
            cursor.execute(f"SELECT {sql}")


def commits_alone(here: BaseDatabaseWrapper) -> bool:
    """Whether its next statement is a transaction of PostgreSQL by itself, as COMMIT_ASYNCHRONOUSLY needs."""
    return here.vendor == "postgresql" and here.get_autocommit()


def durable_commit() -> str:
    """The SQL of `commit_durably`, after its verb; empty where there is nothing to say. It lowers nothing."""
    level = conf.REVOCATION_COMMIT
    if level is None or connection().vendor != "postgresql":
        return ""
    weaker = ", ".join(f"'{each}'" for each in COMMITS[: COMMITS.index(level)])
    return (
        f"set_config('synchronous_commit', '{level}', true)"
        f" WHERE current_setting('synchronous_commit') IN ({weaker})"
    )


def replication() -> tuple[str, str, int]:
    """PostgreSQL's synchronous_commit and synchronous_standby_names here, and how many standbys there are."""
    with connection().cursor() as cursor:
        # Others' columns are hidden from plain roles, their rows are not. A backup that runs counts as well;
        # who reads changes by logical decoding does not, since no failover leads there.
        cursor.execute(
            "SELECT current_setting('synchronous_commit'),"
            " current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication"
            " WHERE pid NOT IN (SELECT active_pid FROM pg_replication_slots"
            " WHERE slot_type = 'logical' AND active_pid IS NOT NULL)"
        )
        commit, names, replicas = cursor.fetchone()
    return commit, names, replicas


def late_sequences() -> list[type[models.Model]]:
    """The app's models whose next row would get a number that is taken, so that it cannot be inserted.

    Logical replication brings rows, and leaves the sequences where they were. Empty where there is no
    PostgreSQL.
    """
    here = connection()
    # Workers of Citus have ranges of numbers of their own.
    if here.vendor != "postgresql" or conf.CITUS:
        return []
    there = set(here.introspection.table_names())
    return [
        model
        for model in _own_models()
        if isinstance(model._meta.pk, models.AutoField)
        and model._meta.db_table in there
        and _is_late(here, model)
    ]


def _own_models() -> Iterator[type[models.Model]]:
    """The models of the app, and of its parts in `devices.contrib`."""
    return (each for each in apps.get_models() if each.__module__.partition(".")[0] == "devices")


def _is_late(here: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    table, column = here.ops.quote_name(model._meta.db_table), str(model._meta.pk.column)
    with here.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT max({here.ops.quote_name(column)}) FROM {table})"
            " > coalesce(pg_sequence_last_value(numbers), 0)"
            " FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS numbers) AS its"
            # A role can insert rows without the right to read the numbers.
            " WHERE has_sequence_privilege(numbers, 'USAGE, SELECT')",
            [table, column],
        )
        return bool(cursor.fetchone() == (True,))


def missing_rights() -> list[tuple[str, str]]:
    """The tables and the rights to them that this role needs and does not have.

    Tables that are not there yet need none. Empty where there is no PostgreSQL.
    """
    here = connection()
    if here.vendor != "postgresql":
        return []
    quote = here.ops.quote_name
    own = [quote(model._meta.db_table) for model in _own_models()]
    with here.cursor() as cursor:
        cursor.execute(
            "SELECT name, needed FROM unnest(%s::text[]) name, unnest(%s::text[]) needed"
            " WHERE NOT has_table_privilege(to_regclass(name), needed)"
            # To lock a row, a right to change one of its columns is enough.
            " UNION ALL SELECT name, needed FROM (SELECT %s) AS users (name), unnest(%s::text[]) needed"
            " WHERE NOT has_any_column_privilege(to_regclass(name), needed)",
            [own, RIGHTS, quote(get_user_model()._meta.db_table), RIGHTS_TO_USERS],
        )
        return list(cursor.fetchall())


def hidden_tables() -> list[str]:
    """The tables of the app, and the users', of which row-level security hides all rows from this role.

    They have no policy for it. What policies show is not asked. Empty where there is no PostgreSQL.
    """
    here = connection()
    if here.vendor != "postgresql":
        return []
    models_here = [*_own_models(), get_user_model()]
    names = [here.ops.quote_name(model._meta.db_table) for model in models_here]
    with here.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) name WHERE row_security_active(to_regclass(name)::oid)"
            " AND NOT EXISTS (SELECT FROM pg_policy, unnest(polroles) role"
            " WHERE polrelid = to_regclass(name) AND polpermissive"
            # 0 is everybody.
            " AND (role = 0 OR pg_has_role(role, 'USAGE')))",
            [names],
        )
        return [name for (name,) in cursor.fetchall()]


def history() -> str | None:
    """Which PostgreSQL this is, and which of its histories: another one after a failover or a restore.

    The timeline is that of what is written now. The one in pg_control_checkpoint() follows only with the next
    checkpoint, minutes later. None where there is no PostgreSQL.
    """
    if connection().vendor != "postgresql":
        return None
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier || '.' ||"
            " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
            " FROM pg_control_system()"
        )
        [which] = cursor.fetchone()
    return str(which)


def sqlstate(error: Exception) -> str:
    """PostgreSQL's code of an error, by psycopg 3 or psycopg2; empty if there is none."""
    cause = error.__cause__
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")


def is_outage(error: Exception) -> bool:
    """Whether it is the database that is not available, and not the statement that is wrong."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__
    if state := sqlstate(error):
        return state.startswith(POSTGRESQL_AWAY)
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return bool(code & 0xFF in SQLITE_AWAY)
    # Without a code there was no answer from the server.
    return isinstance(error, OperationalError | InterfaceError)


def announce(signal: Signal, **arguments: Any) -> None:
    """Send a signal to strangers once what is written just now is committed."""
    on_commit(lambda: signal.send_robust(sender=DeviceSession, **arguments))
