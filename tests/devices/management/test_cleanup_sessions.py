"""cleanup_sessions as cron calls it."""

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.retention import cleanup
from devices.core.staff import statistics
from devices.models import (
    Activity,
    DeviceSession,
    EventCounter,
    FailedLogin,
    LoginThrottle,
    UsedProof,
)
from tests.client import PASSWORD, Device
from tests.dump import dump

DAY = 24 * 3600


@pytest.fixture
def five_due(alice, clock):
    for _ in range(5):
        sessions.start(alice, Client())
    clock.shift(40 * DAY)
    sessions.start(alice, Client())


def run(*arguments):
    out = io.StringIO()
    call_command("cleanup_sessions", *arguments, stdout=out)
    return out.getvalue()


def test_it_deletes_what_is_due_and_says_so_in_one_line(five_due, capsys):
    line = run("--batch-size", "2")
    assert line.startswith("Sessions deleted: 5 (batches: 3), ") and line.count("\n") == 1
    assert DeviceSession.objects.count() == 1
    assert capsys.readouterr().err == "", "no progress bar where nobody is watching"


def test_a_dry_run_deletes_nothing_and_foretells_the_real_one(five_due):
    assert run("--dry-run") == "Sessions to delete: 5\n"
    assert DeviceSession.objects.count() == 6
    assert run("--dry-run", "--inactive-days", "41") == "Sessions to delete: 0\n"
    assert run("--inactive-days", "41").startswith("Sessions deleted: 0 ")


def test_the_days_come_from_the_settings_unless_given(five_due, settings):
    settings.DEVICES = {"INACTIVE_DAYS": 41}
    assert run("--dry-run") == "Sessions to delete: 0\n"
    assert run("--dry-run", "--inactive-days", "39") == "Sessions to delete: 5\n"


def test_a_terminal_gets_a_progress_bar(five_due, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run().startswith("Sessions deleted: 5 ")
    assert "0/5" in terminal.getvalue()


def test_an_interrupted_run_tells_what_it_did_and_the_next_does_the_rest(five_due, monkeypatch):
    def interrupted(*args, **kwargs):
        batches = whole(*args, **kwargs)
        yield next(batches)
        raise KeyboardInterrupt

    whole = cleanup.purge
    with monkeypatch.context() as patch:
        patch.setattr(cleanup, "purge", interrupted)
        with pytest.raises(CommandError, match=r"Interrupted. Sessions deleted: 2 ") as stopped:
            run("--batch-size", "2")
    assert stopped.value.returncode == 130
    assert DeviceSession.objects.count() == 4
    assert run().startswith("Sessions deleted: 3 ")


def test_failed_sign_ins_go_past_their_retention(alice, clock):
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    clock.shift(89 * DAY)
    run()
    assert FailedLogin.objects.count() == 1
    clock.shift(2 * DAY)
    run()
    assert not FailedLogin.objects.exists()


def test_it_leaves_nothing_to_the_hourly_clean_up(db, clock):
    now = timezone.now()
    UsedProof.objects.create(key="x", expires_at=now)
    EventCounter.objects.create(start=now, kind="login.failed", shard=0)
    clock.shift(400 * DAY)
    run()
    assert not UsedProof.objects.exists() and not EventCounter.objects.exists()


def test_limits_of_login_attempts_go_once_they_limit_nobody(alice, clock):
    stranger = Device()
    for password in ("wrong", PASSWORD):
        for email in ("alice@example.org", "nobody@example.org"):
            stranger.post("/api/login", {"email": email, "password": password})
    assert LoginThrottle.objects.count() == 3  # of the address and of both accounts
    clock.shift(3600)
    assert "login limits: 0" in run("--batch-size", "1")
    clock.shift(61)
    assert "login limits: 2" in run("--batch-size", "1")
    assert LoginThrottle.objects.get().consecutive == 2, "failures are remembered until a success"
    clock.shift(30 * DAY)
    assert "login limits: 1" in run()


def test_what_has_aged_is_shortened_and_figures_of_it_are_forgotten(alice, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "RETENTION_DAYS": 365, "INACTIVE_DAYS": 365}
    sessions.start(alice, Client("203.0.113.77"))
    statistics.count()
    assert "203.0.113.77" in dump()
    clock.shift(89 * DAY)
    assert "lines of the log: 0, rows shortened: 0, " in run()
    clock.shift(DAY + 1)
    assert run("--dry-run").splitlines()[1:] == ["Rows to shorten: 2"]
    assert "rows shortened: 2, " in run("--batch-size", "1")
    assert "203.0.113.77" not in dump()
    assert "rows shortened: 0, " in run()
    clock.shift(275 * DAY)
    assert (
        run("--dry-run").splitlines()[1]
        == f"Lines of the log to delete: {Activity.objects.count()}"
    )
    run()
    assert not Activity.objects.exists()


@pytest.mark.parametrize("option", ["--inactive-days", "--batch-size"])
@pytest.mark.parametrize("value", ["0", "-1", "ten", "1.5", "", "99999999999"])
def test_a_bad_argument_is_refused_and_nothing_deleted(five_due, option, value):
    with pytest.raises(CommandError, match=option):
        run(f"{option}={value}")
    assert DeviceSession.objects.count() == 6


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_it_is_loud_when_the_database_is_closed(arguments):
    closed = subprocess.run(
        [sys.executable, "manage.py", "cleanup_sessions", *arguments],
        cwd=django_settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert closed.returncode == 1
    assert closed.stderr.startswith("CommandError: The database failed: ")
    assert "Traceback" not in closed.stderr and "to delete" not in closed.stdout
