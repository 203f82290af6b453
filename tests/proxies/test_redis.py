"""Kinds of Redis as the bus: a server, Valkey, a Cluster, a replica, a Sentinel.

Valkey is the one on the PATH, or the program that VALKEY_SERVER names.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from redis import Redis

from devices.core.life import bus
from devices.core.life.bus import RedisLine
from tests.bus import wait_for
from tests.client import PASSWORD

from .servers import environment, free_port, gunicorn, migrate, running

SERVERS = {
    "redis": shutil.which("redis-server"),
    "valkey": os.environ.get("VALKEY_SERVER") or shutil.which("valkey-server"),
}
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https"}


@pytest.fixture(params=SERVERS)
def program(request):
    if SERVERS[request.param] is None:
        pytest.skip(f"NO {request.param.upper()}: {request.param}-server is not installed")
    return SERVERS[request.param]


@contextmanager
def serving(program, folder, *options):
    """A server that keeps nothing; its port."""
    port = free_port()
    # A Cluster's nodes speak to each other at a port that is 10000 higher.
    while "--cluster-enabled" in options and port > 55000:
        port = free_port()
    folder = folder / str(port)
    folder.mkdir()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running([*command, "--dir", str(folder), *options], folder / "log", port):
        yield port


@contextmanager
def one(program, folder):
    with serving(program, folder) as port:
        yield port, port


@contextmanager
def cluster(program, folder):
    """Two of three nodes that share the keys between them."""
    if shutil.which("redis-cli") is None:
        pytest.skip("NO CLUSTER: redis-cli is not installed")
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes")
        ports = [stack.enter_context(serving(program, folder, *options)) for _ in range(3)]
        nodes = [f"127.0.0.1:{port}" for port in ports]
        command = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        yield ports[0], ports[1]


def url(port):
    return f"redis://127.0.0.1:{port}/0"


def settle(line, seconds=1.0):
    """Beat as the listener does; it raises if a beat is not heard."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        list(line.beat())
        list(line.wait(0.1))


@pytest.mark.parametrize("kind", [one, cluster])
def test_an_end_at_one_process_is_heard_at_another(kind, program, tmp_path):
    # Each process at a node of its own, where there are several.
    with kind(program, tmp_path) as ports, ExitStack() as stack:
        database = {"DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3"}
        clients = []
        for number, port in enumerate(ports):
            folder = tmp_path / f"site{number}"
            folder.mkdir()
            changes = {**database, "DEVICES_LIVENESS": "cached", "DEVICES_BUS": url(port)}
            env = environment(folder, **changes)
            if number == 0:
                migrate(env)
            at = free_port()
            stack.enter_context(gunicorn(folder, at, env))
            client = httpx.Client(base_url=f"http://127.0.0.1:{at}", headers=HEADERS, timeout=30)
            clients.append(stack.enter_context(client))
        here, there = clients
        person = {"email": "heard@example.org", "password": PASSWORD}
        tokens = [here.post(f"/api/{way}", json=person).json() for way in ("register", "login")]
        left, kept = ({"Authorization": f"Bearer {each['access_token']}"} for each in tokens)

        def is_in(bearer):
            return here.get("/api/me", headers=bearer).status_code == 200

        def by_hand(change):
            with sqlite3.connect(tmp_path / "site.sqlite3", timeout=10) as connection:
                connection.execute(f"UPDATE devices_devicesession SET {change}")

        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert is_in(left) and is_in(kept)
            time.sleep(0.1)
        # They are remembered: nobody hears of what is done by SQL.
        by_hand("revoked_at = created_at, revoke_reason = 'admin'")
        assert is_in(left) and is_in(kept)
        by_hand("revoked_at = NULL, revoke_reason = ''")
        assert there.post("/api/logout", headers=left).status_code == 204
        wait_for(lambda: not is_in(left), 2)
        assert is_in(kept)


def test_messages_cross_a_cluster(program, tmp_path):
    with cluster(program, tmp_path) as (here, there):
        line = RedisLine(url(here))
        settle(line)
        bus._publish_to_redis(url(there), ["4711"])
        heard = []
        wait_for(lambda: heard.extend(line.wait(0.1)) or heard == ["4711"])
        line.close()
        # A Cluster has no other database.
        with pytest.raises(Exception, match="SELECT is not allowed|DB index is out of range"):
            RedisLine(f"redis://127.0.0.1:{here}/3")


def test_a_replica_is_no_bus(program, tmp_path):
    with (
        serving(program, tmp_path) as main,
        serving(program, tmp_path, "--replicaof", f"127.0.0.1 {main}") as copy,
    ):
        with pytest.raises(ConnectionError, match="no master"):
            settle(RedisLine(url(copy)))
        # A master that becomes a replica keeps its connections.
        line = RedisLine(url(main))
        settle(line)
        Redis(port=copy).replicaof("NO", "ONE")
        Redis(port=main).replicaof("127.0.0.1", copy)
        with pytest.raises(ConnectionError, match="no master"):
            settle(line)


def test_a_sentinel_is_no_bus(program, tmp_path):
    with serving(program, tmp_path) as port:
        at = free_port()
        config = tmp_path / "sentinel.conf"
        config.write_text(f"port {at}\nsentinel monitor main 127.0.0.1 {port} 1\n")
        with (
            running([program, str(config), "--sentinel"], tmp_path / "sentinel.log", at),
            pytest.raises(Exception, match="Only HELLO messages"),
        ):
            settle(RedisLine(url(at)))
