"""How many touches of a session PostgreSQL does as heap-only updates, which no index hears of.

    python -m benchmarks.touch [--write docs/performance.md]

In a PostgreSQL of its own, made for the run: a transaction that runs long in any database of a server holds
up the pruning this lives on. --here takes the one that DATABASE_URL names.
"""

import argparse
import logging
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from glob import glob
from pathlib import Path

import django

from . import page

TOUCHED = """
    SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'devices_devicesession'
"""
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@contextmanager
def own_server() -> Iterator[str]:
    """The URL of a PostgreSQL that is nobody else's. It refuses to run as root, so then as its own user."""
    found = [shutil.which("initdb") or "", *sorted(glob("/usr/lib/postgresql/*/bin/initdb"))]
    programs = Path(found[0] or found[-1]).parent
    owner = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = f"{folder}/data"

        def run(*command: str) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)

        run(f"{programs}/initdb", "-D", data, "-U", "postgres", "--auth", "trust")
        start = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
        run(f"{programs}/pg_ctl", "-D", data, "-w", "-o", start, "-l", f"{folder}/log", "start")
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop")


def measure(size: int, rounds: int) -> str:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client as Browser
    from django.test.utils import setup_databases, teardown_databases

    from devices.core import sessions, tokens
    from devices.core.clients.client import Client
    from devices.models import DeviceSession

    made = setup_databases(verbosity=0, interactive=False)
    try:
        user = get_user_model().objects.create_user("alice@example.org", "a password")
        client = Client("127.0.0.1", AGENT)
        session = sessions.start(user, client)
        # A minute ago, so that the first request is due.
        DeviceSession.objects.update(last_active=session.created_at - timedelta(minutes=1))
        before, _ = touched(connection)
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue(session).access}"}
        browser = Browser(HTTP_USER_AGENT=AGENT)
        for _ in range(1000):
            assert browser.get("/api/sessions/current", **bearer).status_code == 200
        updates = touched(connection)[0] - before
        values = {f.attname: getattr(session, f.attname) for f in session._meta.concrete_fields}
        rows = [DeviceSession(**values | {"id": uuid.uuid4()}) for _ in range(size)]
        DeviceSession.objects.bulk_create(rows)
        begun = touched(connection)
        for number in range(1, rounds + 1):
            for row in rows:
                now = session.created_at + timedelta(minutes=2 * number)
                sessions.authentication._touch(row, 0, client, now)
        ended = touched(connection)
        count, heap_only = ended[0] - begun[0], ended[1] - begun[1]
        return page.table(
            ["", ""],
            [
                ["updates by 1,000 requests within a minute", updates],
                [f"touches, {rounds} of each of {size:,} sessions", f"{count:,}"],
                ["of them heap-only", f"{heap_only / count:.1%}"],
            ],
        )
    finally:
        teardown_databases(made, verbosity=0)


def touched(connection: object) -> tuple[int, int]:
    """Updates of sessions, and heap-only ones, as PostgreSQL has counted them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED)
        return cursor.fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--here", action="store_true", help="on the server of DATABASE_URL")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    if not options.here:
        with own_server() as url:
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.touch", "--here"]
            command += ["--size", str(options.size), "--rounds", str(options.rounds)]
            done = subprocess.run(
                command, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.PIPE, text=True
            )
        if done.returncode:
            raise SystemExit(done.returncode)
        text = done.stdout.strip()
        print(text)
        if options.write:
            page.write(options.write, "touch", f"{page.machine()}\n\n{text}")
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    print(measure(options.size, options.rounds))


if __name__ == "__main__":
    main()
