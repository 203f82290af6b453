"""Statements that Django compiles once, and that run with other values each time.

Django builds the SQL of a query anew whenever it runs, which takes longer than the database needs for it.
"""

from collections.abc import Mapping
from typing import Any, cast

from django.db import connections
from django.db.models import Field, QuerySet, Value
from django.db.models.sql import UpdateQuery
from django.db.transaction import mark_for_rollback_on_error


class Parameter(Value):
    """The place of a value that is given when the statement runs, converted as one of `output_field`."""

    def __init__(self, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(None, output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Put itself among the parameters of the SQL."""
        return "%s", [self]


class Update:
    """An UPDATE of these rows, as `rows.update(**values)`; both may hold a Parameter."""

    def __init__(self, rows: QuerySet[Any], using: str, **values: Any) -> None:
        query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
        query.add_update_values(values)
        self._model, self._using = rows.model, using
        self._sql, self._parameters = query.get_compiler(using).as_sql()

    def run(self, given: Mapping[str, Any]) -> int:
        """Run it with a value for the name of each Parameter; how many rows were changed."""
        with mark_for_rollback_on_error(self._using), connections[self._using].cursor() as cursor:
            cursor.execute(self._sql, self._values(given))
            return int(cursor.rowcount)

    def run_returning(self, given: Mapping[str, Any]) -> list[Any]:
        """As `run`, and the rows that were changed, as they are now. Django has no words for RETURNING."""
        manager = self._model._base_manager.using(self._using)
        with mark_for_rollback_on_error(self._using):
            return list(manager.raw(f"{self._sql} RETURNING *", self._values(given)))

    def _values(self, given: Mapping[str, Any]) -> list[Any]:
        connection = connections[self._using]
        return [
            each.output_field.get_db_prep_value(given[each.name], connection)
            if isinstance(each, Parameter)
            else each
            for each in self._parameters
        ]
