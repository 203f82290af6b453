"""What the database itself does when an account or a session is changed behind the back of the app.

The user's table can be changed where no signal is sent: by QuerySet.update, another program, SQL by hand.
That a deactivated user is out is asked at each request. That their sessions stay ended when they come back
has to be written down, and only a trigger sees every change. PostgreSQL also tells those who remember
sessions (core.life.bus).
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import connections

from devices.models import DEACTIVATED, DeviceSession

from .bus import CHANNEL

POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION devices_account_deactivated() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE {sessions} SET auth_stamp = '{deactivated}'
            WHERE user_id = NEW.{pk} AND revoked_at IS NULL;
        RETURN NULL;
    END $$
    """,
    "DROP TRIGGER IF EXISTS devices_account_deactivated ON {users}",
    """
    CREATE TRIGGER devices_account_deactivated AFTER UPDATE OF {is_active} ON {users} FOR EACH ROW
        WHEN (OLD.{is_active} AND NOT NEW.{is_active})
        EXECUTE FUNCTION devices_account_deactivated()
    """,
    """
    CREATE OR REPLACE FUNCTION devices_account_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('{channel}', NEW.{pk}::text);
        RETURN NULL;
    END $$
    """,
    "DROP TRIGGER IF EXISTS devices_account_changed ON {users}",
    """
    CREATE TRIGGER devices_account_changed AFTER UPDATE OF {is_active}, {password} ON {users}
        FOR EACH ROW WHEN (
            OLD.{is_active} IS DISTINCT FROM NEW.{is_active}
            OR OLD.{password} IS DISTINCT FROM NEW.{password}
        )
        EXECUTE FUNCTION devices_account_changed()
    """,
    # A session that is deleted in the middle of its life; not the many that are cleaned up.
    """
    CREATE OR REPLACE FUNCTION devices_session_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('{channel}', OLD.user_id::text);
        RETURN NULL;
    END $$
    """,
    "DROP TRIGGER IF EXISTS devices_session_deleted ON {sessions}",
    """
    CREATE TRIGGER devices_session_deleted AFTER DELETE ON {sessions} FOR EACH ROW
        WHEN (OLD.revoked_at IS NULL AND OLD.expires_at > now())
        EXECUTE FUNCTION devices_session_deleted()
    """,
)

SQLITE = (
    "DROP TRIGGER IF EXISTS devices_account_deactivated",
    """
    CREATE TRIGGER devices_account_deactivated AFTER UPDATE OF {is_active} ON {users}
        WHEN OLD.{is_active} AND NOT NEW.{is_active}
    BEGIN
        UPDATE {sessions} SET auth_stamp = '{deactivated}'
            WHERE user_id = NEW.{pk} AND revoked_at IS NULL;
    END
    """,
)

STATEMENTS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}


def install(using: str) -> None:
    """Make the trigger, anew if it is there. Databases of other kinds have none, nor have users
    without a column `is_active`."""
    connection = connections[using]
    is_active, password = _field("is_active"), _field("password")
    if is_active is None or connection.vendor not in STATEMENTS:
        return
    names = {
        "sessions": DeviceSession._meta.db_table,
        "users": is_active.model._meta.db_table,
        "pk": is_active.model._meta.pk.column,
        "is_active": is_active.column,
        # In the same table, unless a parent model has only one of the two.
        "password": (password if password.model is is_active.model else is_active).column,
    }
    if not {names["sessions"], names["users"]} <= set(connection.introspection.table_names()):
        return
    quoted = {key: connection.ops.quote_name(name) for key, name in names.items()}
    with connection.cursor() as cursor:
        for statement in STATEMENTS[connection.vendor]:
            cursor.execute(statement.format(**quoted, deactivated=DEACTIVATED, channel=CHANNEL))


def _field(name: str) -> Any:
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete else None
