"""R02: forty people do everything at once to the sessions of one account. Nobody waits in a circle."""

import random
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import User
from devices.core.retention import cleanup

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WAITING = """
    SELECT pid, query_start, extract(epoch FROM clock_timestamp() - query_start) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class LockWaits(threading.Thread):
    """Looks at the server again and again: how long each statement has waited for a lock."""

    def __init__(self):
        super().__init__()
        self.over = threading.Event()
        self.waits = {}

    def run(self):
        with closing(connection), connection.cursor() as cursor:
            while not self.over.wait(0.01):
                cursor.execute(WAITING)
                for pid, since, seconds in cursor.fetchall():
                    self.waits[pid, since] = float(seconds)

    def p99(self):
        waits = sorted(self.waits.values())
        return waits[int(len(waits) * 0.99)] if waits else 0.0


def deadlocks():
    """How many the server has counted. Its processes report when they end, so all others are ended first."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pid, pg_terminate_backend(pid) FROM ({others}) AS other"
            " WHERE pid <> pg_backend_pid()"
        )
        ended = {pid for pid, _ in cursor.fetchall()}
        while ended & {pid for (pid,) in cursor.execute(others).fetchall()}:
            time.sleep(0.05)
        counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return cursor.execute(counted).fetchone()[0]


def test_R02_forty_mixed_clients_on_one_account_never_deadlock(site, rounds, tally, alice):
    def refresh(caller, mine, other):
        return caller.refresh(mine.refresh)

    def login(caller, mine, other):
        caller.login(alice.email)

    def look(caller, mine, other):
        return caller.bearing("GET", "/api/sessions", mine.access)

    def revoke(caller, mine, other):
        return caller.bearing("DELETE", f"/api/sessions/{other.session_id}", mine.access)

    def revoke_all(caller, mine, other):
        return caller.bearing("POST", "/api/sessions/revoke-all", mine.access)

    def rename(caller, mine, other):
        path = f"/api/sessions/{other.session_id}"
        return caller.bearing("PATCH", path, mine.access, json={"name": f"{random.random()}"})

    def clean_up(caller, mine, other):
        list(cleanup.purge(inactive=timedelta(seconds=0.3), batch_size=2))

    def save(caller, mine, other):
        User.objects.get(pk=alice.pk).save()

    before = deadlocks()
    waits = LockWaits()
    waits.start()
    try:
        for _ in rounds(200):
            acts = [refresh, login] * 9 + [look, revoke, rename] * 5
            acts += [revoke_all] * 3 + [clean_up, save] * 2
            random.shuffle(acts)
            signed_in = [site.caller.login(alice.email) for _ in range(5)]

            def act(caller, i):
                time.sleep(random.uniform(0, 0.03))
                return acts[i](caller, *random.sample(signed_in, 2))

            answers = [answer for answer in site.par(40, act) if answer is not None]
            assert {answer.status_code for answer in answers} <= {200, 204, 401, 404}
            tally(rounds=1, answered=sum(answer.is_success for answer in answers))
    finally:
        waits.over.set()
        waits.join()
    tally(lock_waits=len(waits.waits), lock_wait_p99_ms=round(waits.p99() * 1000))
    assert waits.p99() < 1
    assert deadlocks() == before
