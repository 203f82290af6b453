"""revoke_sessions as somebody calls it at three in the morning."""

import io
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pythonjsonlogger.json import JsonFormatter

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.staff import bulk_revocation
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE, refusal

WHY = ("--reason", "Leaked tokens, INC-42", "--yes")


@pytest.fixture
def crowd(alice, mallory, clock):
    """Three sessions of Alice's, then two of Mallory's an hour later; one more has ended."""
    for agent, ip in ((CHROME, "203.0.113.7"), (FIREFOX, "203.0.113.8"), (IPHONE, "2001:db8::7")):
        sessions.start(alice, Client(ip, agent))
    clock.shift(3600)
    for agent in (CHROME, FIREFOX):
        sessions.start(mallory, Client("198.51.100.4", agent))
    over = sessions.start(mallory, Client("198.51.100.4", CHROME))
    sessions.revoke(over, reason=RevokeReason.LOGOUT)


def run(*arguments):
    out = io.StringIO()
    call_command("revoke_sessions", *arguments, stdout=out)
    return out.getvalue()


FILTERS = [
    (("--user", "alice@example.org"), 3),
    (("--user", "ALICE@example.org"), 3),
    (("--ip", "203.0.113.0/24"), 2),
    (("--ip", "2001:db8::7"), 1),
    (("--last-ip", "198.51.100.4"), 2),
    (("--user-agent", "firefox"), 2),
    (("--browser", "Chrome"), 2),
    (("--os", "iOS"), 1),
    (("--device-type", "mobile"), 1),
    (("--issued-before", "2026-03-01T13:00:00Z"), 3),
    (("--issued-after", "2026-03-01T13:00:00Z"), 2),
    (("--active-before", "2026-03-01T13:00:00Z"), 3),
    (("--active-after", "2026-03-01T13:00:00Z"), 2),
    (("--suspicious", "true"), 0),
    (("--country", "ZZ"), 0),
    (("--user", "mallory@example.org", "--browser", "Chrome"), 1),
    (("--all",), 5),
]


@pytest.mark.parametrize(("filters", "n"), FILTERS, ids=[" ".join(f) for f, _ in FILTERS])
def test_it_ends_what_meets_every_filter_and_nothing_else(crowd, filters, n):
    told = run(*filters, "--dry-run")
    assert told.startswith(f"To be revoked: {n} session")
    assert DeviceSession.objects.active().count() == 5
    assert (run(*filters, *WHY).startswith(f"Revoked: {n} session")) == (n > 0)
    assert DeviceSession.objects.active().count() == 5 - n
    ended = DeviceSession.objects.filter(revoke_reason="admin")
    assert ended.count() == n
    for session in ended:
        line = Activity.objects.get(session_id=session.pk, kind="session.revoked")
        assert line.data.pop("incident")
        assert line.data == {"reason": "admin", "note": "Leaked tokens, INC-42"}
    assert run(*filters, *WHY) == "No active session matches these filters.\n"


def test_it_counts_sessions_and_people(crowd):
    assert run("--all", "--dry-run") == "To be revoked: 5 sessions of 2 people.\n"
    assert run("--user", "alice@example.org", *WHY) == "Revoked: 3 sessions of 1 person.\n"


def test_their_tokens_are_refused_from_the_next_request_on(alice, sign_in):
    phone = sign_in(alice)
    run("--ip", "203.0.113.7", *WHY)
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")


REFUSED = {
    "no filter": ((), "Give a filter, or --all"),
    "a filter and --all": (("--all", "--country", "DE"), "either --all or filters"),
    "nobody": (("--user", "nobody@example.org"), "--user: no user has the login"),
    "no name": (("--user", ""), "--user: no user"),
    "an empty variable": (("--ip", ""), "--ip: Must not be empty"),
    "no network": (("--ip", "203.0.113.7/33"), "--ip: Give an address"),
    "no time": (("--issued-before", "yesterday"), "--issued-before: Give a time"),
    "no zone": (("--issued-before", "2026-03-01T12:00"), "--issued-before: Give a time"),
    "no kind of device": (("--device-type", "phone"), "--device-type: Give one of"),
    "two mistakes": (("--country", "D", "--suspicious", "maybe"), "--country: .*\n--suspicious: "),
    "another option": (("--id", "1"), "unrecognized arguments"),
}  # fmt: skip


@pytest.mark.parametrize("more", [WHY, ("--dry-run",)], ids=["for real", "dry run"])
@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_ends_nothing(crowd, arguments, told, more):
    with pytest.raises(CommandError, match=told):
        run(*arguments, *more)
    assert DeviceSession.objects.active().count() == 5


@pytest.mark.parametrize(
    "reason", [(), ("--reason", " "), ("--reason", "a\nb"), ("--reason", "x" * 501)]
)
def test_without_a_reason_nothing_ends(crowd, reason):
    with pytest.raises(CommandError, match="--reason"):
        run("--all", "--yes", *reason)
    assert DeviceSession.objects.active().count() == 5


@pytest.mark.parametrize("answer", ["", "no", "y", "yes"])
def test_it_asks_and_takes_nothing_but_yes(crowd, monkeypatch, answer):
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    if answer == "yes":
        assert run("--all", "--reason", "x") == "Revoked: 5 sessions of 2 people.\n"
    else:
        with pytest.raises(CommandError, match="Nothing was revoked"):
            run("--all", "--reason", "x")
    assert asked == ["End 5 sessions of 2 people? Type yes: "]
    assert DeviceSession.objects.active().count() == (0 if answer == "yes" else 5)


def test_where_nobody_can_answer_it_wants_to_be_told(crowd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(
        CommandError, match="5 sessions of 2 people. This is not a terminal: add --yes"
    ):
        run("--all", "--reason", "x")
    assert DeviceSession.objects.active().count() == 5


def test_interrupted_it_tells_what_it_did_and_the_next_run_does_the_rest(crowd, monkeypatch):
    def interrupted(*args, **kwargs):
        yield next(whole(*args, **kwargs))
        raise KeyboardInterrupt

    whole = bulk_revocation.revoking
    monkeypatch.setattr(bulk_revocation, "BATCH", 2)
    with monkeypatch.context() as patch:
        patch.setattr(bulk_revocation, "revoking", interrupted)
        with pytest.raises(
            CommandError, match="Interrupted. Revoked: 2 sessions of 1 person"
        ) as stopped:
            run("--all", *WHY)
    assert stopped.value.returncode == 130
    assert DeviceSession.objects.active().count() == 3
    assert run("--all", *WHY) == "Revoked: 3 sessions of 1 person.\n"


def test_a_session_that_begins_meanwhile_is_not_meant(crowd, alice, clock, monkeypatch):
    whole = bulk_revocation.revoking

    def begin_first(*args, **kwargs):
        clock.shift(1)
        sessions.start(alice, Client("203.0.113.7", CHROME))
        yield from whole(*args, **kwargs)

    monkeypatch.setattr(bulk_revocation, "revoking", begin_first)
    assert run("--all", *WHY) == "Revoked: 5 sessions of 2 people.\n"
    assert DeviceSession.objects.active().count() == 1


def test_every_batch_costs_the_same(
    crowd, alice, bystanders, monkeypatch, django_assert_max_num_queries
):
    bystanders(alice, 30)
    monkeypatch.setattr(bulk_revocation, "BATCH", 4)
    with django_assert_max_num_queries(9 * 7 + 5):
        assert run("--all", *WHY).startswith("Revoked: 35 sessions")


def test_it_has_a_progress_bar_on_a_terminal_only(crowd, monkeypatch, capsys):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    run("--user", "mallory@example.org", *WHY)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", terminal)
    run("--all", *WHY)
    assert "0/3" in terminal.getvalue()


def test_it_is_written_into_the_security_log_with_nobody_as_actor(crowd, security_lines):
    run("--all", *WHY)
    [line] = security_lines.of(Event.STAFF_REVOKED)
    assert (line["user"], line["sessions"], line["people"]) == (None, "5", "2")
    assert line["note"] == "Leaked tokens, INC-42"


def database():
    """The test database, for another process."""
    given = connection.settings_dict
    host = f"{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}"
    return {"DATABASE_URL": f"postgres://{host}/{given['NAME']}"}


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="a killed process needs PostgreSQL (DATABASE_URL)"
)
@pytest.mark.django_db(transaction=True)
def test_R13_killed_in_the_middle_it_goes_on_and_two_at_once_share_the_work(alice, bystanders):
    bystanders(alice, 5_000)
    command = [sys.executable, "manage.py", "revoke_sessions", "--all", *WHY]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **database()}

    def begin():
        return subprocess.Popen(
            command, cwd=django_settings.BASE_DIR, env=env, stdout=subprocess.PIPE, text=True
        )

    active = DeviceSession.objects.active()
    victim = begin()
    try:
        deadline = time.monotonic() + 60
        while active.count() == 5_000 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    left = active.count()
    assert 0 < left < 5_000
    told = [each.communicate(timeout=120)[0] for each in (begin(), begin())]
    assert active.count() == 0
    shares = [int(line.split()[1]) if line.startswith("Revoked") else 0 for line in told]
    assert sum(shares) == left
    # Row and log agree, whoever was killed when.
    ended = Activity.objects.filter(kind="session.revoked")
    assert ended.count() == DeviceSession.objects.revoked().count() == 5_000
    data = ended[0].data
    assert data.pop("incident")
    assert data == {"note": "Leaked tokens, INC-42", "reason": "admin"}
    connections.close_all()


@pytest.fixture(params=["text", "JSON"])
def log_of(request, security_lines):
    """log_of(path): write what the security log has said so far, in one of its two forms."""
    formatter = logging.Formatter("%(asctime)s %(message)s")
    if request.param == "JSON":
        formatter = JsonFormatter("{message}{event}{outcome}{user}{session}", style="{")

    def write(path):
        lines = [formatter.format(each) for each in security_lines.records]
        path.write_text("\n".join(["something else", *lines, "{not json: session.revoked"]))
        return str(path)

    return write


def test_after_a_failover_it_ends_what_the_log_says_was_revoked(
    crowd, log_of, tmp_path, django_capture_on_commit_callbacks, monkeypatch
):
    active = DeviceSession.objects.active()
    lost, kept = active.filter(browser="Firefox"), active.exclude(browser="Firefox").count()
    assert lost.count() == 2
    with django_capture_on_commit_callbacks(execute=True):
        for session in lost:
            sessions.revoke(session, reason=RevokeReason.USER)
        # What another event is about did not end, whatever the client has written into it.
        said = f'session.revoked outcome="success" user="1" session="{active[0].pk}"'
        security_log.log(Event.SESSION_USED_ELSEWHERE, session_id=active[0].pk, browser=said)
    log = log_of(tmp_path / "security.log")
    # The standby that takes over has not heard of it.
    DeviceSession.objects.filter(revoke_reason="user").update(revoked_at=None, revoke_reason="")
    assert run("--revoked-in", log, "--dry-run") == "To be revoked: 2 sessions of 2 people.\n"
    assert run("--revoked-in", log, *WHY) == "Revoked: 2 sessions of 2 people.\n"
    assert not lost.all().exists() and active.count() == kept
    # Once more, and from standard input.
    monkeypatch.setattr("sys.stdin", io.StringIO(Path(log).read_text()))
    assert run("--revoked-in", "-", *WHY) == "No active session matches these filters.\n"


def test_many_lines_of_the_log_are_asked_for_in_parts(crowd, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "ASKED", 2)
    active = set(DeviceSession.objects.active().values_list("pk", flat=True))
    every = DeviceSession.objects.values_list("pk", flat=True)
    assert set(bulk_revocation.still_active(list(every))) == active


def test_a_log_that_says_nothing_ends_nothing(crowd, tmp_path):
    log = tmp_path / "security.log"
    with pytest.raises(CommandError, match="--revoked-in: .*security.log"):
        run("--revoked-in", str(log), *WHY)
    log.write_text("session.started\n")
    with pytest.raises(CommandError, match="no line of .*security.log says"):
        run("--revoked-in", str(log), *WHY)
    log.write_bytes(b"\xff\xfe session.revoked")
    with pytest.raises(CommandError, match="--revoked-in: "):
        run("--revoked-in", str(log), *WHY)
    with pytest.raises(CommandError, match="Give either --all or filters"):
        run("--revoked-in", str(log), "--all", *WHY)
    assert DeviceSession.objects.active().count() == 5
