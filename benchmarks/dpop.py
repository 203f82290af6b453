"""What a proof of a key costs (DPoP): whole requests over HTTP beside bearer tokens, and its parts alone.

    python -m benchmarks.dpop [--seconds 0.25] [--rounds 60] [--write docs/performance.md]

Two workers of gunicorn over PostgreSQL are asked in turns by clients with a bearer token and by clients with
a key. Turns are short, so that other work of the machine disturbs both alike.
The proofs are signed before a turn begins: what a client's signing costs is not the server's. What
the workers compute for a request is given as well, since other work of the machine does not change that.
Needs PostgreSQL and a Redis (REDIS_URL).
"""

import argparse
import hashlib
import http.client
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from . import page, population
from .scale import SERVER

REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9")
CLIENTS = 4
PATH = "/api/sessions/current"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


class Setup(NamedTuple):
    liveness: str
    bus: str
    store: str


# By what the table calls it.
SETUPS = {
    "`cached`, proofs in Redis": Setup("cached", REDIS, REDIS),
    "`cached`, proofs in PostgreSQL": Setup("cached", "postgres", "database"),
    "`database`, proofs in Redis": Setup("database", "", REDIS),
    "`database`, proofs in PostgreSQL": Setup("database", "", "database"),
}
DATABASE = "bench_dpop"


class Key:
    """The key of a client, and what it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        jwk = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        self._header = _base64url(json.dumps(header).encode())
        self._algorithm = ECAlgorithm(ECAlgorithm.SHA256)

    def proof(self, method: str, url: str, token: str = "") -> str:
        claims = {"jti": secrets.token_hex(16), "htm": method, "htu": url, "iat": int(time.time())}
        if token:
            claims["ath"] = _base64url(hashlib.sha256(token.encode()).digest())
        signed = f"{self._header}.{_base64url(json.dumps(claims).encode())}"
        return f"{signed}.{_base64url(self._algorithm.sign(signed.encode(), self._key))}"


class Client:
    """Somebody who is signed in, and asks again and again, with a proof each time if they have a key."""

    def __init__(self, port: int, number: int, *, bound: bool) -> None:
        self._port = port
        self._url = f"http://127.0.0.1:{port}"
        self._key = Key() if bound else None
        body = {"email": population.email(number + 1), "password": population.PASSWORD}
        proof = self._key.proof("POST", f"{self._url}/api/login") if self._key else ""
        tokens = json.loads(self._send("POST", "/api/login", {"DPoP": proof}, json.dumps(body)))
        self._token = tokens["access_token"]
        self._scheme = "DPoP" if self._key else "Bearer"
        assert tokens["token_type"].lower() == self._scheme.lower()
        self._proofs: list[str] = []

    def sign(self, many: int) -> None:
        """Make ready for a turn."""
        if self._key:
            url = self._url + PATH
            self._proofs = [self._key.proof("GET", url, self._token) for _ in range(many)]

    def ask(self, seconds: float, begun: threading.Barrier) -> int:
        """How many answers came in that time."""
        headers = {"Authorization": f"{self._scheme} {self._token}"}
        answers = 0
        begun.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            if self._key:
                headers["DPoP"] = self._proofs.pop()
            self._send("GET", PATH, headers)
            answers += 1
        return answers

    def _send(self, method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        given = {"User-Agent": AGENT, "Content-Type": "application/json"}
        given |= {name: value for name, value in headers.items() if value}
        connection.request(method, path, body or None, given)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return text


@contextmanager
def site(setup: Setup) -> Iterator[tuple[int, int]]:
    """The site in two workers, over the database of this run: its port, and the id of its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    given = os.environ | {
        "DATABASE_URL": f"{SERVER}/{DATABASE}",
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "DEVICES_LIVENESS": setup.liveness,
        "DEVICES_BUS": setup.bus,
        "DEVICES_DPOP_STORE": setup.store,
        "SITE_URL": "",
    }
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--log-level", "critical"]
    command += ["--bind", f"127.0.0.1:{port}", "project.wsgi"]
    process = subprocess.Popen(
        command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(parent: int) -> float:
    """What the workers of this process have used so far, in user and system time."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = status.read_text().rpartition(") ")[2].split()
            if int(fields[1]) == parent:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait_for(port: int) -> None:
    """Until each worker has loaded the site."""
    deadline = time.monotonic() + 120
    served = 0
    while served < 10:
        if time.monotonic() > deadline:
            raise SystemExit("gunicorn does not answer")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/healthz")
            served += connection.getresponse().status == 200
            connection.close()
        except OSError:
            time.sleep(0.1)


@contextmanager
def database() -> Iterator[None]:
    import psycopg

    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def people() -> None:
    """Migrate, and make the people who will sign in."""
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for number in range(1, CLIENTS + 1):
        model: Any = get_user_model()
        model.objects.create_user(population.email(number), population.PASSWORD)


class Turn(NamedTuple):
    rate: float  # answers per second, of all clients together
    cpu: float  # milliseconds of the workers, for each answer


def turn(clients: list[Client], seconds: float, most: int, parent: int) -> Turn:
    for each in clients:
        each.sign(most)
    begun = threading.Barrier(CLIENTS)
    before = cpu_seconds(parent)
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = sum(pool.map(lambda each: each.ask(seconds, begun), clients))
    return Turn(answers / seconds, (cpu_seconds(parent) - before) / answers * 1000)


def over_http(seconds: float, rounds: int) -> str:
    rows = []
    with database():
        given = os.environ | {
            "DATABASE_URL": f"{SERVER}/{DATABASE}",
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        }
        command = [sys.executable, "-m", "benchmarks.dpop", "--people"]
        subprocess.run(command, env=given, check=True)
        for name, setup in SETUPS.items():
            turns: dict[bool, list[Turn]] = {False: [], True: []}
            with site(setup) as (port, parent):
                sides = {
                    bound: [Client(port, number, bound=bound) for number in range(CLIENTS)]
                    for bound in turns
                }
                # More than a turn needs: each client has what all of them got in the first.
                most = int(turn(sides[False], 1, 0, parent).rate * seconds * 1.5) + 50
                for number in range(rounds + 1):
                    for bound, clients in sides.items():
                        seen = turn(clients, seconds, most, parent)
                        if number:  # the first round warms up
                            turns[bound].append(seen)
            bearer, proved = turns[False], turns[True]
            rows.append(
                [
                    name,
                    *(
                        f"{statistics.median(one.rate for one in side):.0f}"
                        for side in turns.values()
                    ),
                    f"{_ratio(proved, bearer, 'rate'):.2f}",
                    *(
                        f"{statistics.median(one.cpu for one in side):.2f}"
                        for side in turns.values()
                    ),
                    f"{_ratio(bearer, proved, 'cpu'):.2f}",
                ]
            )
    head = ["mode, store", "bearer, requests/s", "DPoP, requests/s", "ratio"]
    head += ["bearer, ms of CPU", "DPoP, ms of CPU", "ratio"]
    return page.table(head, rows)


def _ratio(mine: list[Turn], theirs: list[Turn], what: str) -> float:
    """The median of the ratios within a round."""
    pairs = zip(mine, theirs, strict=True)
    return statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs)


def parts() -> str:
    """What the parts of a proof's verification take, in this process."""
    import psycopg
    import redis

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from devices.core.binding import keys, proofs

    key = Key()
    url = "http://127.0.0.1/api/me"
    raw = key.proof("GET", url, "token")
    head, claims, signature = raw.split(".")
    signed = f"{head}.{claims}".encode()
    jwk = jwt.get_unverified_header(raw)["jwk"]
    public: Any = keys.parse(jwk, "ES256").verifier.key
    der = key._key.sign(signed, ec.ECDSA(hashes.SHA256()))
    asked = redis.Redis.from_url(REDIS)
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute("CREATE TEMPORARY TABLE used (key varchar(43) PRIMARY KEY, at timestamptz)")
        hurry = "(SELECT set_config('synchronous_commit', 'off', true)) AS hurry"
        insert = f"INSERT INTO used SELECT %s, now() FROM {hurry} ON CONFLICT DO NOTHING"
        acts: dict[str, Callable[[], Any]] = {
            "ES256 itself: `verify` of cryptography (OpenSSL)": lambda: public.verify(
                der, signed, ec.ECDSA(hashes.SHA256())
            ),
            "the whole proof: JSON, base64, key, signature": lambda: proofs.verify(
                raw, typ="dpop+jwt"
            ),
            "a key that is seen for the first time": lambda: (
                keys._parse.cache_clear(),
                keys.parse(jwk, "ES256"),
            ),
            "remembering it in Redis": lambda: asked.set(
                secrets.token_hex(16), b"", nx=True, px=120_000
            ),
            "remembering it in PostgreSQL, without waiting for its disk": lambda: server.execute(
                insert, [secrets.token_hex(16)]
            ),
            "signing it, on the client": lambda: key.proof("GET", url, "token"),
        }
        rows = [[name, f"{_microseconds(act):.0f}"] for name, act in acts.items()]
    return page.table(["", "µs"], rows)


def _microseconds(act: Callable[[], Any], times: int = 20, rounds: int = 300) -> float:
    # Each round is so short that many are through before another program gets the core.
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(times):
            act()
        taken.append((time.perf_counter() - begin) / times * 1e6)
    # What nobody disturbed.
    return min(taken)


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.25, help="of each turn")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--people", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.people:
        people()
        return
    text = "\n\n".join(
        [
            page.machine((*page.SITE, "cryptography", "redis", "gunicorn")),
            over_http(options.seconds, options.rounds),
            parts(),
        ]
    )
    print(text)
    if options.write:
        page.write(options.write, "dpop", text)


if __name__ == "__main__":
    main()
