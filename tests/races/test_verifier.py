"""A service in another process, without a database: what ends at the site is refused there at once."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from devices.core import service_clients
from devices.core.keys import keyring
from devices.models import SigningKey

from .site import serve

pytest.importorskip("fastapi")
pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).parents[2]
SECRET, DIGEST = service_clients.new_secret()
BOUND = 3.0


def rotate(*arguments):
    SigningKey.objects.filter(state="next").update(created_at=timezone.now() - keyring.JWKS_MAX_AGE)
    call_command("rotate_keys", *arguments, stdout=StringIO())


@pytest.fixture
def site(tmp_path, monkeypatch, settings):
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    monkeypatch.setenv("RACE_SIGNING_KEYS", "database")
    monkeypatch.setenv("RACE_SERVICE", DIGEST)
    settings.DEVICES = {**settings.DEVICES, "FEED": True, "SIGNING_KEYS": "database"}
    keyring.reset()
    rotate()
    rotate("--now")
    with serve(connection.settings_dict["NAME"], "database", tmp_path / "log") as site:
        yield site
    keyring.reset()


@contextmanager
def service(site, tmp_path, bound=BOUND):
    """The service as a process of its own, in an environment that knows of no database."""
    log = tmp_path / f"service-{time.monotonic_ns()}.log"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "verifier"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        ),
        "SITE": site.url,
        "SECRET": SECRET,
        "BOUND": str(bound),
    }
    command = [sys.executable, "-m", "uvicorn", "tests.verifier.service:app", "--port", "0"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"running on (http://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        with httpx.Client(base_url=found[1], timeout=10) as caller:
            yield caller
    finally:
        process.terminate()
        process.wait(30)


def status(caller, access):
    return caller.get("/report", headers={"Authorization": f"Bearer {access}"}).status_code


def test_V7_4_1_what_ends_at_the_site_is_refused_elsewhere_within_a_second(
    site, make_user, tmp_path, rounds
):
    people = [make_user(f"{i}@example.org").email for i in range(10)]
    took = []
    # The bound as it is by default: on a machine with much else to do, the site may not answer for seconds.
    with service(site, tmp_path, bound=10) as caller:
        for _ in rounds(10):
            for email in people:
                mine, other = site.caller.login(email), site.caller.login(email)
                assert status(caller, mine.access) == status(caller, other.access) == 200
                path = f"/api/sessions/{mine.session_id}"
                assert site.caller.bearing("DELETE", path, other.access).status_code == 204
                ended = time.monotonic()
                while status(caller, mine.access) == 200:
                    assert time.monotonic() - ended < 5
                    time.sleep(0.005)
                took.append(time.monotonic() - ended)
                assert status(caller, other.access) == 200
    p99 = statistics.quantiles(took, n=100)[98]
    print(f"{len(took)} ends: median {statistics.median(took):.3f} s, p99 {p99:.3f} s")
    # Of the few rounds of the suite the slowest one counts, whatever else the machine does meanwhile.
    assert p99 < 1 or "RACE_ROUNDS" not in os.environ


def test_rotation_and_withdrawal_reach_the_service(site, alice, tmp_path):
    with service(site, tmp_path) as caller:
        mine = site.caller.login(alice.email)
        assert status(caller, mine.access) == 200
        for _ in range(2):
            rotate("--now")
            time.sleep(1)
            other = site.caller.login(alice.email)
            assert status(caller, other.access) == 200
            assert status(caller, mine.access) == 200
        kid = SigningKey.objects.get(state="signing").kid
        rotate("--withdraw", kid)
        time.sleep(1)
        assert status(caller, other.access) == 401
        assert status(caller, mine.access) == 200
        assert status(caller, site.caller.login(alice.email).access) == 200


def test_without_the_site_it_refuses_after_the_bound_and_restarted_it_is_right_at_once(
    site, alice, tmp_path
):
    mine, other = site.caller.login(alice.email), site.caller.login(alice.email)
    with service(site, tmp_path) as caller:
        assert status(caller, mine.access) == 200
        # The site hangs, which is worse than a refused connection.
        workers = _workers(site)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            cut = time.monotonic()
            while status(caller, mine.access) == 200:
                # A second more, as a busy machine may not run the service at once.
                assert time.monotonic() - cut < BOUND + 1
                time.sleep(0.01)
            until = time.monotonic() - cut
            # It had heard of the site at most one long poll before.
            assert until >= BOUND * 3 / 4 - 0.3
            assert status(caller, mine.access) == 503
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while status(caller, mine.access) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    path = f"/api/sessions/{mine.session_id}"
    assert site.caller.bearing("DELETE", path, other.access).status_code == 204
    with service(site, tmp_path) as caller:
        assert status(caller, mine.access) == 401
        assert status(caller, other.access) == 200


def _workers(site):
    [master] = re.findall(r"Listening at: \S+ \((\d+)\)", site.log.read_text())[:1]
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [int(each) for each in children]
