"""Statements that Django compiles once, and that run with other values each time.

Django builds the SQL of a query anew whenever it runs, which takes longer than the database needs for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from django.db import connections, models
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.models.sql import UpdateQuery
from django.db.transaction import mark_for_rollback_on_error

# Django 6.1 wants to know how columns are read that were left out.
FETCH_MODE: Final = (models.FETCH_ONE,) if hasattr(models, "FETCH_ONE") else ()
_populators: Any = get_related_populators


class Parameter(Expression):
    """The place of a value that is given when the statement runs, converted as one of `output_field`."""

    # Not a Value, of which a JSONField takes the value while it compiles.

    def __init__(self, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Put itself among the parameters of the SQL."""
        return "%s", [self]


class Update:
    """An UPDATE of these rows, as `rows.update(**values)`; both may hold a Parameter."""

    def __init__(self, rows: QuerySet[Any], using: str, **values: Any) -> None:
        query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
        query.add_update_values(values)
        self._using = using
        self._sql, self._parameters = query.get_compiler(using).as_sql()
        every = rows.model._base_manager.order_by().query.get_compiler(using)
        every.pre_sql_setup()
        self._columns = ", ".join(sql for _, (sql, _), _ in every.select)
        self._rows = Rows(every)

    def run(self, given: Mapping[str, Any]) -> int:
        """Run it with a value for the name of each Parameter; how many rows were changed."""
        with mark_for_rollback_on_error(self._using), connections[self._using].cursor() as cursor:
            cursor.execute(self._sql, _values(self._parameters, given, self._using))
            return int(cursor.rowcount)

    def run_returning(self, given: Mapping[str, Any]) -> list[Any]:
        """As `run`, and the rows that were changed, as they are now. Django has no words for RETURNING."""
        values = _values(self._parameters, given, self._using)
        with mark_for_rollback_on_error(self._using), connections[self._using].cursor() as cursor:
            cursor.execute(f"{self._sql} RETURNING {self._columns}", values)
            return self._rows.build(cursor.fetchall())


class Insert:
    """An INSERT of rows of this model, as bulk_create() makes it, but for the keys that the database gives.

    Where one is missing, it is not read back. For few rows: all go in one statement.
    """

    def __init__(self, model: type[Model], using: str) -> None:
        quote = connections[using].ops.quote_name
        self._fields = [each for each in model._meta.local_concrete_fields if not each.primary_key]
        columns = ", ".join(quote(cast(str, field.column)) for field in self._fields)
        self._using = using
        self._sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES "
        self._row = f"({', '.join(['%s'] * len(self._fields))})"

    def run(self, rows: Sequence[Model]) -> None:
        """Insert the rows, of which there is at least one."""
        connection = connections[self._using]
        values = [
            field.get_db_prep_save(field.pre_save(row, add=True), connection)
            for row in rows
            for field in self._fields
        ]
        sql = self._sql + ", ".join([self._row] * len(rows))
        with mark_for_rollback_on_error(self._using), connection.cursor() as cursor:
            cursor.execute(sql, values)


class Select:
    """A SELECT of these rows, as the QuerySet gives them; its conditions may hold a Parameter.

    Whatever else is in the QuerySet is compiled once, so that it must not depend on the moment.
    """

    def __init__(self, rows: QuerySet[Any], using: str) -> None:
        compiler = rows.query.get_compiler(using)
        self._using = using
        self._sql, self._parameters = compiler.as_sql()
        self._rows = Rows(compiler)

    def run(self, given: Mapping[str, Any]) -> list[Any]:
        """Run it with a value for the name of each Parameter; the rows as instances of the model."""
        values = _values(self._parameters, given, self._using)
        with mark_for_rollback_on_error(self._using), connections[self._using].cursor() as cursor:
            cursor.execute(self._sql, values)
            return self._rows.build(cursor.fetchall())


class Rows:
    """Makes instances of the rows of a compiled SELECT, as django.db.models.query.ModelIterable does."""

    def __init__(self, compiler: Any) -> None:
        self._using: str = compiler.using
        info, select = compiler.klass_info, compiler.select
        self._model = info["model"]
        first, *_, last = info["select_fields"]
        self._own = slice(first, last + 1)
        self._names = [column.target.attname for column, *_ in select[self._own]]
        self._annotations = list(compiler.annotation_col_map.items())
        self._related = _populators(info, select, compiler.using, *FETCH_MODE)
        converters = compiler.get_converters([expression for expression, *_ in select])
        self._converters = list(converters.items())

    def build(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        """The instances, with what was selected along with them."""
        return [self._build(row) for row in rows]

    def _build(self, row: Sequence[Any]) -> Any:
        if self._converters:
            row, connection = list(row), connections[self._using]
            for place, (converters, expression) in self._converters:
                for convert in converters:
                    row[place] = convert(row[place], expression, connection)
        built = self._model.from_db(self._using, self._names, row[self._own])
        for related in self._related:
            related.populate(row, built)
        for name, place in self._annotations:
            setattr(built, name, row[place])
        return built


def _values(parameters: Iterable[Any], given: Mapping[str, Any], using: str) -> list[Any]:
    """What the parameters of a statement are in a run."""
    connection = connections[using]
    return [
        each.output_field.get_db_prep_value(given[each.name], connection)
        if isinstance(each, Parameter)
        else each
        for each in parameters
    ]
