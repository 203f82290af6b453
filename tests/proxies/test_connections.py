"""Under each kind of server, many requests at once leave PostgreSQL room for others.

The servers are no requirements of the site. SERVERS_PYTHON names the Python of an environment that
has the site's requirements, uvicorn, daphne, hypercorn, eventlet, and gunicorn with gevent.
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection

from tests.client import PASSWORD
from tests.ports import free_port

from .servers import environment, running

PYTHON = os.environ.get("SERVERS_PYTHON", "")
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https"}
AT_ONCE = 50
pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

SERVERS = {
    "uvicorn": ["uvicorn", "project.asgi:application", "--no-proxy-headers", "--port"],
    "daphne": ["daphne", "project.asgi:application", "--port"],
    "hypercorn": ["hypercorn", "project.asgi:application", "--bind"],
    "gevent": ["gunicorn", "project.wsgi", "-k", "gevent", "--no-control-socket", "--bind"],
    "eventlet": ["tests.proxies.on_eventlet"],
}


@pytest.fixture(params=SERVERS)
def site(request, tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("NO SERVERS: they need PostgreSQL, see DATABASE_URL")
    module, *arguments = SERVERS[request.param]
    if not PYTHON or subprocess.run([PYTHON, "-c", f"import {request.param}"]).returncode:
        pytest.skip(f"NO SERVER: {request.param} is not in SERVERS_PYTHON")
    way = connection.get_connection_params()
    host = f"{way.get('host', '127.0.0.1')}:{way.get('port', 5432)}"
    who = f"{way['user']}:{way.get('password') or ''}".rstrip(":")
    url = f"postgres://{who}@{host}/{way['dbname']}"
    port = free_port()
    last = f"127.0.0.1:{port}" if "--bind" in arguments else str(port)
    command = [PYTHON, "-m", module, *arguments, last]
    # Beside the requests, a thread listens all the time.
    cached = {"DEVICES_LIVENESS": "cached", "DEVICES_BUS": "postgres"}
    env = environment(tmp_path, DATABASE_URL=url, **cached)
    with running(command, tmp_path / "server.log", port, env):
        yield f"http://127.0.0.1:{port}"


def connections_of(database):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [database])
        return cursor.fetchone()[0]


def test_fifty_requests_at_once_time_and_again_leave_room(site):
    with httpx.Client(base_url=site, headers=HEADERS, timeout=120) as client:
        person = {"email": "many@example.org", "password": PASSWORD}
        tokens = client.post("/api/register", json=person).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

    def ask(_):
        with httpx.Client(base_url=site, headers={**HEADERS, **bearer}, timeout=120) as client:
            return client.get("/api/me").status_code

    left = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(3):
            assert list(pool.map(ask, range(AT_ONCE))) == [200] * AT_ONCE
            left.append(connections_of(connection.settings_dict["NAME"]))
    # Without an end they would be those of all requests so far: 50, 100, 150.
    assert max(left) < AT_ONCE // 2, left
    with httpx.Client(base_url=site, headers={**HEADERS, **bearer}, timeout=120) as client:
        assert client.post("/api/logout").status_code == 204
