"""What people see of Citus: on which shards their requests run, and what they notice while it is busy.

    CITUS_URL=postgres://… WORKER=host:port make citus-drill

Twenty clients over HTTP log in, ask, refresh and revoke: while nothing else is done, while the clean-up runs,
and while the worker is added and shards move to it. An answer 503 is repeated, as docs/api.md says. Exits
with 1 if an answer was an error in spite of that, or if a session that was revoked is accepted afterwards.
"""

import argparse
import json
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from benchmarks import page
from benchmarks.partitioned import requests
from benchmarks.soak import ask
from tests.client import PASSWORD

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENTS, ACCOUNTS = 20, 8
# Seconds before each time that an answer 503 is repeated.
RETRIES: Final = (0.5, 1, 2, 4)
# How long the clients are alone before and after what is done meanwhile.
AROUND = 10.0
SPREAD: Final = re.compile(r"devices_devicesession|devices_activity")
COLUMNS = [
    "",
    "took, s",
    "requests",
    "logins",
    "a login: p50, p99, longest, ms",
    "repeated",
    "errors",
    "revoked",
    "accepted afterwards",
]


class Plan(NamedTuple):
    """On how many shards a statement runs, and whether it reads one of them from end to end."""

    shards: int
    is_whole: bool


def explain(sql: str, params: Any) -> Plan:
    """How Citus runs a statement.

    Several rows that Django inserts at once are collected on the coordinator, which sends each to its shard.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {sql}", params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    is_whole = bool(re.search(rf"Seq Scan on ({SPREAD.pattern})", plan))
    if "Citus INSERT ... SELECT" in plan:
        return Plan(1, is_whole)
    [count] = re.findall(r"Task Count: (\d+)", plan)
    return Plan(int(count), is_whole)


@contextmanager
def watching() -> Iterator[list[tuple[str, Any]]]:
    """The statements about sessions that are sent meanwhile, for `explain`."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if SPREAD.search(sql) and not sql.startswith("PREPARE"):
            sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


def statements() -> Iterator[tuple[str, list[Plan]]]:
    """The plans of all statements about sessions, request by request."""
    # What has models can be imported only when Django is set up.
    from devices.core import erasure

    for user in get_user_model()._base_manager.filter(email="alice@example.org"):
        erasure.erase(user)  # whom the last time has made
    made: dict[str, list[tuple[str, Any]]] = {}
    for what, ask_for in requests():
        with watching() as made[what]:
            answer = ask_for()
        assert answer.status_code < 300, (what, answer.content)
    for what, sent in made.items():
        yield what, [explain(*each) for each in sent]


class Ended(NamedTuple):
    """The tokens of a session that was revoked."""

    session_id: str
    access: str
    refresh: str


class Log:
    """What the clients saw."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.logins: list[float] = []
        self.ended: list[Ended] = []
        self.alive: set[str] = set()

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def fault(self, text: str) -> None:
        self.count("errors")
        print(text, file=sys.stderr, flush=True)


class Client(threading.Thread):
    """Somebody with several accounts who uses the site as people do, only faster."""

    def __init__(
        self, port: int, emails: list[str], log: Log, pause: float, over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._port, self._log, self._pause, self._over = port, log, pause, over
        self._held: dict[str, Any] = dict.fromkeys(emails)
        self._random = random.Random(emails[0])

    def run(self) -> None:
        acts = {
            self._look: 6,
            self._list: 3,
            self._refresh: 4,
            self._second_device: 4,
            self._leave: 2,
        }
        try:
            while not self._over.wait(self._random.expovariate(1 / self._pause)):
                email = self._random.choice(list(self._held))
                if self._held[email] is None:
                    self._held[email] = self._login(email)
                    continue
                [act] = self._random.choices(list(acts), list(acts.values()))
                act(email)
        except (OSError, HTTPException, ValueError, LookupError) as error:
            self._log.fault(f"A client has given up: {error!r}")

    def _look(self, email: str) -> None:
        self._ask("GET", "/api/me", token=self._held[email]["access"])

    def _list(self, email: str) -> None:
        self._ask("GET", "/api/sessions", token=self._held[email]["access"])

    def _refresh(self, email: str) -> None:
        held = self._held[email]
        held |= self._ask("POST", "/api/token/refresh", {"refresh": held["refresh"]})

    def _second_device(self, email: str) -> None:
        other = self._login(email)
        path = f"/api/sessions/{other['session_id']}"
        self._end(other, "DELETE", path, self._held[email]["access"])

    def _leave(self, email: str) -> None:
        gone, self._held[email] = self._held[email], None
        self._end(gone, "POST", "/api/logout", gone["access"])

    def _end(self, tokens: Any, method: str, path: str, token: str) -> None:
        status, text = ask_again(self._port, self._log, method, path, token=token)
        if status != 204:
            self._log.fault(f"{method} {path}: {status} {text[:200]!r}")
            return
        each = Ended(tokens["session_id"], tokens["access"], tokens["refresh"])
        with self._log.lock:
            self._log.ended.append(each)
        is_refused(self._port, each, self._log)

    def _login(self, email: str) -> Any:
        began = time.perf_counter()
        device = {"X-Device-Id": str(self._random.random())}
        tokens = self._ask(
            "POST", "/api/token", {"email": email, "password": PASSWORD}, more=device
        )
        with self._log.lock:
            self._log.logins.append((time.perf_counter() - began) * 1000)
        return tokens

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str = "",
        more: dict[str, str] | None = None,
    ) -> Any:
        status, text = ask_again(self._port, self._log, method, path, body, token, more)
        if status >= 400:
            self._log.fault(f"{method} {path}: {status} {text[:200]!r}")
        return json.loads(text)


def ask_again(
    port: int,
    log: Log,
    method: str,
    path: str,
    body: Any = None,
    token: str = "",
    more: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """As `ask`; an answer 503 is repeated."""
    for wait in (*RETRIES, None):
        status, text = ask(port, method, path, body, token, more)
        log.count("requests")
        if status != 503 or wait is None:
            break
        log.count("repeated")
        time.sleep(wait)
    return status, text


def is_refused(port: int, each: Ended, log: Log) -> None:
    """Ask with both tokens of a session that was revoked; it is written down if one of them is taken."""
    answers = (
        ask_again(port, log, "GET", "/api/me", token=each.access),
        ask_again(port, log, "POST", "/api/token/refresh", {"refresh": each.refresh}),
    )
    if wrong := [answer for answer in answers if answer[0] >= 500]:
        log.fault(f"A session that was revoked: {wrong}")
    if any(status < 400 for status, _ in answers):
        with log.lock:
            log.alive.add(each.session_id)


def make_people() -> list[list[str]]:
    """The accounts of each client."""
    from accounts.models import User

    groups = [[f"{n}-{m}@drill.example" for m in range(ACCOUNTS)] for n in range(CLIENTS)]
    wanted = {email for group in groups for email in group}
    missing = wanted - set(User.objects.filter(email__in=wanted).values_list("email", flat=True))
    hashed = User(email="nobody")
    hashed.set_password(PASSWORD)
    User.objects.bulk_create(User(email=email, password=hashed.password) for email in missing)
    return groups


def clean_up(seconds: float) -> None:
    """Delete what is due, as cron does; it is interrupted if it takes longer."""
    command = [sys.executable, "-W", "ignore", "manage.py", "cleanup_sessions"]
    with subprocess.Popen([*command, "--batch-size", "10000"], cwd=ROOT) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            code = process.wait(60)
    assert code in (0, -signal.SIGTERM), "The clean-up failed."


def rebalance(worker: str, mode: str = "auto") -> None:
    """Add a worker, HOST:PORT, and move shards to it, as docs/recipes/citus.md says."""
    host, _, port = worker.rpartition(":")
    with connection.cursor() as cursor:
        cursor.execute("SELECT citus_add_node(%s, %s)", [host, int(port)])
        cursor.execute(f"SELECT citus_rebalance_start(shard_transfer_mode => '{mode}')")
        cursor.execute("SELECT citus_rebalance_wait()")
        cursor.execute("SELECT state FROM citus_rebalance_status()")
        assert cursor.fetchone() == ("finished",), "The shards were not moved."
        cursor.execute(
            "SELECT count(*), pg_size_pretty(sum(shard_size)) FROM citus_shards"
            " WHERE nodename = %s AND nodeport = %s AND citus_table_type = 'distributed'",
            [host, int(port)],
        )
        print("On the new worker: {} shards, {}.".format(*cursor.fetchone()), flush=True)


def withdraw(worker: str) -> None:
    """Take a worker out of the cluster, if it is in it."""
    host, _, port = worker.rpartition(":")
    node = (host, int(port))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_dist_node WHERE nodename = %s AND nodeport = %s", node)
        if cursor.fetchone():
            cursor.execute("SELECT citus_drain_node(%s, %s)", node)
            # What the last shard has left there. It cannot be deleted any more once the worker is gone, and
            # then the shard cannot move to it again.
            cursor.execute("CALL citus_cleanup_orphaned_resources()")
            cursor.execute("SELECT citus_remove_node(%s, %s)", node)


def drill(folder: Path, meanwhile: Callable[[], None], pause: float = 0.5) -> tuple[Log, float]:
    """Let the clients use the site meanwhile; what they saw, and how many seconds it took."""
    from tests.races.site import serve

    log, over = Log(), threading.Event()
    groups = make_people()
    name = connection.settings_dict["NAME"]
    with serve(name, "database", folder / "site.log") as site:
        port = urlsplit(site.url).port or 80
        clients = [Client(port, group, log, pause, over) for group in groups]
        for each in clients:
            each.start()
        try:
            time.sleep(AROUND)
            with log.lock:
                log.logins.clear()  # The first ones wait for processes and connections.
            began = time.monotonic()
            meanwhile()
            took = time.monotonic() - began
            time.sleep(AROUND)
        finally:
            over.set()
            for each in clients:
                each.join(120)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: is_refused(port, each, log), log.ended))
    return log, took


def is_good(log: Log) -> bool:
    """Whether no answer was an error in the end, and nothing that was revoked was accepted afterwards."""
    return bool(log.ended) and not log.counts["errors"] and not log.alive


def figures(what: str, log: Log, took: float) -> list[str]:
    """A row of the table."""
    cuts = statistics.quantiles(log.logins, n=100, method="inclusive")
    counts = (
        [f"{log.counts['requests']:,}", f"{len(log.logins):,}"]
        + [f"{cuts[49]:.0f}, {cuts[98]:.0f}, {max(log.logins):.0f}"]
        + [str(log.counts[each]) for each in ("repeated", "errors")]
    )
    return [what, f"{took:.0f}", *counts, f"{len(log.ended):,}", str(len(log.alive))]


def main() -> int:
    what = ("statements", "nothing", "cleanup", "rebalance")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", default=what, help=f"of {what}; all if none is given")
    parser.add_argument("--worker", metavar="HOST:PORT", help="which one to add")
    parser.add_argument("--mode", default="auto", help="Citus's shard_transfer_mode")
    parser.add_argument(
        "--seconds", type=float, default=60, help="of nothing, and of the clean-up at most"
    )
    parser.add_argument("--pause", type=float, default=0.5, help="a client's, between two requests")
    options = parser.parse_args()
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("distribute_sessions", "--yes")
    is_all_good = True
    if "statements" in options.what:
        explained = dict(statements())
        rows = [
            [what, len(plans), max((each.shards for each in plans), default=0)]
            + [sum(each.is_whole for each in plans)]
            for what, plans in explained.items()
        ]
        is_all_good &= all(each.shards == 1 for plans in explained.values() for each in plans)
        head = ["", "statements about sessions", "shards, at most", "that read a shard as a whole"]
        print(page.table(head, rows), flush=True)
    acts: dict[str, Callable[[], None]] = {
        "nothing": lambda: time.sleep(options.seconds),
        "cleanup": lambda: clean_up(options.seconds),
        "rebalance": lambda: rebalance(options.worker, options.mode),
    }
    played = []
    for name, act in acts.items():
        if name not in options.what:
            continue
        if name == "rebalance":
            withdraw(options.worker)
        with tempfile.TemporaryDirectory() as folder:
            log, took = drill(Path(folder), act, options.pause)
        is_all_good &= is_good(log)
        played.append(figures(name, log, took))
    if played:
        print(page.table(COLUMNS, played))
    return 0 if is_all_good else 1


if __name__ == "__main__":
    sys.exit(main())
