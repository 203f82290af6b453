"""What the database itself does when an account or a session is changed behind the back of the app.

The user's table can be changed where no signal is sent: by QuerySet.update, another program, SQL by hand.
That a deactivated user is out is asked at each request. That their sessions stay ended when they come back
has to be written down, and only a trigger sees every change. PostgreSQL also tells those who remember
sessions (core.liveness.invalidation).

The triggers depend on no column and name their tables with the schema, so that a host project can alter its
users, and whatever the search path is. They are made after a migrate that finds them missing, different or
disabled.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import names_digest
from django.db.migrations import Migration

from devices.conf import conf
from devices.core import database, ended
from devices.models import DEACTIVATED, DeviceSession, RevocationEvent

from .invalidation import CHANNEL

ACCOUNT_CHANGED = "devices_account_changed"
SESSION_DELETED = "devices_session_deleted"

# The bodies of functions. PostgreSQL reads them when they are called, so no column depends on them.
POSTGRESQL = {
    ACCOUNT_CHANGED: """
    BEGIN
        IF OLD.{is_active}{truth} AND (NEW.{is_active}{truth}) IS NOT TRUE THEN
            UPDATE {sessions} SET password_stamp = '{deactivated}'
                WHERE user_id = NEW.{pk} AND revoked_at IS NULL;
            {tell_of_account}
        END IF;
        IF OLD.{is_active} IS DISTINCT FROM NEW.{is_active}
            OR OLD.{password} IS DISTINCT FROM NEW.{password}
        THEN
            {commit_durably}
            PERFORM pg_notify('{channel}', NEW.{pk}::text);
        END IF;
        RETURN NULL;
    END
    """,
    # A session that is deleted in the middle of its life; not the many that are cleaned up.
    SESSION_DELETED: """
    BEGIN
        IF OLD.revoked_at IS NULL AND OLD.expires_at > now() THEN
            {commit_durably}
            PERFORM pg_notify('{channel}', OLD.user_id::text);
            {tell_of_session}
        END IF;
        RETURN NULL;
    END
    """,
}

# What is told to services (FEED), which other programs need the right for to write it.
TELL = {
    "tell_of_account": """INSERT INTO {events} (session_id, kid, xid, until)
                SELECT id, '', pg_current_xact_id()::text::bigint, now() + '{kept}'
                FROM {sessions} WHERE user_id = NEW.{pk} AND revoked_at IS NULL AND expires_at > now();""",
    "tell_of_session": """INSERT INTO {events} (session_id, kid, xid, until)
                VALUES (OLD.id, '', pg_current_xact_id()::text::bigint, now() + '{kept}');""",
}

SQLITE = """CREATE TRIGGER {name} AFTER UPDATE OF {is_active} ON {users}
        WHEN OLD.{is_active} AND NEW.{is_active} IS NOT TRUE
    BEGIN
        UPDATE {sessions} SET password_stamp = '{deactivated}'
            WHERE user_id = NEW.{pk} AND revoked_at IS NULL;
    END"""


def install(using: str) -> None:
    """Make the triggers that are missing, different or disabled; the others are left alone, and so are locks.

    Databases of other kinds have none, nor have users without a column `is_active`, or with one that is
    neither a boolean nor a number: of a text SQL does not say whether it is true, as Python does.
    """
    connection = connections[using]
    if _has_triggers(connection) and not _can_tell():
        # Those for a column of before would have each change of an account fail.
        _REMOVE[connection.vendor](using)
    for statement in _missing(connection):
        _execute(connection, statement)


def is_complete(using: str) -> bool:
    """Return whether `install` has nothing to do, as where there are no tables or no triggers."""
    return next(_missing(connections[using]), None) is None


def _has_triggers(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor in _MISSING and not conf.CITUS


def _can_tell() -> bool:
    return isinstance(_field("is_active"), models.BooleanField | models.IntegerField)


def _missing(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """The statements that make what is missing. Carry each of them out before you ask for the next."""
    is_active, password = _field("is_active"), _field("password")
    if not _has_triggers(connection) or not _can_tell():
        return
    names: dict[str, Any] = {
        "sessions": DeviceSession._meta.db_table,
        "events": RevocationEvent._meta.db_table,
        "users": is_active.model._meta.db_table,
        "pk": is_active.model._meta.pk.column,
        "is_active": is_active.column,
        # In the same table, unless there is none or a parent model has only one of the two.
        "password": (
            password if password and password.model is is_active.model else is_active
        ).column,
    }
    yield from _MISSING[connection.vendor](connection, names)


def make_way(using: str, plan: Sequence[tuple[Migration, bool]]) -> None:
    """Drop what a migrate is about to stumble over; `install` makes it anew thereafter.

    Going back takes our table away. SQLite makes a table anew to change it, and then reads all triggers,
    while the table that one of them names is not there.
    """
    connection = connections[using]
    goes_back = any(backwards and step.app_label == "devices" for step, backwards in plan)
    if connection.vendor == "sqlite" and plan:
        _remove_from_sqlite(using)
    elif connection.vendor == "postgresql" and goes_back:
        remove(using)


def remove(using: str) -> None:
    """Drop the triggers on PostgreSQL, and their functions."""
    for name in POSTGRESQL:
        _execute(connections[using], f"DROP FUNCTION IF EXISTS {name} CASCADE")


def _remove_from_sqlite(using: str) -> None:
    _execute(connections[using], f"DROP TRIGGER IF EXISTS {ACCOUNT_CHANGED}")


def make_up() -> int:
    """Write down what no trigger has: that accounts are not active. On Citus only; for how many sessions."""
    if _field("is_active") is None or not conf.CITUS:
        return 0
    inactive = get_user_model()._base_manager.filter(is_active=False).values("pk")
    ended = DeviceSession.objects.filter(user_id__in=inactive, revoked_at__isnull=True)
    return ended.exclude(password_stamp=DEACTIVATED).update(password_stamp=DEACTIVATED)


def _missing_in_postgresql(connection: BaseDatabaseWrapper, names: dict[str, str]) -> Iterator[str]:
    # By their names as Django writes them, which may have a schema: db_table = 'crm"."people'.
    tables = _rows(
        connection,
        "SELECT own.relnamespace::regnamespace::text, own.oid, users.oid FROM pg_class own, pg_class users"
        " WHERE own.oid = to_regclass(%s) AND users.oid = to_regclass(%s)"
        " AND users.relkind NOT IN ('v', 'm')",
        [_quote(connection, names["sessions"]), _quote(connection, names["users"])],
    )
    if not tables:
        return
    [(schema, sessions, users)] = tables
    quoted = {key: _quote(connection, name) for key, name in names.items()}
    for table in ("sessions", "events"):
        quoted[table] = f"{schema}.{quoted[table]}"
    tell = {
        name: sql.format(**quoted, kept=ended.kept_for()) if conf.FEED else ""
        for name, sql in TELL.items()
    }
    tell["truth"] = "" if isinstance(_field("is_active"), models.BooleanField) else " <> 0"
    path = _search_path(connection, users, names["pk"])
    durably = database.durable_commit()
    tell["commit_durably"] = f"PERFORM {durably};" if durably else ""
    for name, table in ((ACCOUNT_CHANGED, users), (SESSION_DELETED, sessions)):
        function = f"{schema}.{name}"
        body = POSTGRESQL[name].format(**quoted, **tell, deactivated=DEACTIVATED, channel=CHANNEL)
        is_there = (
            "SELECT 1 FROM pg_proc WHERE oid = to_regproc(%s) AND prosrc = %s"
            " AND prosecdef AND proconfig = ARRAY[%s]"
        )
        if not _rows(connection, is_there, [function, body, f"search_path={path}"]):
            # With the rights of who owns it: other programs have some to the users only, and none to ours.
            yield (
                f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
                f" SECURITY DEFINER SET search_path = {path} AS $${body}$$"
            )
        # A restore of the data alone, or a bulk import, may have left it disabled.
        is_called = (
            "SELECT 1 FROM pg_trigger"
            " WHERE tgrelid = %s AND tgfoid = to_regproc(%s) AND tgenabled <> 'D'"
        )
        if not _rows(connection, is_called, [table, function]):
            [(place,)] = _rows(connection, "SELECT %s::oid::regclass::text", [table])
            event = "UPDATE" if name == ACCOUNT_CHANGED else "DELETE"
            # The users of several schemas of sessions may stand in one table.
            trigger = f"{name}_{names_digest(schema, length=8)}"
            yield (
                f"CREATE OR REPLACE TRIGGER {trigger} AFTER {event} ON {place} FOR EACH ROW"
                f" EXECUTE FUNCTION {function}()"
            )


def _search_path(connection: BaseDatabaseWrapper, users: int, key: str) -> str:
    """Where the functions find operators: nowhere that who calls them has chosen, but at the key's type."""
    [(schema,)] = _rows(
        connection,
        "SELECT typnamespace::regnamespace::text FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
        " WHERE attrelid = %s AND attname = %s",
        [users, key],
    )
    return ", ".join(dict.fromkeys(("pg_catalog", schema, "pg_temp")))


def _missing_in_sqlite(connection: BaseDatabaseWrapper, names: dict[str, str]) -> Iterator[str]:
    if not {names["sessions"], names["users"]} <= set(connection.introspection.table_names()):
        return
    quoted = {key: _quote(connection, name) for key, name in names.items()}
    sql = SQLITE.format(**quoted, name=ACCOUNT_CHANGED, deactivated=DEACTIVATED)
    is_there = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = %s AND sql = %s"
    if not _rows(connection, is_there, [ACCOUNT_CHANGED, sql]):
        yield f"DROP TRIGGER IF EXISTS {ACCOUNT_CHANGED}"
        yield sql


_MISSING = {"postgresql": _missing_in_postgresql, "sqlite": _missing_in_sqlite}
_REMOVE = {"postgresql": remove, "sqlite": _remove_from_sqlite}


def _field(name: str) -> Any:
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete else None


def _quote(connection: BaseDatabaseWrapper, name: str) -> str:
    return connection.ops.quote_name(name)


def _rows(
    connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _execute(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
