"""A million of ten million sessions are cleaned up while people sign in: by one, who is killed, then by two.

    python -m benchmarks.cleanup [--sessions 10000000] [--write docs/performance.md]

The database is that of benchmarks.scale. Of its sessions a tenth is due; what an earlier run has deleted is
made again first.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from . import page, population
from .scale import SIZES, Worker, environment


def purge() -> None:
    """Clean up as the command does, and tell of each batch: how many rows, in how many milliseconds."""
    from devices.core.retention import cleanup

    for _ in cleanup.unhurried(told(cleanup.purge())):
        pass


def told(batches: Iterator[int]) -> Iterator[int]:
    begin = time.perf_counter()
    for size in batches:
        print(json.dumps([size, (time.perf_counter() - begin) * 1000]), flush=True)
        yield size
        begin = time.perf_counter()


class Purge:
    """Such a process, whose batches are read as they come."""

    def __init__(self, sessions: int) -> None:
        self.batches: list[tuple[int, float]] = []
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cleanup", "--purge"],
            # As the command runs, without the limits of a request.
            env=environment(sessions, DB_STATEMENT_TIMEOUT="0"),
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.batches.append(tuple(json.loads(line)))

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def finish(self) -> None:
        if self._process.wait():
            raise SystemExit("a clean-up has failed")
        self._reader.join()


def count() -> tuple[int, int]:
    """Due sessions, and all."""
    from devices.core.retention import cleanup
    from devices.models import DeviceSession

    return cleanup.count(), DeviceSession.objects.count()


def top_up(sessions: int) -> None:
    """Make again what is due and was deleted."""
    from django.db import connection

    from devices.models import DeviceSession

    template = DeviceSession.objects.order_by("-created_at").values_list("pk", flat=True)[0]
    kinds = [population.REVOKED_LONG_AGO, population.EXPIRED_LONG_AGO]
    with connection.cursor() as cursor:
        for first in range(1, sessions + 1, population.STEP):
            last = min(first + population.STEP - 1, sessions)
            population.copy_sessions(cursor, template, first, last, sessions, kinds)
        cursor.execute("VACUUM (ANALYZE) devices_devicesession")


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18]


def measure(sessions: int, seconds: float) -> str:
    due, _ = count()
    if due < sessions * 0.099:
        print(f"{due} are due; making the rest again", flush=True)
        top_up(sessions)
        due, _ = count()
    desk = Worker(sessions)
    desk.ask("times", "login", 20)
    quiet = desk.ask("times_for", "login", seconds)
    begin = time.monotonic()
    before = count()
    first = Purge(sessions)
    while not first.batches:
        time.sleep(0.1)
    busy = desk.ask("times_for", "login", seconds)
    first.kill()
    killed_after = sum(size for size, _ in first.batches)
    others = [Purge(sessions), Purge(sessions)]
    crowded: list[float] = []
    while any(one.runs for one in others):
        crowded += desk.ask("times_for", "login", 2.0)
    for one in others:
        one.finish()
    took = time.monotonic() - begin
    logins = len(busy) + len(crowded)
    desk.close()
    left, rows = count()
    batches = [batch for one in (first, *others) for batch in one.batches]
    deleted = before[1] + logins - rows
    times = [took for _, took in batches]
    rows_of = [
        ["due before", f"{before[0]:,}"],
        ["deleted", f"{deleted:,}"],
        ["due after", f"{left:,}"],
        ["deleted although not due", f"{max(deleted - (before[0] - left), 0):,}"],
        ["seconds", f"{took:.0f}"],
        ["rows deleted by the one that was killed", f"{killed_after:,}"],
        ["a batch of 1,000: median, p99, longest, ms"]
        + [
            f"{statistics.median(times):.0f}, {statistics.quantiles(times, n=100)[98]:.0f}, {max(times):.0f}"
        ],
        [
            "a login beside two: median, p95, ms",
            f"{statistics.median(crowded):.0f}, {p95(crowded):.0f}",
        ],
        ["a login beside it: median, p95, ms", f"{statistics.median(busy):.0f}, {p95(busy):.0f}"],
        ["a login before it: median, p95, ms", f"{statistics.median(quiet):.0f}, {p95(quiet):.0f}"],
        ["p95 of a login beside it, times before", f"{p95(busy) / p95(quiet):.2f}"],
    ]
    return page.table([f"of {sessions:,} sessions", ""], rows_of)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=SIZES[-1])
    parser.add_argument("--seconds", type=float, default=30, help="of logins before the clean-up")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--purge", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.purge:
        os.environ |= environment(options.sessions, DB_STATEMENT_TIMEOUT="0")
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    if options.purge:
        purge()
        return
    text = measure(options.sessions, options.seconds)
    text = f"{page.machine()}\n\n{text}"
    print(text)
    if options.write:
        page.write(options.write, "cleanup", text)


if __name__ == "__main__":
    main()
