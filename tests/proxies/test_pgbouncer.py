"""Behind a real PgBouncer: the site runs, and a bus that hands on nothing is not trusted.

The one on the PATH, and another release if PGBOUNCER names its program.
"""

import os
import shutil
import subprocess
import sys
import time

import httpx
import pytest
from django.db import connection

from devices.core.liveness import invalidation
from devices.core.liveness.invalidation import PostgresLine
from tests.client import PASSWORD
from tests.ports import free_port

from .servers import ROOT, environment, gunicorn, pgbouncer

PROGRAMS = {
    "installed": shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"),
    "PGBOUNCER": os.environ.get("PGBOUNCER"),
}
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https"}
pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=PROGRAMS)
def program(request):
    if PROGRAMS[request.param] is None:
        pytest.skip(f"NO POOLER: pgbouncer ({request.param}) is not there")
    return PROGRAMS[request.param]


@pytest.fixture(params=["session", "transaction"])
def pooled(request, program, tmp_path):
    """The mode, and the URL of the suite's database through a PgBouncer in it."""
    if connection.vendor != "postgresql":
        pytest.skip("NO POOLER: it needs PostgreSQL, see DATABASE_URL")
    way = connection.get_connection_params()
    with pgbouncer(program, tmp_path, request.param, way) as port:
        yield request.param, f"postgres://{way['user']}@127.0.0.1:{port}/{way['dbname']}"


@pytest.fixture
def site(pooled, tmp_path):
    mode, url = pooled
    env = environment(tmp_path, DATABASE_URL=url, DB_POOL_MODE=mode)
    port = free_port()
    with (
        gunicorn(tmp_path, port, env),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=60) as client,
    ):
        yield client


def test_the_site_runs_through_it(site):
    person = {"email": "pooled@example.org", "password": PASSWORD}
    assert site.post("/api/register", json=person).status_code == 201
    tokens = site.post("/api/login", json=person).json()
    for _ in range(5):
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert len(site.get("/api/sessions", headers=bearer).json()) == 2
    again = site.post("/api/token/refresh", json={"refresh": tokens["refresh_token"]})
    assert again.status_code == 200
    assert site.get("/readyz").status_code == 200
    assert site.post("/api/logout", headers=bearer).status_code == 204
    assert site.get("/api/me", headers=bearer).status_code == 401


def test_missing_time_outs_are_found_before_it_is_served(pooled, tmp_path):
    mode, url = pooled
    env = environment(tmp_path, DATABASE_URL=url, DB_POOL_MODE=mode)
    command = [sys.executable, "manage.py", "check", "--database", "default"]
    checked = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert "project.W002" in checked.stderr and "statement_timeout" in checked.stderr


def settle(line, seconds=2.0):
    """Whether a heartbeat is heard within some seconds of listening."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        list(line.beat())
        list(line.wait(0.1))


def test_through_transactions_no_message_is_heard_and_nothing_is_trusted(pooled):
    mode, url = pooled
    line = PostgresLine(url)
    try:
        if mode == "session":
            settle(line)
        else:
            with pytest.raises(TimeoutError):
                settle(line)
    finally:
        line.close()


def test_past_the_pooler_all_is_heard(pooled, settings):
    way = connection.get_connection_params()
    host, port = way.get("host", "127.0.0.1"), way.get("port", 5432)
    url = f"postgresql://{way['user']}@{host}:{port}/{way['dbname']}"
    settings.DEVICES = {**settings.DEVICES, "BUS": url}
    line = PostgresLine(url)
    try:
        settle(line, 1.0)
        invalidation.publish(["4711"])
        assert list(line.beat()) == ["4711"]
    finally:
        line.close()
