"""What every verb does to rows in hand: lock and write."""

from collections.abc import Sequence
from typing import Any, TypeGuard, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models.sql import UpdateQuery

from devices.core import database
from devices.models import DeviceSession, DeviceSessionQuerySet


def lock(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """The user's row as it is now, locked until commit; other tables may still refer to it.

    Also that of a user whom the model's own manager hides: their sessions can be ended.
    """
    return get_user_model()._base_manager.select_for_update(no_key=True).filter(pk=user.pk).first()


def is_same(
    account: AbstractBaseUser | None, user: AbstractBaseUser
) -> TypeGuard[AbstractBaseUser]:
    """Whether the locked account is active and still under the password that was proved."""
    return account is not None and account.is_active and account.password == user.password


def unrevoked(session: DeviceSession) -> DeviceSessionQuerySet:
    return DeviceSession.objects.filter(
        pk=session.pk, user_id=session.user_id, revoked_at__isnull=True
    )


def update_returning(rows: DeviceSessionQuerySet, **values: Any) -> list[DeviceSession]:
    """UPDATE … RETURNING, for which Django has no words: those that were changed, as they are now."""
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values(values)
    connection = database.connection()
    compiler = query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    table, fields = DeviceSession._meta.db_table, DeviceSession._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {columns}", parameters)
        found = cursor.fetchall()
    converters = compiler.get_converters([field.get_col(table) for field in fields])
    names = [field.attname for field in fields]
    return [
        DeviceSession.from_db(connection.alias, names, row)
        for row in compiler.apply_converters(found, converters)
    ]


def assign(sessions: Sequence[DeviceSession], values: dict[str, Any]) -> None:
    for session in sessions:
        for name, value in values.items():
            setattr(session, name, value)
