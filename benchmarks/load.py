"""Four workers over HTTP: requests per second and how long they take, beside plain SimpleJWT.

    python -m benchmarks.load [--seconds 5] [--write docs/performance.md]

Two sites run at once, each in four workers of gunicorn over a PostgreSQL database of its own, and are asked
in turns by eight clients. What plain SimpleJWT lists are its outstanding tokens.
"""

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from . import page, population
from .scale import SERVER

SITES = {"**devices**": "benchmarks.settings", "plain SimpleJWT": "benchmarks.plain"}
KINDS = ("list", "refresh", "login")
CLIENTS = 8
PEOPLE = 400
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


class Client(threading.Thread):
    """Somebody who is signed in and asks for one thing again and again."""

    def __init__(
        self, port: int, number: int, kind: str, seconds: float, start: threading.Barrier
    ) -> None:
        super().__init__()
        self._port, self._kind, self._seconds, self._begun = port, kind, seconds, start
        self._random = random.Random(f"{number} {time.time()}")
        self._address = f"10.1.{number}.{self._random.randrange(256)}"
        self.times: list[float] = []

    def run(self) -> None:
        tokens = self._login()
        ask: Callable[[], Any] = {
            "list": lambda: self._ask("GET", "/api/sessions", token=tokens["access"]),
            "refresh": lambda: tokens.update(
                self._ask("POST", "/api/token/refresh", {"refresh": tokens["refresh"]})
            ),
            "login": self._login,
        }[self._kind]
        self._begun.wait()
        until = time.perf_counter() + self._seconds
        while (begin := time.perf_counter()) < until:
            ask()
            self.times.append((time.perf_counter() - begin) * 1000)

    def _login(self) -> Any:
        person = population.email(self._random.randrange(1, PEOPLE + 1))
        return self._ask("POST", "/api/token", {"email": person, "password": population.PASSWORD})

    def _ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {
            "User-Agent": AGENT,
            "X-Forwarded-For": self._address,
            "Content-Type": "application/json",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return json.loads(text)


class Site(NamedTuple):
    """A site under gunicorn."""

    port: int
    # The process that the workers are children of.
    master: int
    database: str

    def megabytes(self) -> float:
        """The memory of all workers, in MB."""
        pages = sum(int(_proc(pid, "statm").split()[1]) for pid in self._workers())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu(self) -> float:
        """The CPU time of all workers so far, in seconds; a worker must not end meanwhile."""
        stats = [_proc(pid, "stat").rpartition(")")[2].split() for pid in self._workers()]
        return sum(int(each[11]) + int(each[12]) for each in stats) / os.sysconf("SC_CLK_TCK")

    def analyze(self) -> None:
        """Have PostgreSQL count its rows, as it does by itself once a minute where that is switched on."""
        import psycopg

        with psycopg.connect(f"{SERVER}/{self.database}", autocommit=True) as server:
            server.execute("VACUUM ANALYZE")

    def _workers(self) -> list[int]:
        return [int(pid) for pid in _proc(self.master, f"task/{self.master}/children").split()]


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


@contextmanager
def site(settings: str, options: Sequence[str] = ("--workers", "4"), **env: str) -> Iterator[Site]:
    """A site over a database that is made for it; `options` are gunicorn's."""
    import psycopg

    name = f"bench_load_{settings.rpartition('.')[2]}_{os.getpid()}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    given = os.environ | {
        "DATABASE_URL": f"{SERVER}/{name}",
        "DJANGO_SETTINGS_MODULE": settings,
        "TRUSTED_PROXIES": "127.0.0.1/32",
        **env,
    }
    people = [sys.executable, "-W", "ignore", "-m", "benchmarks.load", "--people"]
    process = None
    try:
        subprocess.run(people, env=given, check=True)
        command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--log-level", "critical"]
        command += [*options, "--timeout", "120", "--bind", f"127.0.0.1:{port}", "project.wsgi"]
        process = subprocess.Popen(
            command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_for(port)
        yield Site(port, process.pid, name)
    finally:
        if process is not None:
            process.terminate()
            process.wait()
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit("gunicorn does not answer")


def people() -> None:
    """Migrate, and make the people who will sign in."""
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    model: Any = get_user_model()
    hashed = make_password(population.PASSWORD)
    model.objects.bulk_create(
        model(email=population.email(number), password=hashed) for number in range(1, PEOPLE + 1)
    )


def turn(port: int, kind: str, seconds: float) -> tuple[list[float], float]:
    """What eight clients see in so many seconds: milliseconds each, requests per second."""
    start = threading.Barrier(CLIENTS)
    clients = [Client(port, number, kind, seconds, start) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    times = [took for each in clients for took in each.times]
    if not times:
        raise SystemExit(f"{kind}: no answers")
    return times, len(times) / seconds


def measure(seconds: float, rounds: int) -> tuple[str, dict[str, dict[str, float]]]:
    seen: dict[tuple[str, str], list[float]] = {}
    rates: dict[tuple[str, str], list[float]] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        sites = {name: stack.enter_context(site(module)) for name, module in SITES.items()}
        for number in range(rounds + 1):
            for kind in KINDS:
                for name, at in random.sample(sorted(sites.items()), len(sites)):
                    before = at.cpu()
                    times, rate = turn(at.port, kind, seconds if number else 1)
                    if number:
                        seen.setdefault((name, kind), []).extend(times)
                        rates.setdefault((name, kind), []).append(rate)
                        spent = (at.cpu() - before) / len(times) * 1000
                        costs.setdefault((name, kind), []).append(spent)
                        continue
                    at.analyze()
    rows, drawn = [], {}
    for kind in KINDS:
        for name in SITES:
            cuts = statistics.quantiles(seen[name, kind], n=100, method="inclusive")
            rate = statistics.median(rates[name, kind])
            plain = _ratio(rates[name, kind], rates["plain SimpleJWT", kind])
            cheaper = _ratio(costs["plain SimpleJWT", kind], costs[name, kind])
            rows.append(
                [
                    f"{kind}, {name}",
                    f"{rate:.0f}",
                    f"{cuts[49]:.1f}",
                    f"{cuts[98]:.1f}",
                    f"{plain:.2f}",
                    f"{statistics.median(costs[name, kind]):.2f}",
                    f"{cheaper:.2f}",
                ]
            )
            drawn.setdefault(kind, {})[name.strip("*")] = rate
    head = ["", "requests per second", "p50, ms", "p99, ms", "times plain"]
    head += ["CPU of a worker, ms", "plain : this"]
    return page.table(head, rows), drawn


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--people", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.people:
        people()
        return
    text, drawn = measure(options.seconds, options.rounds)
    text = f"{page.machine((*page.SITE, 'gunicorn'))}\n\n{text}"
    print(text)
    if options.write:
        page.write(options.write, "load", text)
        picture = options.write.parent / "images" / "load.svg"
        page.bars(picture, "Four workers, eight clients", "requests per second", drawn)


if __name__ == "__main__":
    main()
