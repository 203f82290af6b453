"""What a request costs beside ten thousand, a million and ten million sessions, on PostgreSQL.

    python -m benchmarks.scale [--sizes 10000 1000000 10000000] [--reuse] [--write docs/performance.md]

One process for each size; they take turns in short rounds, so that whatever else the machine does hits them
alike. Every request is about people nobody has asked for yet. The databases are made by benchmarks.population
and kept; --reuse takes them as they are, and brings their schema up to date.
"""

import argparse
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django

from . import page, population
from .population import ACTIVE, PER_USER

SERVER = os.environ.get("POSTGRES_SERVER", "postgres://postgres@127.0.0.1:5432")
SIZES = (10_000, 1_000_000, 10_000_000)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
HOT = ("authenticated request", "list", "refresh", "login", "revoke", "revoke-all")
STAFF = (
    "admin list",
    "admin list, last page",
    "admin by email",
    "admin by address",
    "staff API list",
    "staff API by email",
    "staff API by address",
)

Ask = Callable[[], Any]


def database(sessions: int) -> str:
    return f"bench_scale_{sessions}"


class Site:
    """The site over one of the databases, and requests about people chosen at random."""

    def __init__(self, sessions: int) -> None:
        from django.test import Client

        self.users = sessions // PER_USER
        self._used: set[int] = set()
        self._client = Client(REMOTE_ADDR="10.255.0.1", HTTP_USER_AGENT=AGENT)
        self._staff = Client(REMOTE_ADDR="10.255.0.2", HTTP_USER_AGENT=AGENT)

    def sign_in_staff(self) -> None:
        from django.contrib.auth import get_user_model

        from devices.core import sessions, tokens
        from devices.core.clients.client import Client

        model: Any = get_user_model()
        staff = model.objects.filter(email="staff@example.org").first()
        staff = staff or model.objects.create_superuser("staff@example.org", population.PASSWORD)
        self._staff.force_login(staff)
        access = tokens.issue(sessions.start(staff, Client("10.255.0.2", AGENT))).access
        self._staff_bearer = {"HTTP_AUTHORIZATION": f"Bearer {access}"}

    def asks(self, what: str) -> Iterator[Ask]:
        """Requests of a kind, each about somebody else."""
        while True:
            yield self._ask(what, self._somebody())

    def _ask(self, what: str, active: list[int]) -> Ask:
        """Such a request of, or about, the one who has these sessions. Its making is not in it."""
        user = population.owner(active[0], self.users)
        access, refresh = self._tokens(active[0], user)
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {access}"}
        match what:
            case "authenticated request":
                return lambda: self._client.get("/api/sessions/current", **bearer)
            case "list":
                return lambda: self._client.get("/api/sessions", **bearer)
            case "refresh":
                return lambda: self._post("/api/token/refresh", {"refresh": refresh})
            case "login":
                self._expect(user)
                body = {"email": population.email(user), "password": population.PASSWORD}
                return lambda: self._post("/api/login", body)
            case "revoke":
                path = f"/api/sessions/{population.session_id(active[-1])}"
                return lambda: self._client.delete(path, **bearer)
            case "revoke-all":
                return lambda: self._post("/api/sessions/revoke-all", {}, **bearer)
            case "admin list":
                return lambda: self._browse("")
            case "admin list, last page":
                return lambda: self._browse("?p=20")
            case "admin by email":
                return lambda: self._browse(f"?q={population.email(user)}")
            case "admin by address":
                return lambda: self._browse(f"?q={population.address(user)}")
            case "staff API list":
                return lambda: self._list("")
            case "staff API by email":
                return lambda: self._list(f"?email={population.email(user)}")
            case "staff API by address":
                return lambda: self._list(f"?ip={population.address(user)}")
        raise ValueError(what)

    def _somebody(self) -> list[int]:
        """The active sessions of a person who was not asked for before."""
        while True:
            first = random.randrange(self.users)
            mine = population.numbers_of(first, self.users)
            active = [one for one in mine if one and population.kind(one, self.users) == ACTIVE]
            if len(active) > 1 and first not in self._used:
                self._used.add(first)
                return active

    def _tokens(self, number: int, user: int) -> tuple[str, str]:
        from datetime import timedelta

        from django.utils import timezone

        from devices.core import tokens
        from devices.models import DeviceSession

        now = timezone.now()
        session = DeviceSession(
            id=population.session_id(number),
            user_id=user,
            generation=0,
            rotated_at=now,
            expires_at=now + timedelta(days=1),
        )
        pair = tokens.issue(session)
        return pair.access, pair.refresh

    def _expect(self, user: int) -> None:
        """Somebody who has tried to sign in before: an ordinary login."""
        from devices.core import throttling
        from devices.core.clients.client import Client

        throttling.begin(population.email(user), Client("10.255.0.1")).succeeded()

    def _post(self, path: str, body: dict[str, str], **headers: str) -> Any:
        return self._client.post(path, body, content_type="application/json", **headers)

    def _browse(self, query: str) -> Any:
        return self._staff.get(f"/admin/devices/devicesession/{query}")

    def _list(self, query: str) -> Any:
        return self._client.get(f"/api/admin/sessions{query}", **self._staff_bearer)

    def times(self, what: str, requests: int) -> list[float]:
        """Milliseconds of so many requests. One about somebody who is signed out meanwhile is none."""
        times: list[float] = []
        for ask in self.asks(what):
            begin = time.perf_counter()
            answer = ask()
            took = (time.perf_counter() - begin) * 1000
            if answer.status_code < 300:
                times.append(took)
            elif answer.status_code != 401:
                raise SystemExit(f"{what}: {answer.status_code} {answer.content[:300]!r}")
            if len(times) == requests:
                break
        return times

    def times_for(self, what: str, seconds: float) -> list[float]:
        """As `times`, for so long."""
        times: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            times += self.times(what, 1)
        return times

    def plans(self, what: str) -> list[dict[str, Any]]:
        """What PostgreSQL does for the statements of such a request: tables read whole, indexes used."""
        from django.db import connection, transaction

        sent: list[tuple[str, Any]] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if not many and sql.startswith(("SELECT", "UPDATE", "DELETE", "EXECUTE", "INSERT")):
                sent.append((sql, params))
            return execute(sql, params, many, context)

        # At random one of sixteen logins cleans up, too.
        for ask in self.asks(what):
            sent.clear()
            with connection.execute_wrapper(note):
                answer = ask()
            if answer.status_code < 300:
                break
        plans = []
        with transaction.atomic(), connection.cursor() as cursor:
            # A small table is read as a whole in any case.
            cursor.execute("SELECT relname FROM pg_class WHERE reltuples > 10000")
            large = {name for (name,) in cursor.fetchall()}
            for sql, params in sent:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                [(plan,)] = cursor.fetchall()
                nodes = list(
                    _nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
                )
                plans.append(
                    {
                        "sql": sql[:100],
                        "whole": [
                            node["Relation Name"]
                            for node in nodes
                            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large
                        ],
                        "indexes": sorted({n["Index Name"] for n in nodes if "Index Name" in n}),
                        "tables": sorted(
                            {n["Relation Name"] for n in nodes if "Relation Name" in n}
                        ),
                    }
                )
        return plans

    def index_sizes(self) -> list[tuple[str, int]]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes"
                " WHERE relname = 'devices_devicesession' UNION ALL"
                " SELECT 'the table', pg_table_size('devices_devicesession')"
            )
            return cursor.fetchall()

    def insert_costs(self, rows: int = 10_000) -> list[tuple[str, float]]:
        """Microseconds per row that each index adds to an insert: with all of them, less without it.

        In a copy, since what is rolled back leaves its rows behind until they are vacuumed.
        """
        from django.db import connection, transaction

        costs: dict[str, list[float]] = {}
        table = "devices_devicesession"
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("DROP TABLE IF EXISTS copy")
            cursor.execute(f"CREATE TABLE copy (LIKE {table} INCLUDING ALL)")
            cursor.execute(f"INSERT INTO copy SELECT * FROM {table} LIMIT 300000")
            cursor.execute(
                "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
                " WHERE indrelid = 'copy'::regclass AND NOT indisprimary"
            )
            # The name in the copy is made of its columns; what it covers tells which it is.
            copied = {
                definition.partition(" ON ")[2]: name for name, definition in cursor.fetchall()
            }
            cursor.execute(
                "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
                f" WHERE indrelid = '{table}'::regclass AND NOT indisprimary"
            )
            names = {
                copied[definition.partition(" ON ")[2].replace(table, "copy")]: name
                for name, definition in cursor.fetchall()
            }
            cursor.execute("CREATE TEMP TABLE new AS SELECT * FROM copy LIMIT 0")
            cursor.execute(f"INSERT INTO new SELECT * FROM {table} LIMIT {rows} OFFSET 300000")
            cursor.execute("UPDATE new SET id = gen_random_uuid()")
            for _ in range(3):
                for name in random.sample(["", *names], len(names) + 1):
                    with transaction.atomic():
                        if name:
                            cursor.execute(f"DROP INDEX {name}")
                        begin = time.perf_counter()
                        cursor.execute("INSERT INTO copy SELECT * FROM new")
                        took = time.perf_counter() - begin
                        transaction.set_rollback(True)
                    costs.setdefault(name, []).append(took / rows * 1e6)
            cursor.execute("DROP TABLE copy, new")
        best = {name: min(times) for name, times in costs.items()}
        return [("", best[""])] + [(names[name], best[""] - best[name]) for name in names]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def worker(sessions: int) -> None:
    """Do what is asked on the standard input, line by line."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    site = Site(sessions)
    site.sign_in_staff()
    # Whatever the site prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(site, name)(*arguments)), file=answers, flush=True)


class Worker:
    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scale", "--worker", str(sessions)],
            env=environment(sessions),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, *arguments: Any) -> Any:
        print(json.dumps([name, *arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process for {self.sessions} sessions has ended")
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def environment(sessions: int, **more: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": f"{SERVER}/{database(sessions)}"} | more


def prepare(sessions: int, reuse: bool) -> None:
    """Make the database of a size, unless there is one to be used again."""
    import psycopg

    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        exists = server.execute(
            "SELECT FROM pg_database WHERE datname = %s", [database(sessions)]
        ).fetchone()
        again = reuse and exists is not None
        if not again:
            print(f"making {sessions} sessions", flush=True)
            server.execute(f"DROP DATABASE IF EXISTS {database(sessions)}")
            server.execute(f"CREATE DATABASE {database(sessions)}")
    command = [sys.executable, "-m", "benchmarks.population", "--sessions", str(sessions)]
    command += ["--reuse"] if again else []
    subprocess.run(command, env=environment(sessions, DB_STATEMENT_TIMEOUT="0"), check=True)


def measure(sizes: list[int], rounds: int, requests: int) -> tuple[str, dict[str, Any]]:
    workers = [Worker(size) for size in sizes]
    try:
        times: dict[tuple[str, int], list[float]] = {}
        ratios: dict[tuple[str, int], list[float]] = {}
        for number in range(rounds + 1):
            for what in (*HOT, *STAFF):
                took = {}
                for each in random.sample(workers, len(workers)):
                    asked = requests if what in HOT else 1
                    took[each.sessions] = each.ask("times", what, asked)
                if number:  # the first round warms up
                    least = statistics.mean(took[sizes[0]])
                    for size, these in took.items():
                        times.setdefault((what, size), []).extend(these)
                        ratios.setdefault((what, size), []).append(statistics.mean(these) / least)
        plans = {
            what: [
                plan
                for each in workers
                if each.sessions >= 100_000
                for plan in each.ask("plans", what)
            ]
            for what in (*HOT, *STAFF)
        }
        middle = [each for each in workers if each.sessions <= 1_000_000][-1]
        sizes_of = dict(workers[-1].ask("index_sizes"))
        costs = dict(middle.ask("insert_costs"))
    finally:
        for each in workers:
            each.close()
    figures = {key: statistics.median(these) for key, these in times.items()}
    text = "\n\n".join(
        [
            _requests(sizes, times, ratios),
            _indexes(sizes[-1], sizes_of, costs),
            _plans(plans),
        ]
    )
    return text, {"figures": figures}


def _requests(sizes: list[int], times: Any, ratios: Any) -> str:
    head = ["ms", *(f"{size:,}" for size in sizes), "p95 of the last", "times the first"]
    rows = []
    for what in (*HOT, *STAFF):
        medians = [f"{statistics.median(times[what, size]):.1f}" for size in sizes]
        worst = statistics.quantiles(times[what, sizes[-1]], n=20, method="inclusive")[18]
        ratio = statistics.median(ratios[what, sizes[-1]])
        rows.append([what, *medians, f"{worst:.1f}", f"{ratio:.2f}"])
    return page.table(head, rows)


def _indexes(sessions: int, sizes: dict[str, int], costs: dict[str, float]) -> str:
    million = sessions / 1_000_000
    rows = [
        [
            f"`{name}`",
            f"{size / 2**20 / million:.1f}",
            f"{costs[name]:.1f}" if name in costs else "",
        ]
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
        if name != "the table"
    ]
    rows.insert(0, ["the table", f"{sizes['the table'] / 2**20 / million:.1f}", ""])
    whole = sum(size for name, size in sizes.items() if name != "the table") / 2**20 / million
    rows.append(["all indexes", f"{whole:.1f}", ""])
    rows.append(["a row with all of them", "", f"{costs['']:.1f}"])
    head = [f"at {sessions:,}", "MB per million rows", "µs per inserted row"]
    return page.table(head, rows)


def _plans(plans: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for what, statements in plans.items():
        used = sorted({name for plan in statements for name in plan["indexes"]})
        whole = sorted({name for plan in statements for name in plan["whole"]})
        rows.append([what, ", ".join(f"`{name}`" for name in used), ", ".join(whole) or "none"])
    lines = ["| what | indexes | large tables read as a whole |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=5, help="in each round and turn")
    parser.add_argument("--reuse", action="store_true", help="take the databases there are")
    parser.add_argument(
        "--only-prepare", action="store_true", help="make the databases, and no more"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    for size in options.sizes:
        # The smallest is used up by a run.
        prepare(size, options.reuse and size > options.sizes[0])
    if options.only_prepare:
        return
    text, found = measure(options.sizes, options.rounds, options.requests)
    text = f"{page.machine()}\n\n{text}"
    print(text)
    if options.write:
        page.write(options.write, "scale", text)
        page.curves(
            options.write.parent / "images" / "scale.svg",
            "A request beside so many sessions",
            "sessions",
            "ms, median",
            {
                what: [(size, found["figures"][what, size]) for size in options.sizes]
                for what in HOT
            },
        )


if __name__ == "__main__":
    main()
