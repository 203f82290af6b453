"""A SELECT that is asked on every request: PostgreSQL plans it once per connection instead of each time."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from django.db import DataError, NotSupportedError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("devices")


class Statement:
    """One row for parameters that are given as `%s`, in their order."""

    def __init__(self, name: str, sql: str) -> None:
        # A pooler may hand out a backend on which another release has prepared a statement of this name.
        name = f"{name}_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
        self._sql, self._name = sql, name
        count = sql.count("%s")
        self._prepare = f"PREPARE {name} AS {sql % tuple(f'${n}' for n in range(1, count + 1))}"
        self._execute = f"EXECUTE {name} ({', '.join(['%s'] * count)})"
        self._prepared: WeakSet[Any] = WeakSet()
        self._may_prepare = True

    def row(self, connection: BaseDatabaseWrapper, parameters: Sequence[Any]) -> Any:
        """The row, or None. The parameters are as the database takes them."""
        if self._may_prepare and _can_prepare(connection):
            try:
                return self._ask_prepared(connection, parameters)
            except DataError:
                return None  # a number that is none of the column's
            except (ProgrammingError, NotSupportedError) as error:
                # Answered by another backend than it was prepared on, so a pooler stands in between; or
                # a column has another type now.
                self._may_prepare = False
                logger.warning("%s is no longer prepared: %s", self._name, error)
        with connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            return cursor.fetchone()

    def _ask_prepared(self, connection: BaseDatabaseWrapper, parameters: Sequence[Any]) -> Any:
        with connection.cursor() as cursor:
            if connection.connection not in self._prepared:
                cursor.execute(self._prepare)
                self._prepared.add(connection.connection)
            cursor.execute(self._execute, parameters)
            return cursor.fetchone()


def _can_prepare(connection: BaseDatabaseWrapper) -> bool:
    # Within a transaction a failure would be the end of the transaction. Django's own switch for a pooler
    # that hands out another backend for each transaction is DISABLE_SERVER_SIDE_CURSORS.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return False
    given = connection.settings_dict
    if given.get("DISABLE_SERVER_SIDE_CURSORS") or given["OPTIONS"].get("server_side_binding"):
        return False
    return connection.connection is None or connection.get_autocommit()
