"""How many touches of a session PostgreSQL does as heap-only updates, which no index hears of.

    DATABASE_URL=postgres://… python -m benchmarks.touch

A transaction that runs long in any database of the server holds up the pruning this lives on.
"""

import argparse
import logging
import os
import uuid
from datetime import timedelta

import django

TOUCHED = """
    SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'devices_devicesession'
"""


def measure(size: int, rounds: int) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from devices.core import sessions
    from devices.core.client import Client
    from devices.models import DeviceSession

    made = setup_databases(verbosity=0, interactive=False)
    try:
        user = get_user_model().objects.create_user("alice@example.org", "a password")
        client = Client("127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0")
        session = sessions.start(user, client)
        values = {f.attname: getattr(session, f.attname) for f in session._meta.concrete_fields}
        rows = [DeviceSession(**values | {"id": uuid.uuid4()}) for _ in range(size)]
        DeviceSession.objects.bulk_create(rows)
        for number in range(1, rounds + 1):
            for row in rows:
                now = session.created_at + timedelta(minutes=2 * number)
                sessions._touch(row, 0, client, now)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(TOUCHED)
            touched, heap_only = cursor.fetchone()
        print(f"{touched} touches, {heap_only} heap-only: {heap_only / touched:.1%}")
    finally:
        teardown_databases(made, verbosity=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    logging.disable()
    measure(options.size, options.rounds)


if __name__ == "__main__":
    main()
