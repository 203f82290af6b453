"""How soon a revocation in one process is refused by another, in the mode `cached`.

    python -m benchmarks.revocation [--bus redis://…] [--write docs/performance.md]

The time runs from the moment the revoking process has its commit, to the other's first refusal.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from . import page
from .scale import SERVER


def worker() -> None:
    """Ask for one token after another, each until it is refused; tell when that was."""
    from devices.core import sessions
    from devices.core.clients.client import Client
    from devices.core.liveness import invalidation
    from devices.core.liveness.cache import session_cache
    from devices.core.sessions import validation
    from devices.exceptions import SessionRevoked

    invalidation.listen()
    for line in sys.stdin:
        token = line.strip().encode()
        while not session_cache.is_trusted:
            time.sleep(0.01)
        while session_cache.get(validation.key(token)) is None:
            sessions.authenticate(token, Client)
        print("remembered", flush=True)
        try:
            while True:
                sessions.authenticate(token, Client)
                time.sleep(0.0005)
        except SessionRevoked:
            print(time.monotonic(), flush=True)


def measure(times: int, bus_url: str) -> str:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from devices.core import sessions, tokens
    from devices.core.clients.client import Client
    from devices.models import RevokeReason

    made = setup_databases(verbosity=0, interactive=False)
    command = [sys.executable, "-m", "benchmarks.revocation", "--worker", "--bus", bus_url]
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    other: Any = subprocess.Popen(
        command,
        env=os.environ | {"DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        user = get_user_model().objects.create_user("alice@example.org", "a password")
        delays = []
        for _ in range(times):
            session = sessions.start(user, Client("127.0.0.1"))
            print(tokens.issue(session).access, file=other.stdin, flush=True)
            assert other.stdout.readline() == "remembered\n"
            sessions.revoke(session, reason=RevokeReason.ADMIN)
            committed = time.monotonic()
            delays.append(max(0.0, float(other.stdout.readline()) - committed) * 1000)
        cuts = statistics.quantiles(delays, n=100, method="inclusive")
        cells = [f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(delays):.1f}"]
        return page.table(
            [f"ms, over {times:,} revocations", "p50", "p99", "worst"],
            [["PostgreSQL" if bus_url == "postgres" else "Redis", *cells]],
        )
    finally:
        other.stdin.close()
        other.wait()
        teardown_databases(made, verbosity=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--bus", help="only this one: postgres, or the URL of a Redis")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", f"{SERVER}/postgres")
    if options.bus is None:
        lines: list[str] = []
        for bus_url in ("postgres", os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")):
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.revocation"]
            command += ["--bus", bus_url, "--times", str(options.times)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            lines += done.stdout.strip().splitlines()[2 if lines else 0 :]
        text = "\n".join(lines)
        print(text)
        if options.write:
            page.write(options.write, "revocation", f"{page.machine()}\n\n{text}")
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    settings.DEVICES = settings.DEVICES | {"LIVENESS": "cached", "BUS": options.bus}
    from devices.conf import conf

    conf.reload()
    if options.worker:
        worker()
    else:
        print(measure(options.times, options.bus))


if __name__ == "__main__":
    main()
