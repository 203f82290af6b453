"""A database full of people and sessions, made by PostgreSQL itself: ten million rows in minutes.

    DATABASE_URL=postgres://… python -m benchmarks.population --sessions 1000000

Every fifth row is a person's first; what becomes of the n-th session (`kind`) and whose it is (`owner`) can
be told without asking the database, so that a benchmark finds its subjects without warming up their rows.
"""

import argparse
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from hashlib import md5
from typing import Any

import django

PER_USER = 5
PASSWORD = "a password for the benchmarks"
STEP = 1_000_000

# What becomes of a session, in twentieths of all.
REVOKED_LONG_AGO, EXPIRED_LONG_AGO, REVOKED, EXPIRED, ACTIVE = range(5)
KINDS = (REVOKED_LONG_AGO, EXPIRED_LONG_AGO, *[REVOKED] * 4, EXPIRED, *[ACTIVE] * 13)


def owner(number: int, users: int) -> int:
    return 1 + number * 7919 % users


def kind(number: int, users: int) -> int:
    return KINDS[(number + 7 * (number // users)) % len(KINDS)]


def session_id(number: int) -> uuid.UUID:
    return uuid.UUID(md5(f"session {number}".encode()).hexdigest())


def numbers_of(first: int, users: int) -> list[int]:
    """All sessions of the owner of one of the first `users` ones."""
    return [first + lap * users for lap in range(PER_USER)]


def email(user: int) -> str:
    return f"user{user}@example.org"


def address(user: int) -> str:
    return f"10.{user >> 16 & 255}.{user >> 8 & 255}.{user & 255}"


# The n-th session: g. Its times are fractions of days ago: a, b, c are random.
_MOMENTS = f"""
    SELECT g, 1 + g * 7919 % %(users)s AS owner,
        (ARRAY{list(KINDS)})[1 + (g + 7 * (g / %(users)s)) % {len(KINDS)}] AS kind,
        random() AS a, random() AS b, random() AS c
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g
"""
_USED = f"""
    SELECT *, now() - interval '1 day' * CASE kind
        WHEN {REVOKED_LONG_AGO} THEN 31 + 54 * a
        WHEN {EXPIRED_LONG_AGO} THEN 61 + 25 * a
        WHEN {REVOKED} THEN 29 * a
        WHEN {EXPIRED} THEN 6 + 10 * a
        ELSE 28 * a * b END AS used
    FROM ({_MOMENTS}) AS moments
"""
_BEGAN = f"""
    SELECT *, CASE kind
        WHEN {EXPIRED} THEN now() - interval '1 day' * (90 + 5 * b)
        ELSE used - interval '1 day' * 20 * b END AS began
    FROM ({_USED}) AS active
"""
# What differs from the template, by column.
_COLUMNS = {
    "id": "md5('session ' || g)::uuid",
    "user_id": "owner",
    "device": "(ARRAY['Chrome on Windows', 'Safari on iOS', 'Firefox on Linux', 'curl'])[1 + g % 4]",
    "device_type": "(ARRAY['desktop', 'mobile', 'desktop', 'cli'])[1 + g % 4]",
    "browser": "(ARRAY['Chrome', 'Safari', 'Firefox', 'curl'])[1 + g % 4]",
    "os": "(ARRAY['Windows', 'iOS', 'Linux', ''])[1 + g % 4]",
    "device_key": "encode(sha256(('key ' || g)::bytea), 'hex')",
    "ip_address": "'10.0.0.0'::inet + owner",
    "last_ip": "'10.0.0.0'::inet + owner",
    "country": "(ARRAY['DE', 'FR', 'US', 'IN', 'BR', 'JP', ''])[1 + owner % 7]",
    "risk_level": "CASE WHEN g % 200 = 7 THEN 'medium' ELSE 'none' END",
    "risk_score": "CASE WHEN g % 200 = 7 THEN 40 ELSE 0 END",
    "created_at": "began",
    "authenticated_at": "began",
    "rotated_at": "began",
    "pii_since": "began",
    "last_active": "used",
    "expires_at": "least(used + interval '30 days', began + interval '90 days')",
    "absolute_expires_at": "began + interval '90 days'",
    "revoked_at": f"""CASE WHEN kind IN ({REVOKED_LONG_AGO}, {REVOKED})
        THEN used + (now() - used) * CASE kind WHEN {REVOKED} THEN c ELSE 0 END END""",
    "revoke_reason": f"""CASE WHEN kind IN ({REVOKED_LONG_AGO}, {REVOKED})
        THEN (ARRAY['logout', 'superseded', 'limit', 'user'])[1 + g % 4] ELSE '' END""",
}


# A line of the log for each.
_LINE = {
    "id": "",
    "session_id": "s.id",
    "user_id": "s.user_id",
    "at": "s.created_at",
    "ip_address": "s.ip_address",
}


def fill(sessions: int) -> None:
    """Migrate the database of DATABASE_URL and make so many sessions in it."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    from devices.core import sessions as verbs
    from devices.core.clients.client import Client
    from devices.models import Activity, DeviceSession

    call_command("migrate", verbosity=0)
    users = sessions // PER_USER
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
    model = get_user_model()
    template = model.objects.create_user(email(1), PASSWORD)
    session = verbs.start(template, Client("10.0.0.1", agent))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SELECT pg_backend_pid()")
        _be_nice(cursor.fetchone()[0])
        people, table = model._meta.db_table, DeviceSession._meta.db_table
        with _without_indexes(cursor, people, keep_key=True):
            changed = {"id": "g", "email": "'user' || g || '@example.org'"}
            rows = "generate_series(2, %(users)s::bigint) AS g"
            _copy(cursor, model, changed, rows, {"template": template.pk, "users": users})
        _say(f"{users} people")
        with _without_indexes(cursor, table):
            for first in range(1, sessions + 1, STEP):
                last = min(first + STEP - 1, sessions)
                copy_sessions(cursor, session.pk, first, last, sessions)
                _say(f"{last} sessions")
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [session.pk])
        _say("their indexes")
        with _without_indexes(cursor, Activity._meta.db_table):
            given = {"template": Activity.objects.get(session_id=session.pk).pk}
            _copy(cursor, Activity, _LINE, f"{table} AS s", given)
        _say("their log")
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [people, users + 1])
        cursor.execute("VACUUM (ANALYZE)")
    _say("done")


def copy_sessions(
    cursor: Any,
    template: Any,
    first: int,
    last: int,
    sessions: int,
    kinds: Sequence[int] = tuple(range(5)),
) -> None:
    """Make the sessions from the first to the last that are of these kinds and not there."""
    from devices.models import DeviceSession

    given = {"template": template, "users": sessions // PER_USER, "first": first, "last": last}
    given["kinds"] = list(kinds)
    rows = f"(SELECT * FROM ({_BEGAN}) AS began WHERE kind = ANY (%(kinds)s)) AS x"
    _copy(cursor, DeviceSession, _COLUMNS, rows, given, "ON CONFLICT DO NOTHING")


def catch_up() -> None:
    """Give a database that was filled a while ago the columns, indexes and tables it lacks by now."""
    from django.apps import apps
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        tables = connection.introspection.table_names(cursor)
    for model in apps.get_models():
        options = model._meta
        if options.proxy or not options.managed:
            continue
        if options.db_table not in tables:
            with connection.schema_editor() as editor:
                editor.create_model(model)
            continue
        with connection.cursor() as cursor:
            describe = connection.introspection
            found = {each.name for each in describe.get_table_description(cursor, options.db_table)}
            named = describe.get_constraints(cursor, options.db_table)
        for field in options.local_concrete_fields:
            if field.column not in found:
                _say(f"adding {options.db_table}.{field.column}")
                with connection.schema_editor() as editor:
                    editor.add_field(model, field)
        gone = found - {field.column for field in options.local_concrete_fields}
        with connection.cursor() as cursor:
            for column in gone:
                cursor.execute(f'ALTER TABLE "{options.db_table}" DROP COLUMN "{column}"')
        for index in options.indexes:
            if index.name not in named:
                _say(f"adding {index.name}")
                with connection.schema_editor() as editor:
                    editor.add_index(model, index)


def _copy(
    cursor: Any,
    model: Any,
    changed: dict[str, str],
    rows: str,
    given: dict[str, Any],
    otherwise: str = "",
) -> None:
    """Copy the template, a row of the table, once for each of some rows, with these changes."""
    columns = [field.column for field in model._meta.local_concrete_fields]
    columns = [column for column in columns if changed.get(column) != ""]
    table = model._meta.db_table
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    template = f"(SELECT * FROM {table} WHERE id = %(template)s) AS t"
    sql = f"INSERT INTO {table} ({names}) SELECT {values} FROM {rows}, {template}"
    sql += f" {otherwise}"
    cursor.execute(sql.replace(" % ", " %% "), given)


class _without_indexes:
    """Within this, a table has no indexes and refers to no other; it gets both back at the end."""

    def __init__(self, cursor: Any, table: str, *, keep_key: bool = False) -> None:
        self._cursor, self._table, self._again = cursor, table, list[str]()
        self._kinds = "uf" if keep_key else "puf"

    def __enter__(self) -> None:
        self._cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND position(contype::text in %s) > 0",
            [self._table, self._kinds],
        )
        for name, definition in self._cursor.fetchall():
            self._cursor.execute(f'ALTER TABLE {self._table} DROP CONSTRAINT "{name}"')
            self._again.append(f'ALTER TABLE {self._table} ADD CONSTRAINT "{name}" {definition}')
        self._cursor.execute(
            "SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i"
            " JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = %s::regclass AND NOT i.indisprimary",
            [self._table],
        )
        for name, definition in self._cursor.fetchall():
            self._cursor.execute(f'DROP INDEX "{name}"')
            self._again.append(definition)

    def __exit__(self, *error: object) -> None:
        # Keys first, since others may refer to them.
        for statement in sorted(self._again, key=lambda again: "FOREIGN KEY" in again):
            self._cursor.execute(statement)


def _be_nice(pid: int) -> None:
    with suppress(OSError):  # where the server's process is somebody else's
        os.setpriority(os.PRIO_PROCESS, pid, 10)


_begin = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _begin:7.1f} s  {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument(
        "--reuse", action="store_true", help="only add what the schema lacks by now"
    )
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    catch_up() if options.reuse else fill(options.sessions)


if __name__ == "__main__":
    main()
