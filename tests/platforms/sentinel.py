"""The master of Redis is killed while people sign out, in the mode `cached` with a Sentinel as the bus.

`python -m tests.platforms.sentinel` signs 1,000 sessions out in one process of the site, while each has just
been used in another one, and kills the master amid. Prints how long an ended session was still accepted in
the other process, and exits with 1 if that was longer than BOUND.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.bus import Redis
from tests.client import CHROME
from tests.ports import free_port
from tests.proxies.servers import ROOT, environment, gunicorn, migrate, running

# Seconds within which a process knows of an end, whatever becomes of its bus (docs/performance.md).
BOUND = 1.5
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https", "User-Agent": CHROME}

PEOPLE = """
import json
from accounts.models import User
from devices.core import sessions, tokens
from devices.core.clients.client import Client
users = [User(email=f"{n}@example.org", password="!") for n in range(COUNT)]
people = (sessions.start(user, Client("127.0.0.1")) for user in User.objects.bulk_create(users))
print(json.dumps([tokens.issue(session).access for session in people]))
"""


class Servers:
    """A master, a replica of it, and a Sentinel that watches both."""

    def __init__(self, folder: Path) -> None:
        self.master, self.replica = (Redis(free_port(), str(folder)) for _ in range(2))
        self._command("REPLICAOF", "127.0.0.1", str(self.master.port))
        self.port = free_port()
        self._config, self._log = folder / "sentinel.conf", folder / "sentinel.log"
        self._config.write_text(
            f"port {self.port}\nsentinel monitor main 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n"
        )

    @contextmanager
    def watched(self) -> Iterator[str]:
        """The URL of the bus."""
        command = ["redis-server", str(self._config), "--sentinel"]
        with running(command, self._log, self.port):
            yield f"redis+sentinel://127.0.0.1:{self.port}/main/0"

    def has_failed_over(self) -> bool:
        return "+switch-master" in self._log.read_text()

    def close(self) -> None:
        self.master.kill()
        self.replica.kill()

    def _command(self, *words: str) -> None:
        import redis

        with redis.Redis(port=self.replica.port) as client:
            client.execute_command(*words)


def sign_out(access: str, here: str, there: str) -> float:
    """Use a session there, sign it out here; seconds after that until a request there was refused."""
    bearer = HEADERS | {"Authorization": f"Bearer {access}"}
    with httpx.Client(headers=bearer, timeout=60) as client:
        for _ in range(2):
            assert client.get(f"{there}/api/me").status_code == 200
        assert client.post(f"{here}/api/logout").status_code == 204
        ended = time.monotonic()
        while True:
            asked = time.monotonic()
            if client.get(f"{there}/api/me").status_code == 401:
                return asked - ended
            time.sleep(0.02)


def drill(count: int) -> tuple[list[float], bool]:
    """How long each of so many sessions was accepted after its end, and whether there was a failover."""
    folder = Path(tempfile.mkdtemp())
    servers = Servers(folder)
    try:
        with ExitStack() as stack:
            bus = stack.enter_context(servers.watched())
            env = environment(folder, DEVICES_LIVENESS="cached", DEVICES_BUS=bus)
            env["DEVICES_NOTICE_QUEUE"] = "worker"
            migrate(env)
            script = PEOPLE.replace("COUNT", str(count))
            command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", script]
            made = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
            sites = []
            for name in ("here", "there"):
                (folder / name).mkdir()
                port = free_port()
                stack.enter_context(gunicorn(folder / name, port, env))
                sites.append(f"http://127.0.0.1:{port}")
            delays: list[float] = []
            with ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(sign_out, each, *sites) for each in json.loads(made.stdout)]
                for place, job in enumerate(jobs):
                    if place == count // 3:
                        servers.master.kill()
                    delays.append(job.result())
            return delays, servers.has_failed_over()
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    delays, has_failed_over = drill(parser.parse_args().sessions)
    late = sum(delay > BOUND for delay in delays)
    ordered = sorted(delays)
    print(
        f"{len(delays)} sessions ended, failover: {has_failed_over}. Refused after: median "
        f"{ordered[len(ordered) // 2]:.2f} s, p99 {ordered[int(len(ordered) * 0.99)]:.2f} s, longest "
        f"{ordered[-1]:.2f} s. Later than {BOUND} s: {late}"
    )
    return 0 if has_failed_over and not late else 1


if __name__ == "__main__":
    sys.exit(main())
