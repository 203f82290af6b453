"""Kinds of Redis as the bus: a server, Valkey, a Cluster, a replica, Sentinels that fail over.

SENTINEL_REVOCATIONS says how many sessions end during a failover. Valkey is the one on the PATH, or the
program that VALKEY_SERVER names.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta

import httpx
import pytest
from django.conf import settings as project
from django.db import OperationalError
from redis import Redis, RedisError

from devices.core.binding import replay
from devices.core.liveness import invalidation
from devices.core.liveness.cache import MAX_AGE as BOUND
from devices.core.liveness.invalidation import RedisLine, SentinelLine
from tests.bus import wait_for
from tests.client import PASSWORD
from tests.ports import free_port

from .servers import ROOT, certificate, environment, gunicorn, migrate, running

SERVERS = {
    "redis": shutil.which("redis-server"),
    "valkey": os.environ.get("VALKEY_SERVER") or shutil.which("valkey-server"),
}
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https"}
pytestmark = pytest.mark.own_database


@pytest.fixture(params=SERVERS)
def program(request):
    if SERVERS[request.param] is None:
        pytest.skip(f"NO {request.param.upper()}: {request.param}-server is not installed")
    return SERVERS[request.param]


@contextmanager
def serving(program, folder, *options):
    """A server that keeps nothing; its port."""
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
            client = httpx.Client(base_url=f"http://127.0.0.1:{at}", headers=HEADERS, timeout=120)
            clients.append(stack.enter_context(client))
        here, there = clients
        person = {"email": "heard@example.org", "password": PASSWORD}
        tokens = [here.post(f"/api/{way}", json=person).json() for way in ("register", "login")]
        left, kept = ({"Authorization": f"Bearer {each['access_token']}"} for each in tokens)

        def is_in(bearer):
            return here.get("/api/me", headers=bearer).status_code == 200

        def by_hand(change):
            # Python's own context commits, and leaves the connection open.
            with closing(sqlite3.connect(tmp_path / "site.sqlite3", timeout=10)) as file, file:
                file.execute(f"UPDATE devices_devicesession SET {change}")

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
        invalidation._publish_to_redis(url(there), ["4711"])
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


def test_a_sentinel_by_a_servers_url_is_no_bus(program, tmp_path):
    with serving(program, tmp_path) as port:
        at = free_port()
        config = tmp_path / "sentinel.conf"
        config.write_text(f"port {at}\nsentinel monitor main 127.0.0.1 {port} 1\n")
        with (
            running([program, str(config), "--sentinel"], tmp_path / "sentinel.log", at),
            pytest.raises(Exception, match="Only HELLO messages"),
        ):
            settle(RedisLine(url(at)))


@contextmanager
def sentinel(program, folder, *options):
    """A master, a replica and a Sentinel; its URL as a bus, and the processes of the two servers by port."""
    with ExitStack() as stack:
        first, second = free_port(), free_port()
        processes = {}
        for port, more in ((first, ()), (second, ("--replicaof", f"127.0.0.1 {first}"))):
            home = folder / str(port)
            home.mkdir()
            command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
            command += ["--dir", str(home), "--repl-diskless-sync-delay", "0", *options, *more]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            processes[port] = process
            stack.callback(process.wait)
            stack.callback(process.kill)
            wait_for(lambda port=port: answers(port), 30)
        wait_for(lambda: Redis(port=second).info()["master_link_status"] == "up", 30)
        at = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {at}\nsentinel monitor main 127.0.0.1 {first} 1\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 10000\n"
        )
        command = [program, str(config), "--sentinel"]
        stack.enter_context(running(command, folder / "sentinel.log", at))
        watcher = Redis(port=at)
        wait_for(lambda: watcher.sentinel_slaves("main"), 30)
        yield f"redis+sentinel://127.0.0.1:{at}/main/0", watcher, processes


def answers(port):
    try:
        return Redis(port=port, socket_connect_timeout=1).ping()
    except RedisError:
        return False


def test_an_end_is_heard_through_a_failover_of_the_bus(program, tmp_path):
    with sentinel(program, tmp_path) as (bus, watcher, processes):
        line = SentinelLine(bus)
        settle(line)
        invalidation._publish_to_redis(bus, ["4711"])
        heard = []
        wait_for(lambda: heard.extend(line.wait(0.1)) or heard == ["4711"])
        # By hand: the old master answers on.
        before = watcher.sentinel_get_master_addr_by_name("main")
        wait_for(lambda: bool(failed_over(watcher)), 30)
        with pytest.raises(Exception, match="Another Redis|no master|cut|closed"):
            settle(line, 30)
        line.close()
        wait_for(lambda: watcher.sentinel_get_master_addr_by_name("main") != before, 30)
        wait_for(lambda: reaches(bus), 30)
        line = SentinelLine(bus)
        settle(line)
        # The connection that sent the first message led to the old one.
        invalidation._publish_to_redis(bus, ["4712"])
        heard = []
        wait_for(lambda: heard.extend(line.wait(0.1)) or heard == ["4712"])
        line.close()


def test_a_line_moves_with_the_master_though_the_old_one_goes_on(program, tmp_path, monkeypatch):
    """As when the network parts the old master, which still says that it is one, from the Sentinels."""
    with sentinel(program, tmp_path) as (bus, watcher, processes):
        line = SentinelLine(bus)
        settle(line)
        [other] = set(processes) - {watcher.sentinel_get_master_addr_by_name("main")[1]}
        proxy = line._redis.connection_pool.proxy
        monkeypatch.setattr(
            proxy.sentinel_manager, "discover_master", lambda name: ("127.0.0.1", other)
        )
        with pytest.raises(ConnectionError, match="Another Redis"):
            settle(line)
        line.close()


@pytest.mark.parametrize("how", ["by hand", "killed"])
def test_used_proofs_are_remembered_through_a_failover(program, tmp_path, settings, how):
    with sentinel(program, tmp_path) as (store, watcher, processes):
        settings.DEVICES = project.DEVICES | {"DPOP_STORE": store}
        assert [use("first"), use("first")] == [True, False]
        before = watcher.sentinel_get_master_addr_by_name("main")
        wait_for(lambda: Redis(port=before[1]).wait(1, 1000) == 1)
        if how == "killed":
            processes[before[1]].kill()
        else:
            wait_for(lambda: bool(failed_over(watcher)), 30)
        wait_for(lambda: watcher.sentinel_get_master_addr_by_name("main") != before, 30)
        # Who asks the old master meanwhile is refused, and so is what is written to a replica.
        wait_for(lambda: takes("second"), 30)
        assert not any(map(use, ("first", "second")))
        assert [use("third"), use("third")] == [True, False]


def use(jti):
    return replay.use("thumbprint", jti, timedelta(minutes=5))


def takes(jti):
    try:
        return use(jti)
    except OperationalError:
        return False


def failed_over(watcher):
    try:
        return watcher.execute_command("SENTINEL", "FAILOVER", "main")
    except RedisError:  # the replica is not known as good yet
        time.sleep(0.1)
        return False


def reaches(bus):
    try:
        with closing(SentinelLine(bus)) as line:
            settle(line, 0.1)
        return True
    except Exception:
        return False


# A few in the suite; a thousand are asked for by name.
REVOCATIONS = int(os.environ.get("SENTINEL_REVOCATIONS", "60"))
MADE = """
import json
from accounts.models import User
from devices.core import sessions, tokens
from devices.core.clients.client import Client
made = []
for number in range({count}):
    user = User.objects.create(email=f"{{number}}@example.org", password="!")
    made.append(tokens.issue(sessions.start(user, Client("127.0.0.1", "curl/8"))).access)
print(json.dumps(made))
"""


def test_nothing_revoked_is_accepted_beyond_the_bound_while_sentinel_fails_over(
    program, tmp_path, capsys
):
    with sentinel(program, tmp_path) as (bus, watcher, processes), ExitStack() as stack:
        clients = []
        for number in range(2):
            folder = tmp_path / f"site{number}"
            folder.mkdir()
            database = f"sqlite:///{tmp_path}/site.sqlite3"
            env = environment(
                folder, DATABASE_URL=database, DEVICES_LIVENESS="cached", DEVICES_BUS=bus
            )
            if number == 0:
                migrate(env)
                shell = ["manage.py", "shell", "--no-imports", "-c", MADE.format(count=REVOCATIONS)]
                done = subprocess.run(
                    [sys.executable, *shell],
                    cwd=ROOT,
                    env=env,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                access = json.loads(done.stdout)
            at = free_port()
            stack.enter_context(gunicorn(folder, at, env))
            client = httpx.Client(base_url=f"http://127.0.0.1:{at}", headers=HEADERS, timeout=120)
            clients.append(stack.enter_context(client))
        here, there = clients
        accepted = []

        def end(token):
            """Have one process remember a session, end it at the other; how long does the first accept it?"""
            bearer = {"Authorization": f"Bearer {token}"}
            for _ in range(2):
                assert here.get("/api/me", headers=bearer).status_code == 200
            assert there.post("/api/logout", headers=bearer).status_code == 204
            answered = last = time.monotonic()
            while True:
                asked = time.monotonic()
                if here.get("/api/me", headers=bearer).status_code == 401:
                    break
                last = asked
                assert asked - answered < BOUND, "accepted beyond the bound"
                time.sleep(0.02)
            accepted.append(last - answered)

        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(end, token) for token in access]
            wait_for(lambda: len(accepted) >= REVOCATIONS // 4, 600)
            _, port = watcher.sentinel_get_master_addr_by_name("main")
            processes[port].kill()
            wait_for(lambda: watcher.sentinel_get_master_addr_by_name("main")[1] != port, 60)
            for job in jobs:
                job.result()
        assert len(accepted) == REVOCATIONS
        with capsys.disabled():
            slow = sum(each > 1 for each in accepted)
            print(
                f"\n{REVOCATIONS} revocations during a failover: accepted for at most"
                f" {max(accepted):.2f} s, {slow} of them for more than 1 s"
            )


def test_a_password_and_tls_are_what_the_url_says(program, tmp_path):
    certificate(tmp_path)
    port = free_port()
    plain = free_port()
    command = [program, "--port", str(plain), "--tls-port", str(port), "--bind", "127.0.0.1"]
    command += ["--tls-cert-file", f"{tmp_path}/site.crt", "--tls-key-file", f"{tmp_path}/site.key"]
    command += ["--tls-auth-clients", "no", "--tls-ca-cert-file", f"{tmp_path}/site.crt"]
    command += ["--requirepass", "a secret@", "--save", "", "--dir", str(tmp_path)]
    with running(command, tmp_path / "log", port):
        tls = f"ssl_ca_certs={tmp_path}/site.crt&ssl_check_hostname=false"
        line = RedisLine(f"rediss://:a%20secret%40@127.0.0.1:{port}/0?{tls}")
        settle(line)
        line.close()
        for wrong in (
            f"rediss://:guessed@127.0.0.1:{port}/0?{tls}",
            f"rediss://127.0.0.1:{port}/0?{tls}",
            # By a certificate that nobody vouches for.
            f"rediss://:a%20secret%40@127.0.0.1:{port}/0",
            f"redis://:a%20secret%40@127.0.0.1:{port}/0",
        ):
            with pytest.raises(RedisError):
                RedisLine(wrong)
