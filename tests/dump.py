"""The whole database as text, as a backup or a thief would have it."""

import os
import shutil
import subprocess

import pytest
from django.db import connection


def dump() -> str:
    """Every row of every table; by pg_dump, but within a transaction, into which that does not see."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        return "\n".join(connection.connection.iterdump())
    if connection.in_atomic_block or not shutil.which("pg_dump"):
        return _rows()
    return _pg_dump()


def _rows() -> str:
    with connection.cursor() as cursor:
        lines = []
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t")
            lines += [row[0] for row in cursor.fetchall()]
    return "\n".join(lines).replace('""', '"')


def _pg_dump() -> str:
    if not shutil.which("pg_dump"):
        pytest.skip("needs pg_dump")
    names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
    given = {env: str(connection.settings_dict[name]) for name, env in names.items()}
    return subprocess.run(
        ["pg_dump", "--data-only", "--inserts", connection.settings_dict["NAME"]],
        env=os.environ | {env: value for env, value in given.items() if value},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
