"""What the database itself does when an account is deactivated, by whatever route.

The user's table can be changed where no signal is sent: by QuerySet.update, another program, SQL by hand.
That a deactivated user is out is asked at each request. That their sessions stay ended when they come back
has to be written down, and only a trigger sees every change.
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import connections

from devices.models import DEACTIVATED, DeviceSession

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
    is_active = _is_active()
    if is_active is None or connection.vendor not in STATEMENTS:
        return
    names = {
        "sessions": DeviceSession._meta.db_table,
        "users": is_active.model._meta.db_table,
        "pk": is_active.model._meta.pk.column,
        "is_active": is_active.column,
    }
    if not {names["sessions"], names["users"]} <= set(connection.introspection.table_names()):
        return
    quoted = {key: connection.ops.quote_name(name) for key, name in names.items()}
    with connection.cursor() as cursor:
        for statement in STATEMENTS[connection.vendor]:
            cursor.execute(statement.format(**quoted, deactivated=DEACTIVATED))


def _is_active() -> Any:
    try:
        field = get_user_model()._meta.get_field("is_active")
    except FieldDoesNotExist:
        return None
    return field if field.concrete else None
