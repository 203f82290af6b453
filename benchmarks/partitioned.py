"""The table of sessions in sixteen parts, by user: which of them each statement of a request touches.

    python -m benchmarks.partitioned [--write docs/performance.md]

Requests are made of the site over such a table; what they send is explained by PostgreSQL.
"""

import argparse
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from . import page
from .scale import AGENT, SERVER

PARTS = 16
TABLE = "devices_devicesession"
PASSWORD = "a password for the benchmarks"


def split(cursor: Any) -> None:
    """Make the table anew, in parts. Its key, and so each foreign key to it, has to hold the user."""
    cursor.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index"
        f" WHERE indrelid = '{TABLE}'::regclass AND NOT indisunique"
    )
    indexes = [definition for (definition,) in cursor.fetchall()]
    cursor.execute(f"ALTER TABLE {TABLE} RENAME TO whole")
    for definition in indexes:
        name = re.search(r"INDEX (\w+)", definition)[1]
        cursor.execute(f"DROP INDEX {name}")
    cursor.execute(
        f"CREATE TABLE {TABLE} (LIKE whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS,"
        " PRIMARY KEY (id, user_id)) PARTITION BY HASH (user_id)"
    )
    for part in range(PARTS):
        cursor.execute(
            f"CREATE TABLE part_{part} PARTITION OF {TABLE}"
            f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
        )
    for definition in indexes:
        cursor.execute(definition.replace(".whole", f".{TABLE}"))
    cursor.execute("DROP TABLE whole CASCADE")
    cursor.execute(
        f"ALTER TABLE {TABLE} ADD FOREIGN KEY (user_id) REFERENCES accounts_user (id)"
        " DEFERRABLE INITIALLY DEFERRED"
    )


def parts_of(cursor: Any, sql: str, params: Any) -> set[str]:
    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
    [(plan,)] = cursor.fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return {name for name in _relations(plan[0]["Plan"]) if name.startswith("part_")}


def _relations(node: dict[str, Any]) -> Iterator[str]:
    # What is modified is named by the partitioned table; what is read for it, by its parts.
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _relations(child)


def requests() -> Iterator[tuple[str, Any]]:
    """What people do, one after the other."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    model = get_user_model()
    model.objects.create_user("alice@example.org", PASSWORD)
    client = Client(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT=AGENT)
    login = {"email": "alice@example.org", "password": PASSWORD}
    held: dict[str, Any] = {}

    def post(path: str, body: Any) -> Any:
        return client.post(path, body, content_type="application/json", **bearer())

    def bearer() -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": f"Bearer {held['access_token']}"} if held else {}

    def sign_in() -> Any:
        answer = client.post("/api/login", login, content_type="application/json")
        held.update(answer.json())
        return answer

    def refresh() -> Any:
        answer = post("/api/token/refresh", {"refresh": held["refresh_token"]})
        held["access_token"] = answer.json()["access"]
        return answer

    def rename() -> Any:
        return client.patch(
            "/api/sessions/current", {"name": "x"}, content_type="application/json", **bearer()
        )

    yield "login", sign_in
    yield "login that ends another", sign_in
    yield "authenticated request", lambda: client.get("/api/sessions/current", **bearer())
    yield "refresh", refresh
    yield "first use of a refreshed token", lambda: client.get("/api/sessions/current", **bearer())
    yield "list", lambda: client.get("/api/sessions", **bearer())
    yield "history", lambda: client.get("/api/sessions/history", **bearer())
    yield "rename", rename
    yield "confirm", lambda: post("/api/sessions/current/confirm", {"password": PASSWORD})
    yield "login on a second device", sign_in_elsewhere(login)
    mine = client.get("/api/sessions", **bearer()).json()
    [other] = [session["id"] for session in mine if not session["is_current"]]
    yield "revoke", lambda: client.delete(f"/api/sessions/{other}", **bearer())
    yield "revoke-all", lambda: post("/api/sessions/revoke-all", {})
    yield "logout", lambda: post("/api/logout", {})


def sign_in_elsewhere(login: dict[str, str]) -> Any:
    from django.test import Client

    other = Client(REMOTE_ADDR="192.0.2.2", HTTP_USER_AGENT="curl/8.0")
    return lambda: other.post("/api/login", login, content_type="application/json")


def measure() -> str:
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        split(cursor)
    rows = []
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if TABLE in sql and sql.startswith(("SELECT", "UPDATE", "DELETE", "EXECUTE")):
            sent.append((sql, params))
        return execute(sql, params, many, context)

    for what, ask in requests():
        sent.clear()
        with connection.execute_wrapper(note):
            answer = ask()
        if answer.status_code >= 300:
            raise SystemExit(f"{what}: {answer.status_code} {answer.content[:300]!r}")
        with transaction.atomic(), connection.cursor() as cursor:
            counts = [len(parts_of(cursor, sql, params)) for sql, params in sent]
        rows.append([what, len(counts), max(counts, default=0)])
    return page.table(["", "SELECT and UPDATE of sessions", f"parts, of {PARTS}, at most"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    os.environ["DATABASE_URL"] = f"{SERVER}/postgres"
    os.environ["BENCH_DATABASE"] = "bench_partitioned"
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    from django.test.utils import setup_databases, teardown_databases

    made = setup_databases(verbosity=0, interactive=False)
    try:
        text = measure()
    finally:
        teardown_databases(made, verbosity=0)
    print(text)
    if options.write:
        page.write(options.write, "partitioned", text)


if __name__ == "__main__":
    main()
