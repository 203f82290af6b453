"""What a process holds on to: its memory at rest, and after 100,000 different tokens and user agents.

    python -m benchmarks.memory [--tokens 100000] [--write docs/performance.md]

The whole site in one process, in the mode `cached`, on a PostgreSQL database that is made for it. Each
request has a token of another session, and a user agent that was not seen before.
"""

import argparse
import gc
import io
import logging
import os
import random
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from . import page

BATCH = 1000
# After so many requests everything is imported and compiled.
REST = 2000
AGENT = (
    "Mozilla/5.0 (Linux; Android {android}; SM-A{model}B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{chrome}.0.{build}.{patch} Mobile Safari/537.36"
)


def megabytes() -> float:
    """The memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tokens(count: int) -> Iterator[str]:
    """Access tokens, each of a session of its own, whose rows are made as they are needed."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from devices.core import tokens
    from devices.models import DeviceSession, password_stamp

    user = get_user_model().objects.create_user("alice@example.org", "a password")
    for _ in range(0, count, BATCH):
        now = timezone.now()
        times = {"authenticated_at": now, "created_at": now, "last_active": now, "rotated_at": now}
        ends = {"expires_at": now + timedelta(days=1)}
        ends["absolute_expires_at"] = ends["expires_at"]
        stamp = password_stamp(user.password)
        rows = DeviceSession.objects.bulk_create(
            DeviceSession(user=user, device="Phone", password_stamp=stamp, **times, **ends)
            for _ in range(BATCH)
        )
        for row in rows:
            yield tokens.issue(row).access


def ask(application: Any, token: str, number: int) -> None:
    chosen = random.Random(number)
    agent = AGENT.format(
        android=chosen.randrange(8, 17),
        model=chosen.randrange(1000),
        chrome=chosen.randrange(90, 150),
        build=number,
        patch=chosen.randrange(300),
    )
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/sessions/current",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "HTTP_USER_AGENT": agent,
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    statuses: list[str] = []
    answer = application(environ, lambda status, headers: statuses.append(status))
    body = b"".join(answer)
    answer.close()
    assert statuses == ["200 OK"], (statuses, body)


def measure(count: int) -> str:
    from django.core.wsgi import get_wsgi_application
    from django.test.utils import setup_databases, teardown_databases

    from devices.conf import conf
    from devices.core.liveness import invalidation
    from devices.core.liveness.cache import session_cache

    logging.disable()
    made = setup_databases(verbosity=0, interactive=False)
    settings.DEVICES = settings.DEVICES | {"LIVENESS": "cached", "BUS": "postgres"}
    conf.reload()
    try:
        application, rows, rest = get_wsgi_application(), [], 0.0
        for number, token in enumerate(tokens(count), 1):
            ask(application, token, number)
            if number == REST:
                rest = megabytes()
            if rest and number in {REST, count // 10, count // 2, count}:
                now = megabytes()
                rows.append(
                    [f"{number:,}", f"{now:.0f}", f"{now / rest:.2f}", f"{len(session_cache):,}"]
                )
        return page.table(["requests", "memory, MB", "times at rest", "sessions cached"], rows)
    finally:
        invalidation.stop()
        teardown_databases(made, verbosity=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    text = f"{page.machine(page.SITE)}\n\n{measure(options.tokens)}"
    print(text)
    if options.write:
        page.write(options.write, "memory", text)


if __name__ == "__main__":
    main()
