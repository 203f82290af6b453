"""The database that sessions are kept in: which errors mean that it is away."""

import sqlite3

import psycopg
import pytest
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from devices.core.database import is_outage


def caused(error, cause=None):
    error.__cause__ = cause
    return error


def of_sqlite(code):
    cause = sqlite3.OperationalError()
    cause.sqlite_errorcode = code
    return caused(OperationalError("from SQLite"), cause)


def of_postgresql(error, cause):
    return caused(error("from PostgreSQL"), cause())


class TransactionTimeout(psycopg.OperationalError):
    """Of PostgreSQL 17. psycopg 3.2.1 has no name for it."""

    sqlstate = "25P04"


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("no connection"),
        InterfaceError("the connection is closed"),
        of_postgresql(OperationalError, psycopg.OperationalError),
        of_postgresql(OperationalError, psycopg.errors.AdminShutdown),
        of_postgresql(OperationalError, psycopg.errors.CannotConnectNow),
        of_postgresql(OperationalError, psycopg.errors.TooManyConnections),
        of_postgresql(OperationalError, psycopg.errors.QueryCanceled),
        of_postgresql(OperationalError, psycopg.errors.LockNotAvailable),
        of_postgresql(OperationalError, psycopg.errors.DeadlockDetected),
        # PostgreSQL has closed the connection: the transaction was idle, or took, for too long.
        of_postgresql(InternalError, psycopg.errors.IdleInTransactionSessionTimeout),
        of_postgresql(InternalError, TransactionTimeout),
        # After a failover, the old primary.
        of_postgresql(InternalError, psycopg.errors.ReadOnlySqlTransaction),
        of_sqlite(sqlite3.SQLITE_BUSY),
        of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT),
        of_sqlite(sqlite3.SQLITE_FULL),
        of_sqlite(sqlite3.SQLITE_CANTOPEN),
    ],
)
def test_the_database_is_away(error):
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no connection"),
        DataError(),
        IntegrityError(),
        of_postgresql(ProgrammingError, psycopg.errors.UndefinedColumn),
        of_postgresql(OperationalError, psycopg.errors.StatementTooComplex),
        of_postgresql(InternalError, psycopg.errors.InFailedSqlTransaction),
        of_sqlite(sqlite3.SQLITE_ERROR),
    ],
)
def test_the_statement_is_wrong(error):
    assert not is_outage(error)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("57P01", True), ("25P03", True), ("40P01", True), ("42703", False), ("26000", False)],
)
def test_psycopg2_tells_the_same_by_another_name(code, expected):
    cause = Exception()
    cause.pgcode = code
    assert is_outage(caused(OperationalError(), cause)) is expected
