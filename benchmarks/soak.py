"""The site for an hour in the mode `cached`: whether anything grows, and whether anything is wrong.

    python -m benchmarks.soak [--minutes 60] [--write docs/performance.md]

Fifty clients ask, refresh, sign in and sign out. Every ten seconds it is checked that

- no answer was 5xx, none was missing, and no active session was refused;
- the access token of a session that ended more than BOUND seconds ago is refused by each worker;
- no session that ended is active again, and nobody has more than MAX_SESSIONS.

Exits with 1 if one of them did not hold.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from . import page, population
from .load import AGENT, Site, site
from .scale import SERVER

CLIENTS = 50
WORKERS, THREADS = 2, 4
EVERY = 10.0
# How soon each process has to know of an end, even if its bus is dead (docs/performance.md).
BOUND = 1.5
MAX_SESSIONS = 20


class Sample(NamedTuple):
    """What was seen at a moment."""

    minute: float
    megabytes: float
    connections: int
    requests: int


class Ended(NamedTuple):
    """A session that was ended, and when its end was answered."""

    session_id: str
    access: str
    at: float


class Log:
    """What the clients saw, gathered."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []
        self.times: list[float] = []
        self.ended: list[Ended] = []

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)
        print(text, file=sys.stderr, flush=True)


class Client(threading.Thread):
    """Somebody on one device who uses the site as people do, only faster."""

    def __init__(
        self, at: Site, number: int, log: Log, pause: float, over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._at, self._number, self._log, self._pause, self._over = at, number, log, pause, over
        self._random = random.Random(number)
        self._tokens: Any = {}

    def run(self) -> None:
        acts = {self._look: 80, self._refresh: 12, self._second_device: 4, self._leave: 4}
        try:
            self._tokens = self._login("first")
            while not self._over.wait(self._random.expovariate(1 / self._pause)):
                [act] = self._random.choices(list(acts), list(acts.values()))
                act()
        except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
            self._log.fault(f"client {self._number}: {error!r}")

    def _look(self) -> None:
        self._ask("GET", self._random.choice(("/api/me", "/api/sessions")))

    def _refresh(self) -> None:
        answer = self._ask("POST", "/api/token/refresh", {"refresh": self._tokens["refresh"]}, "")
        self._tokens |= answer

    def _second_device(self) -> None:
        other = self._login(f"other {self._random.random()}")
        self._ask("DELETE", f"/api/sessions/{other['session_id']}")
        self._note_end(other)

    def _leave(self) -> None:
        gone = self._tokens
        self._ask("POST", "/api/logout")
        self._note_end(gone)
        self._tokens = self._login("first")

    def _note_end(self, tokens: Any) -> None:
        with self._log.lock:
            ended = Ended(tokens["session_id"], tokens["access"], time.monotonic())
            self._log.ended.append(ended)

    def _login(self, device: str) -> Any:
        body = {"email": population.email(self._number), "password": population.PASSWORD}
        return self._ask(
            "POST", "/api/token", body, "", {"X-Device-Id": f"{self._number} {device}"}
        )

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        more: dict[str, str] | None = None,
    ) -> Any:
        begin = time.perf_counter()
        token = self._tokens["access"] if token is None else token
        status, text = ask(self._at.port, method, path, body, token, more)
        with self._log.lock:
            self._log.answers[f"{status // 100}xx"] += 1
            self._log.times.append((time.perf_counter() - begin) * 1000)
        if status >= 400:
            self._log.fault(f"{method} {path}: {status} {text[:200]!r}")
        return json.loads(text) if text and status < 400 else {}


def ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    token: str = "",
    more: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """The status and the body of an answer, over a connection of its own."""
    headers = {"User-Agent": AGENT, "Content-Type": "application/json"} | (more or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def check(at: Site, log: Log, server: Any) -> None:
    """Look for what must not be; it is written down in the log."""
    now = time.monotonic()
    with log.lock:
        ended = list(log.ended)
    for each in (one for one in ended if BOUND < now - one.at < BOUND + EVERY):
        # More often than there are workers: each answers some.
        for _ in range(2 * WORKERS):
            status, _ = ask(at.port, "GET", "/api/me", token=each.access)
            if status != 401:
                log.fault(f"{each.session_id} ended, and is answered {status}")
    ids = [each.session_id for each in ended]
    alive = server.execute(
        "SELECT count(*) FROM devices_devicesession WHERE id = ANY(%s::uuid[]) AND revoked_at IS NULL",
        [ids],
    ).fetchone()[0]
    if alive:
        log.fault(f"{alive} sessions are active again")
    most = server.execute(
        "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM devices_devicesession"
        " WHERE revoked_at IS NULL AND expires_at > now() GROUP BY user_id) AS each"
    ).fetchone()[0]
    if most > MAX_SESSIONS:
        log.fault(f"{most} sessions of one user")


def sample(at: Site, log: Log, server: Any, began: float) -> Sample:
    """The memory of all workers together, and how many connections they have."""
    connections = server.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        [at.database],
    ).fetchone()[0]
    minute = (time.monotonic() - began) / 60
    return Sample(minute, at.megabytes(), connections, log.answers.total())


def soak(minutes: float, pause: float) -> tuple[list[Sample], Log]:
    """Run it; what was seen every ten seconds."""
    import psycopg

    log, over, samples = Log(), threading.Event(), []
    more = {"DEVICES_LIVENESS": "cached", "DEVICES_BUS": "postgres"}
    given = ("--workers", str(WORKERS), "--threads", str(THREADS))
    with (
        site("benchmarks.settings", given, **more) as at,
        psycopg.connect(f"{SERVER}/{at.database}", autocommit=True) as server,
    ):
        began = time.monotonic()
        clients = [Client(at, number, log, pause, over) for number in range(1, CLIENTS + 1)]
        for each in clients:
            each.start()
        next_at = began
        while time.monotonic() - began < minutes * 60:
            next_at += EVERY
            time.sleep(max(0.0, next_at - time.monotonic()))
            check(at, log, server)
            samples.append(sample(at, log, server, began))
            if dead := sum(not each.is_alive() for each in clients):
                log.fault(f"{dead} clients have given up")
        over.set()
        for each in clients:
            each.join(60)
        check(at, log, server)
    return samples, log


def report(samples: list[Sample], log: Log) -> str:
    """The table: at the beginning, in the middle and at the end; and what was counted."""
    # The first minute fills caches and opens connections.
    steady = [each for each in samples if each.minute > 1] or samples
    rows = [
        [f"{each.minute:.0f}", f"{each.megabytes:.0f}", each.connections, f"{each.requests:,}"]
        for each in (steady[0], steady[len(steady) // 2], steady[-1])
    ]
    head = ["minute", "memory of the workers, MB", "connections", "requests so far"]
    cuts = statistics.quantiles(log.times, n=100, method="inclusive")
    counts = [
        ["answers 5xx", log.answers["5xx"]],
        ["answers 4xx to clients with an active session", log.answers["4xx"]],
        ["sessions that were ended", f"{len(log.ended):,}"],
        ["checks that did not hold", len(log.faults)],
        ["a request: p50, p99, ms", f"{cuts[49]:.0f}, {cuts[98]:.0f}"],
    ]
    return f"{page.table(head, rows)}\n\n{page.table(['', ''], counts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--pause", type=float, default=1, help="seconds between requests of a client"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    samples, log = soak(options.minutes, options.pause)
    text = f"{page.machine((*page.SITE, 'gunicorn'))}\n\n{report(samples, log)}"
    print(text)
    if options.write:
        page.write(options.write, "soak", text)
        picture = options.write.parent / "images" / "soak.svg"
        series = {
            "memory of the workers, MB": [(each.minute, each.megabytes) for each in samples],
            "connections to PostgreSQL": [(each.minute, each.connections) for each in samples],
        }
        page.curves(picture, "Fifty clients", "minute", "", series, is_logarithmic=False)
    sys.exit(1 if log.faults else 0)


if __name__ == "__main__":
    main()
