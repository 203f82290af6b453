"""Statements that Django compiles once, and that run with other values each time.

Django builds the SQL of a query anew whenever it runs, which takes longer than the database needs for it.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast
from weakref import WeakSet

from django.db import (
    DataError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Expression, Field, Func, Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.sql import UpdateQuery
from django.db.transaction import mark_for_rollback_on_error

from devices.core import database
from devices.core.postgresql import UNKNOWN, Direct

logger = logging.getLogger("devices")

Row = Sequence[Any]
_Result = TypeVar("_Result")


class Parameter(Expression):
    """The place of a value that is given when the statement runs, converted as one of `output_field`."""

    # Not a Value, of which a JSONField takes the value while it compiles.

    def __init__(self, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Put itself among the parameters of the SQL."""
        return "%s", [self]


class Statement(Generic[_Result]):
    """SQL that is run with values for its Parameters; `read` takes the result from the cursor."""

    def __init__(
        self,
        using: str,
        sql: str,
        parameters: Iterable[Any],
        read: Callable[[Any], _Result],
        model: type[Model],
    ) -> None:
        self._using, self._sql, self._read = using, sql, read
        self._parameters = list(parameters)
        # Who reads the log of the database sees what it is about. A pooler may hand out a backend on which
        # another release has prepared its own.
        number = hashlib.sha256(sql.encode()).hexdigest()[:16]
        self._name = f"devices_{model._meta.model_name}_{number}"
        self._numbered = sql % tuple(f"${place}" for place, _ in enumerate(self._parameters, 1))
        self._direct = None
        if connections[using].vendor == "postgresql":
            self._direct = Direct(self._name, self._numbered, is_read=isinstance(self, Reading))

    def run(self, given: Mapping[str, Any]) -> _Result:
        """Run it with a value for the name of each Parameter."""
        connection = connections[self._using]
        values = [
            each.output_field.get_db_prep_value(given[each.name], connection)
            if isinstance(each, Parameter)
            else each
            for each in self._parameters
        ]
        return self.run_with(values, connection)

    def run_with(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> _Result:
        """Run it with a value for each of its places, as the database takes it."""
        answer = self._direct and self._direct.execute(connection, values)
        return self._run(connection, values) if answer is None else self._read(answer)

    def _run(self, connection: BaseDatabaseWrapper, values: Sequence[Any]) -> _Result:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, values)
            return self._read(cursor)


class Writing(Statement[_Result]):
    """A statement that changes rows, of which no part stays in a transaction where it fails."""

    def run_with(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> _Result:
        """As Statement.run_with."""
        with mark_for_rollback_on_error(self._using):
            return super().run_with(values, connection)


class Reading(Statement[_Result]):
    """A SELECT, which is prepared where it takes a cursor, too: with psycopg 2, for example.

    Not for what changes rows: packages that cache queries look for the verb (django-cachalot).
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        name = f"{self._name}_cursor"
        self._prepare = f"PREPARE {name} AS {self._numbered}"
        self._execute = f"EXECUTE {name} ({', '.join(['%s'] * len(self._parameters))})"
        # Connections. What one of them runs once only is not worth preparing.
        self._has_run: WeakSet[Any] = WeakSet()
        self._prepared: WeakSet[Any] = WeakSet()
        self._may_prepare = True

    def _run(self, connection: BaseDatabaseWrapper, values: Sequence[Any]) -> _Result:
        has_run = connection.connection in self._has_run
        if has_run and self._may_prepare and _can_prepare(connection):
            try:
                return self._run_prepared(connection, values)
            except DataError:
                pass  # A number that is none of the column's, with which others can be compared.
            except (ProgrammingError, NotSupportedError, OperationalError) as error:
                # Answered by another backend than it was prepared on, so a pooler stands in between; or a
                # column has another type now. psycopg2 has an OperationalError for the former.
                if isinstance(error, OperationalError) and database.sqlstate(error) != UNKNOWN:
                    raise
                self._may_prepare = False
                logger.warning(
                    "The prepared statement %s does not exist any more: %s", self._name, error
                )
        result = super()._run(connection, values)
        if connection.vendor == "postgresql":
            self._has_run.add(connection.connection)
        return result

    def _run_prepared(self, connection: BaseDatabaseWrapper, values: Sequence[Any]) -> _Result:
        with connection.cursor() as cursor:
            if connection.connection not in self._prepared:
                cursor.execute(self._prepare)
                self._prepared.add(connection.connection)
            cursor.execute(self._execute, values)
            return self._read(cursor)


def _can_prepare(connection: BaseDatabaseWrapper) -> bool:
    # Within a transaction a failure would be the end of the transaction. Django's own switch for a pooler
    # that hands out another backend for each transaction is DISABLE_SERVER_SIDE_CURSORS.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return False
    if connection.queries_logged:
        return False  # Somebody counts them.
    given = connection.settings_dict
    if given.get("DISABLE_SERVER_SIDE_CURSORS") or given["OPTIONS"].get("server_side_binding"):
        return False
    return connection.get_autocommit()


class Update:
    """An UPDATE of these rows, as `rows.update(**values)`; both may hold a Parameter."""

    def __init__(self, rows: QuerySet[Any], using: str, **values: Any) -> None:
        query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
        query.add_update_values(values)
        sql, parameters = query.get_compiler(using).as_sql()
        self._counting = Writing(
            using, sql, parameters, lambda cursor: int(cursor.rowcount), rows.model
        )
        every = rows.model._base_manager.order_by().query.get_compiler(using)
        every.pre_sql_setup()
        columns = ", ".join(sql for _, (sql, _), _ in every.select)
        read = Rows(every).read
        self._returning = Writing(using, f"{sql} RETURNING {columns}", parameters, read, rows.model)

    def run(self, given: Mapping[str, Any]) -> int:
        """Run it with a value for the name of each Parameter; how many rows were changed."""
        return self._counting.run(given)

    def run_returning(self, given: Mapping[str, Any]) -> list[Any]:
        """As `run`, and the rows that were changed, as they are now. Django has no words for RETURNING."""
        return self._returning.run(given)


class AsynchronousUpdate(Update):
    """An UPDATE whose commit waits neither for PostgreSQL's disk nor for a standby, where it is its own.

    For what may be lost with the last half second before a crash of the server. Others see it at once.
    Not for what Citus spreads: it takes no function that changes something among the conditions of a row.
    """

    def __init__(self, rows: QuerySet[Any], using: str, **values: Any) -> None:
        super().__init__(rows, using, **values)
        self._alone = Update(rows.filter(_AsynchronousCommit()), using, **values)

    def run(self, given: Mapping[str, Any]) -> int:
        """As Update.run."""
        is_alone = database.commits_alone(database.connection())
        return self._alone.run(given) if is_alone else super().run(given)


class _AsynchronousCommit(Func):
    """A condition that has the commit of the statement wait for nothing, if it changes a row."""

    template = f"{database.COMMIT_ASYNCHRONOUSLY} = 'off'"
    output_field = BooleanField()


class Insert:
    """An INSERT of rows of this model, as bulk_create() makes it, but for the keys that the database gives.

    Where one is missing, it is not read back. For few rows: all go in one statement.
    """

    def __init__(self, model: type[Model], using: str) -> None:
        quote = connections[using].ops.quote_name
        meta = model._meta
        self._fields = [each for each in meta.local_concrete_fields if each is not meta.auto_field]
        columns = ", ".join(quote(cast(str, field.column)) for field in self._fields)
        self._model, self._using = model, using
        self._sql = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES "
        self._row = f"({', '.join(['%s'] * len(self._fields))})"
        # By how many rows they insert.
        self._statements: dict[int, Writing[None]] = {}

    def run(self, rows: Sequence[Model]) -> None:
        """Insert the rows, of which there is at least one."""
        connection = connections[self._using]
        values = [
            field.get_db_prep_save(field.pre_save(row, add=True), connection)
            for row in rows
            for field in self._fields
        ]
        statement = self._statements.get(len(rows))
        if statement is None:
            sql = self._sql + ", ".join([self._row] * len(rows))
            empty = [None] * len(values)
            statement = Writing(self._using, sql, empty, lambda cursor: None, self._model)
            self._statements[len(rows)] = statement
        statement.run_with(values, connection)
        for row in rows:
            row._state.adding, row._state.db = False, self._using


class Select:
    """A SELECT of these rows, as the QuerySet gives them; its conditions may hold a Parameter.

    Whatever else is in the QuerySet is compiled once, so that it must not depend on the moment.
    """

    def __init__(self, rows: QuerySet[Any], using: str) -> None:
        # Of a copy: while one thread compiles a query, another one would take the joins out of it.
        compiler = rows.all().query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        read = Rows(compiler).read
        self._statement: Reading[list[Any]] = Reading(using, sql, parameters, read, rows.model)

    def run(self, given: Mapping[str, Any]) -> list[Any]:
        """Run it with a value for the name of each Parameter; the rows as instances of the model."""
        return self._statement.run(given)


class Rows:
    """Makes instances of the rows of a compiled SELECT, as django.db.models.query.ModelIterable does."""

    def __init__(self, compiler: Any) -> None:
        self._using: str = compiler.using
        self._columns = Columns(compiler.klass_info, compiler)
        self._annotations = list(compiler.annotation_col_map.items())
        converters = compiler.get_converters([expression for expression, *_ in compiler.select])
        self._converters = list(converters.items())

    def read(self, cursor: Any) -> list[Any]:
        """The instances of a cursor's rows, with what was selected along with them."""
        return [self._build(row) for row in cursor.fetchall()]

    def _build(self, row: Row) -> Any:
        if self._converters:
            converted, connection = list(row), connections[self._using]
            for place, (converters, expression) in self._converters:
                for convert in converters:
                    converted[place] = convert(converted[place], expression, connection)
            row = converted
        built = self._columns.build(row)
        for name, place in self._annotations:
            setattr(built, name, row[place])
        return built


class Columns:
    """The columns of a row that make one object, and those of the objects that were selected with it."""

    def __init__(self, info: Mapping[str, Any], compiler: Any) -> None:
        self._using: str = compiler.using
        self._model: type[Model] = info["model"]
        places = {
            compiler.select[place][0].target.attname: place for place in info["select_fields"]
        }
        # In the order of Model.__init__; the select has the columns of a parent table elsewhere.
        fields = self._model._meta.concrete_fields
        names = [field.attname for field in fields if field.attname in places]
        # Where some are missing, from_db() looks for each field among the names.
        self._names = names if len(names) == len(fields) else dict.fromkeys(names)
        self._cut = itemgetter(*(places[name] for name in names))
        self._pk = places[cast(Any, self._model._meta.pk).attname]
        # A model of ours is made without `__init__`, and the signals that it sends.
        self._is_ours = self._model._meta.app_label == "devices"
        self._related = [
            (Columns(each, compiler), each["local_setter"], each["remote_setter"])
            for each in info.get("related_klass_infos", ())
        ]

    def build(self, row: Row) -> Any:
        """Make the model instance of a row."""
        values = self._cut(row)
        if self._is_ours:
            built = self._model.__new__(self._model)
            built.__dict__.update(zip(self._names, values, strict=True))
            built._state = state = ModelState()
            state.db, state.adding = self._using, False
        else:
            built = self._model.from_db(self._using, cast(Any, self._names), values)
        for related, set_here, set_there in self._related:
            other = None if row[related._pk] is None else related.build(row)
            set_here(built, other)
            if other is not None:
                set_there(other, built)
        return built
