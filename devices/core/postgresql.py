"""Statements that go to PostgreSQL without a cursor, by psycopg 3, and are planned once per connection.

For one row that is found by its key, the cursors of Django and psycopg take longer than PostgreSQL, and of
what PostgreSQL does most is planning.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from types import FunctionType
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.db.backends.utils import CursorWrapper

try:
    from django.db.backends.postgresql.base import Cursor, ServerBindingCursor
    from psycopg import Connection, adapters, capabilities, errors, generators
    from psycopg.adapt import AdaptersMap, PyFormat, Transformer
    from psycopg.pq import ExecStatus, Format, PipelineStatus, TransactionStatus
    from psycopg.types.numeric import Int8

    if not capabilities.has_pipeline():
        raise ImportError("What belongs together is sent together, which takes libpq 14.")
except (ImportError, ImproperlyConfigured):
    # Without any psycopg, as on SQLite, Django's engine raises the second.
    Connection: Any = None  # type: ignore[no-redef]

logger = logging.getLogger("devices")

# By PostgreSQL's appendix A. The statement is unknown: another backend answers than it was prepared on, or
# somebody has discarded it. It is there already: a pooler has handed out the backend of somebody else.
UNKNOWN, TAKEN = "26000", "42P05"
# A column has another type now.
STALE = "0A000"

# Sends one command, without waiting for its answer.
Command = Callable[[], None]


class Answer(NamedTuple):
    """What PostgreSQL answered, with the parts of a cursor that read it."""

    rows: list[Any]
    rowcount: int

    def fetchall(self) -> list[Any]:
        """All rows."""
        return self.rows


class _Link:
    """What is known of a connection."""

    def __init__(self, given: "Connection[Any]") -> None:
        # How values are read and written: the host's own types, too.
        own = AdaptersMap(given.adapters)
        # Django's loader moves a time to the zone of the database in Python. Moments are the same in UTC.
        oid = adapters.types["timestamptz"].oid
        if loader := adapters.get_loader(oid, Format.TEXT):
            own.register_loader(oid, loader)
        # One for all statements, under the lock of the connection: it looks up each type only once.
        self.converter = Transformer(own)
        # Names of statements. One that a connection runs once only is not worth preparing.
        self.has_run: set[str] = set()
        self.prepared: set[str] = set()
        self._is_exclusive: bool | None = None

    def is_exclusive(self, given: "Connection[Any]") -> bool:
        """Whether nobody hands out another backend for the next transaction.

        PgBouncer and the like give their clients a number of their own for the backend.
        """
        if self._is_exclusive is None:
            ask = partial(given.pgconn.send_query_params, b"SELECT pg_backend_pid()", None)
            [[pid]] = _read(_results(given, [ask]), self.converter).rows
            self._is_exclusive = pid == given.info.backend_pid
        return self._is_exclusive


_links: "WeakKeyDictionary[Connection[Any], _Link]" = WeakKeyDictionary()


class Direct:
    """SQL with numbered parameters, under the name by which it is prepared."""

    # Until somebody discards what is prepared, a pooler hands out another backend, or the type of a
    # column changes. From then on this process prepares nothing.
    may_prepare: ClassVar = True

    def __init__(self, name: str, sql: str, *, is_read: bool) -> None:
        self._name, self._sql, self._is_read = name, sql, is_read

    def execute(self, connection: Any, values: Sequence[Any]) -> Answer | None:
        """Run it with these values.

        None where it takes a cursor: without psycopg 3, to open the connection, and where somebody watches
        the cursors. Raises what Django's cursor does.
        """
        given = connection.connection
        if type(given) is not Connection or _is_watched(connection, given):
            return None
        # A SELECT finds out by itself whether the connection is alive, and may be repeated on another.
        is_check = connection.health_check_enabled and not connection.health_check_done
        if is_check and not (self._is_read and given.autocommit):
            return None
        begins = not given.autocommit and (
            given.pgconn.transaction_status == TransactionStatus.IDLE
        )
        if begins and (given.isolation_level, given.read_only, given.deferrable) != (None,) * 3:
            return None  # These go into the BEGIN that psycopg sends.
        if given.pgconn.pipeline_status != PipelineStatus.OFF:
            return None
        # What Django checks before it makes a cursor, and uses it.
        connection.ensure_connection()
        connection.validate_thread_sharing()
        connection.validate_no_broken_transaction()
        try:
            answer = self._send(connection, given, values, begins=begins)
        except (OperationalError, InterfaceError):
            if is_check and given.closed:
                return None
            raise
        connection.health_check_done = True
        return answer

    def _send(
        self, connection: Any, given: "Connection[Any]", values: Sequence[Any], *, begins: bool
    ) -> Answer:
        with connection.wrap_database_errors, given.lock:
            link = _links.get(given)
            if link is None:
                link = _links[given] = _Link(given)
            converter = link.converter
            values = [_widened(value) for value in values]
            dumped = converter.dump_sequence(values, [PyFormat.TEXT] * len(values))
            before: list[Command] = []
            if begins:
                before.append(partial(given.pgconn.send_query_params, b"BEGIN", None))
            if self._name not in link.has_run:
                link.has_run.add(self._name)
            # A number beyond all columns can still be compared with one, but not as a parameter of its type.
            elif (
                self.may_prepare and int not in map(type, values) and _can_prepare(connection, link)
            ):
                answer = self._execute_prepared(given, link, converter, dumped, before)
                if answer is not None:
                    return answer
            sql = self._sql.encode()
            run = partial(given.pgconn.send_query_params, sql, dumped, converter.types)
            return _read(_results(given, [*before, run]), converter)

    def _execute_prepared(
        self,
        given: "Connection[Any]",
        link: _Link,
        converter: Any,
        dumped: Sequence[Any],
        before: Sequence[Command],
    ) -> Answer | None:
        """None where it has to run unprepared."""
        commands, name = [*before], self._name.encode()
        is_new = self._name not in link.prepared
        if is_new:
            sql = self._sql.encode()
            commands.append(partial(given.pgconn.send_prepare, name, sql, converter.types))
        commands.append(partial(given.pgconn.send_query_prepared, name, dumped))
        results = _results(given, commands)
        # It stays prepared also where it fails then, or what it is in.
        if is_new and results[-2].status == ExecStatus.COMMAND_OK:
            link.prepared.add(self._name)
        try:
            return _read(results, converter)
        except errors.Error as error:
            if error.sqlstate not in (UNKNOWN, TAKEN, STALE):
                raise
            Direct.may_prepare = False
            logger.warning("Statements are not prepared any more in this process: %s", error)
            if not given.autocommit:
                # The transaction is lost, as it is with its connection.
                raise OperationalError(str(error)) from None
            return None


def _is_watched(connection: Any, given: Any) -> bool:
    # By Django's log of queries or its execute_wrappers, or by a package that has replaced the cursor. An
    # engine may do more than watch: django-tenants sets the schema where a cursor is made.
    return bool(
        connection.execute_wrappers
        or connection.queries_logged
        or "cursor" in vars(connection)
        or hasattr(CursorWrapper.execute, "__wrapped__")
        or given.cursor_factory not in (Cursor, ServerBindingCursor)
        or _has_own_cursors(connection.__class__)
    )


@cache
def _has_own_cursors(engine: Any) -> bool:
    names = ("cursor", "_cursor", "create_cursor", "_prepare_cursor", "make_cursor")
    return not all(_is_djangos(getattr(engine, name)) for name in names)


def _is_djangos(method: Any) -> bool:
    # A package may have put its own into Django's engine (aws-xray-sdk).
    return isinstance(method, FunctionType) and method.__globals__["__name__"].startswith("django.")


def _can_prepare(connection: Any, link: _Link) -> bool:
    # Django's own switch for a pooler is DISABLE_SERVER_SIDE_CURSORS. Where a transaction is open, by
    # atomic() or since the host commits by itself, a failure would be its end.
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    given = connection.connection
    return given.autocommit or link.is_exclusive(given)


def _results(given: "Connection[Any]", commands: Sequence[Command]) -> list[Any]:
    """Send these commands at once, and return what came of each. None is run after one that has failed."""
    pgconn = given.pgconn
    if len(commands) == 1:
        commands[0]()
        return given.wait(generators.execute(pgconn))
    pgconn.enter_pipeline_mode()
    try:
        for send in commands:
            send()
        pgconn.pipeline_sync()
        results = given.wait(_fetch(pgconn, len(commands)))
    except BaseException:
        given.close()  # The rest of the answers would be taken for those to the next commands.
        raise
    pgconn.exit_pipeline_mode()
    return results


def _fetch(pgconn: Any, count: int) -> Generator[Any, Any, list[Any]]:
    yield from generators.send(pgconn)
    results: list[Any] = []
    for _ in range(count):
        results += yield from generators.fetch_many(pgconn)
    yield from generators.fetch_many(pgconn)  # They are all.
    return results


def _read(results: Sequence[Any], converter: Any) -> Answer:
    """The answer to the last command. Raises the error of the first that failed."""
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result)
    rows: list[Any] = []
    if result.status == ExecStatus.TUPLES_OK:
        converter.set_pgresult(result)
        rows = converter.load_rows(0, result.ntuples, tuple)
        converter.set_pgresult(None)  # It is there as long as the connection.
    return Answer(rows, result.command_tuples or 0)


def _widened(value: Any) -> Any:
    # Django gives a number the type of the column that it is compared with, which it may not fit.
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    return Int8(value) if -(2**63) <= value < 2**63 else int(value)
