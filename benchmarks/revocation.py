"""How soon a revocation in one process is refused by another, in the mode `cached`.

    DATABASE_URL=postgres://… python -m benchmarks.revocation [--bus redis://…]

The time runs from the moment the revoking process has its commit, to the other's first refusal.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import django
from django.conf import settings


def worker() -> None:
    """Ask for one token after another, each until it is refused; tell when that was."""
    from devices.core import bus, sessions
    from devices.core.client import Client
    from devices.core.memory import memory
    from devices.exceptions import SessionRevoked

    bus.listen()
    for line in sys.stdin:
        token = line.strip().encode()
        while not memory.is_trusted:
            time.sleep(0.01)
        while memory.get(token) is None:
            sessions.authenticate(token, Client)
        print("remembered", flush=True)
        try:
            while True:
                sessions.authenticate(token, Client)
                time.sleep(0.0005)
        except SessionRevoked:
            print(time.monotonic(), flush=True)


def measure(times: int, bus_url: str) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from devices.core import sessions, tokens
    from devices.core.client import Client
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
        cuts = statistics.quantiles(delays, n=100)
        print(
            f"{times} revocations, bus {bus_url.partition(':')[0]}: p50 {cuts[49]:.1f} ms, "
            f"p99 {cuts[98]:.1f} ms, worst {max(delays):.1f} ms"
        )
    finally:
        other.stdin.close()
        other.wait()
        teardown_databases(made, verbosity=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--bus", default="postgres")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    settings.DEVICES = settings.DEVICES | {"LIVENESS": "cached", "BUS": options.bus}
    if options.worker:
        worker()
    else:
        measure(options.times, options.bus)


if __name__ == "__main__":
    main()
