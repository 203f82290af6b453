"""The leader of PostgreSQL is killed while people sign out and refresh: what comes back, who is locked out.

`make failover` plays 20 rounds with a synchronous standby and 20 with an asynchronous one, over real servers
and the site under gunicorn with the URL of both. The standby is cut off shortly before, so that it always
lacks the last moments. In both the rest of the site commits asynchronously. Prints a table, and exits 1 if a
revocation that was answered is undone with the synchronous standby, or if a client is locked out.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks import page
from tests.bus import Proxy, wait_for
from tests.client import CHROME
from tests.ports import free_port
from tests.proxies.servers import ROOT, environment, gunicorn, migrate

from .postgres import Server, folder_for_servers

EACH = 50
STANDBYS = {
    "synchronous": "synchronous, `REVOCATION_COMMIT=on`",
    "asynchronous": "asynchronous",
}
# What is counted, and how it is called in the documents.
COLUMNS = {
    "rounds": "rounds",
    "answered": "answered",
    "rotations_lost": "rotations lost",
    "alive": "ended sessions alive",
    "alive_after_repair": "after `--revoked-in`",
    "locked_out": "clients locked out",
    "told": "staff told",
}
HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https", "User-Agent": CHROME}

# Within the site: people with a session each, and what the site says of its database.
BEFORE = f"""
import json
from accounts.models import User
from devices.core import failover, sessions, tokens
from devices.core.clients.client import Client
failover.look()
pairs = []
for _ in range({2 * EACH}):
    user = User.objects.create(email=f"{{User.objects.count()}}@example.org", password="!")
    session = sessions.start(user, Client("127.0.0.1", {CHROME!r}))
    pairs.append([str(session.pk), *tokens.issue(session)[:2]])
print(json.dumps(pairs))
"""
AFTER = """
from devices.core import failover
print(failover.look() is not None)
"""


class Drill:
    """A leader, a standby behind a line that can be cut, and the site, which knows both by one URL."""

    def __init__(self, folder: Path, is_synchronous: bool) -> None:
        self.folder, self.is_synchronous = folder, is_synchronous
        self.ports = [free_port(), free_port()]
        self.leader = Server(folder / "0", self.ports[0])
        self.made = 0
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.env = environment(
            folder,
            DATABASE_URL=f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write",
            DEVICES_REVOCATION_COMMIT="on" if is_synchronous else "",
        )

    def start(self) -> None:
        self.leader.create()
        names = "*" if self.is_synchronous else ""
        self.leader.configure(synchronous_commit="off", synchronous_standby_names=names)
        self.leader.start()

    def ask(self, script: str) -> str:
        return self.manage("shell", "--no-imports", "--command", script)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return done.stdout.strip()

    @contextmanager
    def standby(self) -> Iterator[tuple[Server, Proxy]]:
        """Another server that follows the leader, and the line between them."""
        self.made += 1
        [port] = set(self.ports) - {self.leader.port}
        server = Server(self.folder / str(self.made), port)
        with closing(Proxy("127.0.0.1", self.leader.port)) as line:
            server.follow(line.port)
            server.start()
            yield server, line

    def round(self, site: str) -> Counter[str]:
        """Cut the line, kill the leader, promote the standby: what became of whom."""
        with self.standby() as (standby, line):
            if self.made == 1:
                migrate(self.env)
            people = json.loads(self.ask(BEFORE))
            self.await_copy(standby)
            answered, lost = self.play(people, site, line)
            line.kill()
            standby.promote()
        shutil.rmtree(self.leader.data)
        self.leader = standby
        with httpx.Client(base_url=site, headers=HEADERS, timeout=30) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200, 30)
            outcome = Counter(answered=len(answered), told=self.ask(AFTER) == "True")
            outcome |= Counter(rotations_lost=lost)
            ended = people[:EACH]
            alive = [each for each in ended if each[0] in answered and is_alive(client, each)]
            outcome["alive"] = len(alive)
            for person in people[EACH:]:
                # Whoever got no answer asks again with what they have.
                token = answered.get(person[0], person[2])
                answer = client.post("/api/token/refresh", json={"refresh": token})
                outcome["locked_out"] += answer.status_code != 200
            if alive:
                log = str(self.folder / "site.log")
                repair = ("--revoked-in", log, "--reason", "Failover", "--yes")
                self.manage("revoke_sessions", *repair)
                outcome["alive_after_repair"] = sum(is_alive(client, each) for each in alive)
        return outcome

    def await_copy(self, standby: Server) -> None:
        """The sessions have to have arrived at the standby, or there is nothing to be asked for."""
        import psycopg

        where = "host=127.0.0.1 user=postgres dbname=postgres"
        with (
            psycopg.connect(f"{where} port={self.leader.port}", autocommit=True) as here,
            psycopg.connect(f"{where} port={standby.port}", autocommit=True) as there,
        ):
            row = here.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_for(lambda: there.execute(query, row).fetchone() == (True,), 30)

    def play(self, people: list[list[str]], site: str, line: Proxy) -> tuple[dict[str, str], int]:
        """Sign out the first half and refresh the second, and kill the leader amid.

        Returns who was answered, with what; and how many refreshes were answered behind the cut.
        """
        answered: dict[str, str] = {}
        behind: list[str] = []
        is_cut, lock = threading.Event(), threading.Lock()
        cut_at = random.randint(EACH // 2, EACH)
        kill_at = cut_at + random.randint(5, EACH // 2)

        def note(person: list[str], token: str) -> None:
            with lock:
                answered[person[0]] = token
                if is_cut.is_set() and token:
                    behind.append(token)

        def ask(person: list[str], *, is_ending: bool) -> None:
            _, access, refresh = person
            try:
                with httpx.Client(base_url=site, headers=HEADERS, timeout=10) as client:
                    if is_ending:
                        bearer = {"Authorization": f"Bearer {access}"}
                        if client.post("/api/logout", headers=bearer).status_code == 204:
                            note(person, "")
                    else:
                        answer = client.post("/api/token/refresh", json={"refresh": refresh})
                        if answer.status_code == 200:
                            note(person, answer.json()["refresh"])
            except httpx.HTTPError:
                pass  # not answered: nobody was promised anything

        def is_over(count: int) -> bool:
            return len(answered) >= count or all(job.done() for job in jobs)

        def is_stuck() -> bool:
            # With a synchronous standby that is cut off, those who sign out wait for it.
            seen = len(answered)
            time.sleep(0.3)
            return len(answered) == seen

        turns = [partial(ask, each, is_ending=True) for each in people[:EACH]]
        turns += [partial(ask, each, is_ending=False) for each in people[EACH:]]
        random.shuffle(turns)
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(turn) for turn in turns]
            wait_for(lambda: is_over(cut_at), 60)
            line.pause()
            is_cut.set()
            wait_for(lambda: is_over(kill_at) or is_stuck(), 60)
            self.leader.kill()
        return answered, len(behind)


def is_alive(client: httpx.Client, person: list[str]) -> bool:
    """Whether either of the tokens of a session that was signed out is taken."""
    _, access, refresh = person
    bearer = {"Authorization": f"Bearer {access}"}
    return (
        client.get("/api/me", headers=bearer).status_code == 200
        or client.post("/api/token/refresh", json={"refresh": refresh}).status_code == 200
    )


def drill(rounds: int, is_synchronous: bool) -> Counter[str]:
    """Play so many rounds; the sums of what they came to."""
    folder = folder_for_servers(Path(tempfile.mkdtemp()))
    play = Drill(folder, is_synchronous)
    total: Counter[str] = Counter(rounds=rounds)
    try:
        play.start()
        port = free_port()
        with gunicorn(folder, port, play.env):
            for _ in range(rounds):
                played = play.round(f"http://127.0.0.1:{port}")
                print(dict(played), file=sys.stderr, flush=True)
                total.update(played)
        return total
    finally:
        play.leader.stop()
        shutil.rmtree(folder, ignore_errors=True)


def is_good(total: Mapping[str, Any], is_synchronous: bool) -> bool:
    """Whether nothing came back that must not, nobody is locked out, and staff were told each time."""
    comes_back = total["alive"] if is_synchronous else total["alive_after_repair"]
    return not comes_back and not total["locked_out"] and total["told"] == total["rounds"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--standby", choices=STANDBYS, help="only with this one")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    rows, is_all_good = [], True
    for name, described in STANDBYS.items():
        if options.standby not in (None, name):
            continue
        is_synchronous = name == "synchronous"
        total = drill(options.rounds, is_synchronous)
        is_all_good &= is_good(total, is_synchronous)
        rows.append([described, *(total[each] for each in COLUMNS)])
    text = f"{page.machine()}\n\n{page.table(['standby', *COLUMNS.values()], rows)}"
    print(text)
    if options.write:
        page.write(options.write, "failover", text)
    return 0 if is_all_good else 1


if __name__ == "__main__":
    sys.exit(main())
