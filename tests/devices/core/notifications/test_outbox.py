"""Mails are written with what they tell of, sent once, and lost by nobody's death."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.core import mail
from django.core.management import call_command
from django.db import connection, models, transaction
from django.utils import timezone

from devices.core import database
from devices.core.notifications import outbox, worker
from devices.models import Notification, NotificationKind, NotificationOutcome
from project.environment import mail_settings
from tests.client import FIREFOX, PASSWORD, Device
from tests.mail import mail_server, tarpit

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def write(alice):
    def write() -> Notification:
        at = timezone.now().isoformat()
        return outbox.write(alice.pk, NotificationKind.PASSWORD_CHANGED, {"at": at})

    return write


@pytest.fixture
def broken(monkeypatch):
    """A mail server that refuses, until it is mended."""
    refused = []

    def refuse(notice, address, zone, **options):
        refused.append(notice.pk)
        raise ConnectionRefusedError("203.0.113.7 said no")

    monkeypatch.setattr(outbox.emails, "send", refuse)
    return refused


class Reversed(models.EmailField):
    """An address that the column has in another form."""

    def from_db_value(self, value, expression, connection):
        return value[::-1]

    def get_prep_value(self, value):
        return value[::-1]


def test_an_address_that_is_stored_encrypted_is_sent_to_as_it_is_read(alice, write, monkeypatch):
    type(alice).objects.filter(pk=alice.pk).update(email=alice.email[::-1])
    monkeypatch.setattr(type(alice)._meta.get_field("email"), "__class__", Reversed)
    assert write().address == alice.email
    outbox.send_due()
    assert mail.outbox[0].to == [alice.email]


def test_an_address_whose_column_has_its_hash_is_read_from_the_user(alice, write, monkeypatch):
    class Hashed(models.EmailField):
        pass

    type(alice).objects.filter(pk=alice.pk).update(email="hash")
    monkeypatch.setattr(type(alice)._meta.get_field("email"), "__class__", Hashed)
    read = property(lambda self: "alice@example.org", lambda self, value: None)
    monkeypatch.setattr(type(alice), "email", read)
    assert write().address == "alice@example.org"
    users = type(alice)._base_manager.filter(pk=alice.pk)
    assert outbox.read_address(users) == "alice@example.org"


def test_a_notice_is_sent_once_however_often_it_is_asked_for(write):
    notice = write()
    for _ in range(3):
        assert outbox.send(notice.pk)
    assert outbox.send_due() == 0
    assert len(mail.outbox) == 1
    notice.refresh_from_db()
    assert notice.outcome == NotificationOutcome.SENT and notice.attempts == 1


def tell_of_sessions(kind, level, user, count):
    """Have so many sent; whether each that was sent says that no more follow."""
    for _ in range(count):
        data = {"at": timezone.now().isoformat(), "device": "curl", "level": level}
        outbox.write(user.pk, kind, data)
    outbox.send_due()
    told = [mail.body for mail in mail.outbox]
    mail.outbox.clear()
    return ["write no more of them" in body for body in told]


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (NotificationKind.NEW_DEVICE, "low"),
        (NotificationKind.SUSPICIOUS_LOGIN, "medium"),
        (NotificationKind.SUSPICIOUS_LOGIN, "critical"),
        (NotificationKind.REFRESH_REUSED, None),
    ],
)
def test_ten_mails_an_hour_tell_of_sessions(alice, mallory, clock, kind, level):
    """Who has the password signs in as often as they like. No mailbox and no mail server is flooded."""
    tell = partial(tell_of_sessions, kind, level)
    assert tell(alice, 4) == [False] * 4
    clock.shift(30 * 60)
    assert tell(alice, 8) == [False] * 5 + [True]
    limited = Notification.objects.filter(outcome=NotificationOutcome.LIMITED)
    assert limited.count() == 2
    # Others, and what is worse, are told as before.
    assert tell(mallory, 1) == [False]
    outbox.write(alice.pk, NotificationKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()})
    outbox.send_due()
    assert len(mail.outbox) == 1
    mail.outbox.clear()
    # The first four are more than an hour ago.
    clock.shift(31 * 60)
    assert tell(alice, 5) == [False] * 3 + [True]


def test_harmless_sign_ins_leave_room_for_critical_ones(alice):
    suspect = partial(tell_of_sessions, NotificationKind.SUSPICIOUS_LOGIN)
    assert len(suspect("medium", alice, 12)) == 10
    assert len(suspect("high", alice, 1)) == 1


def test_a_login_that_is_rolled_back_sends_nothing(alice):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        outbox.write(alice.pk, NotificationKind.PASSWORD_CHANGED, {})
        _ = 1 / 0
    assert outbox.send_due() == 0 and not mail.outbox


def test_what_could_not_be_sent_comes_again_later_each_time(write, broken, clock, monkeypatch):
    notice = write()
    waits = []
    for _ in range(9):
        assert outbox.send_due() == 0
        notice.refresh_from_db()
        waits.append((notice.due_at - timezone.now()).total_seconds() / 60)
        assert outbox.send_due() == 0, "not before it is due"
        clock.shift(waits[-1] * 60)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(broken) == 9
    monkeypatch.undo()
    assert outbox.send_due() == 1 and len(mail.outbox) == 1


def test_after_three_days_it_is_given_up_and_said(write, broken, clock, caplog):
    notice = write()
    clock.shift(timedelta(days=3, minutes=1))
    outbox.send_due()
    notice.refresh_from_db()
    assert notice.outcome == NotificationOutcome.GIVEN_UP
    assert "given up" in caplog.text and "203.0.113.7" not in caplog.text


def test_one_that_fails_does_not_make_a_round_try_all_others(write, broken):
    for _ in range(5):
        write()
    outbox.send_due()
    assert len(broken) == 1


def test_a_user_without_an_address_gets_none(write, alice):
    type(alice).objects.filter(pk=alice.pk).update(email="")
    notice = write()
    assert outbox.send_due() == 1
    notice.refresh_from_db()
    assert notice.outcome == NotificationOutcome.NO_ADDRESS and not mail.outbox


def test_who_changes_the_address_afterwards_does_not_get_the_warning(write, alice):
    notice = write()
    # By whatever way, SQL too.
    type(alice).objects.filter(pk=alice.pk).update(email="thief@example.org")
    assert outbox.send_due() == 1
    assert [told.to for told in mail.outbox] == [[alice.email]]
    notice.refresh_from_db()
    assert notice.address == alice.email


def test_a_changed_address_is_told_to_both_and_what_follows_for_a_week(write, alice, clock):
    old, alice.email = alice.email, "new@example.org"
    alice.save()
    outbox.send_due()
    assert [told.to for told in mail.outbox] == [[old], ["new@example.org"]]
    mail.outbox.clear()
    # Neither knows of the other, and each mail has an id of its own.
    write()
    clock.shift(timedelta(days=6))
    outbox.send_due()
    assert [told.to for told in mail.outbox] == [["new@example.org"], [old]]
    assert len({told.extra_headers["Message-ID"] for told in mail.outbox}) == 2
    mail.outbox.clear()
    clock.shift(timedelta(days=1, seconds=1))
    write()
    outbox.send_due()
    assert [told.to for told in mail.outbox] == [["new@example.org"]]


def link_for(user_id, address):
    """ACCOUNT_RECOVERY_URL of a host project."""
    if address == "new@example.org":
        return ""
    if address == "odd@example.org":
        raise LookupError(address)
    return f"https://shop.example/recover/{user_id}/"


def test_the_host_projects_recovery_link_stands_in_the_mail_to_the_old_address(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "ACCOUNT_RECOVERY_URL": f"{__name__}.link_for"}
    old, alice.email = alice.email, "new@example.org"
    alice.save()
    outbox.tell_method_added(alice.pk, "something else")
    outbox.send_due()
    with_link = {told.to[0] for told in mail.outbox if "https://shop.example/recover/" in told.body}
    assert with_link == {old} and len(mail.outbox) == 4


def test_a_recovery_link_that_fails_keeps_no_mail_back(alice, settings, caplog):
    settings.DEVICES = {**settings.DEVICES, "ACCOUNT_RECOVERY_URL": f"{__name__}.link_for"}
    outbox.tell_address_changed(alice.pk, "odd@example.org", alice.email)
    assert outbox.send_due() == 2 and "ACCOUNT_RECOVERY_URL failed: LookupError" in caplog.text


def test_a_save_without_another_address_tells_nobody(alice):
    alice.save()
    alice.save(update_fields=["last_login"])
    assert not Notification.objects.exists()


def test_the_command_sends_what_is_due_and_stops(write, capsys):
    write()
    call_command("devices_worker", once=True)
    assert capsys.readouterr().out == "Mails sent: 1\n"


def test_what_was_done_with_long_ago_is_deleted(write, clock):
    write(), write()
    outbox.send_due()
    waiting = write()
    clock.shift(timedelta(days=31))
    assert outbox.purge(1) == 1 and outbox.purge(10) == 1
    assert list(Notification.objects.all()) == [waiting]
    # Also what no worker ever sent.
    clock.shift(timedelta(days=4))
    assert outbox.purge(10) == 1 and not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_R05_a_worker_that_died_leaves_its_mail_to_another(write, clock):
    notice = write()
    assert outbox._take(notice.pk)
    # It was killed here. Nobody else takes the mail before the lease is over,
    clock.shift(299)
    assert outbox.send_due() == 0 and not mail.outbox
    # and then exactly one does.
    clock.shift(2)
    assert [outbox.send_due(), outbox.send_due()] == [1, 0]
    assert len(mail.outbox) == 1


def test_a_worker_that_comes_back_too_late_undoes_nothing(write, clock):
    late = outbox._take(write().pk)
    clock.shift(301)
    assert outbox.send_due() == 1
    outbox._give_back(late, TimeoutError())
    clock.shift(7200)
    assert outbox.send_due() == 0 and len(mail.outbox) == 1


# With a thread, a process and a mail server of their own


@pytest.fixture
def embedded(settings, monkeypatch):
    """The thread that sends mails in a process that serves, as it is by default."""
    settings.DEVICES = {**settings.DEVICES, "NOTICE_QUEUE": "embedded"}
    started = []
    start = worker._Embedded.start
    monkeypatch.setattr(worker, "_pid", None)
    monkeypatch.setattr(worker, "_consumer", None)
    monkeypatch.setattr(worker._Embedded, "start", lambda self: (started.append(self), start(self)))
    worker.ensure_running()
    yield settings
    for consumer in started:
        consumer.stop()
        for thread in (consumer.scheduler, *(thread for _, thread in consumer.worker_threads)):
            thread.join(10)


def send_to(settings, port, timeout=20):
    """From now on mails go to a mail server of the test."""
    server = mail_settings(
        EMAIL_BACKEND=SMTP, EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, EMAIL_TIMEOUT=timeout
    )
    for name, value in server.items():
        setattr(settings, name, value)


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)


def strange_login(user) -> float:
    began = time.monotonic()
    answer = Device(FIREFOX).post("/api/login", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 200
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_R05_a_mail_server_that_hangs_delays_no_login_loses_no_mail_and_doubles_none(
    make_user, sign_in, embedded, clock
):
    alice = make_user()
    sign_in(alice)
    with tarpit() as pit:
        send_to(embedded, pit.port, timeout=0.5)
        assert strange_login(alice) < 2
        wait_for(pit.caught.is_set)
        # While the thread waits for the server, others sign in all the same.
        assert strange_login(alice) < 2
        wait_for(lambda: not Notification.objects.filter(attempts=0).exists())
    with mail_server() as server:
        send_to(embedded, server.port)
        clock.shift(61)
        # The thread sees that a minute is over, too, and may be the one that sends it.
        outbox.send_due()
        wait_for(lambda: not Notification.objects.exclude(outcome="sent").exists())
        assert len(server.mails) == Notification.objects.count()
        assert outbox.send_due() == 0 and len(server.mails) == Notification.objects.count()


@pytest.mark.django_db(transaction=True)
def test_by_default_a_thread_of_the_process_sends_it_at_once(make_user, sign_in, embedded):
    alice = make_user()
    with mail_server() as server:
        send_to(embedded, server.port)
        sign_in(alice)
        strange_login(alice)
        wait_for(lambda: len(server.mails) == 1)
        wait_for(lambda: Notification.objects.filter(outcome="sent").count() == 1)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_serves_nothing_takes_an_e_mail_only_if_it_lasts(
    alice, settings, monkeypatch
):
    """A command, or a job of rq, ends right after it has written one."""
    began = []
    settings.DEVICES = {**settings.DEVICES, "NOTICE_QUEUE": "embedded"}
    monkeypatch.setattr(worker, "_pid", None)
    monkeypatch.setattr(worker, "_consumer", None)
    monkeypatch.setattr(worker, "_waiting", None)
    monkeypatch.setattr(worker, "SETTLED_AFTER", 0.5)
    monkeypatch.setattr(worker, "_is_in_memory", lambda connection: False)
    monkeypatch.setattr(worker._Embedded, "start", lambda self: began.append(self))
    for _ in range(2):
        outbox.write(
            alice.pk, NotificationKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()}
        )
    assert not began and not worker.huey.pending_count()
    wait_for(lambda: began)
    time.sleep(0.5)
    assert len(began) == 1


@pytest.mark.parametrize("in_memory", [True, False])
def test_beside_an_sqlite_in_memory_no_thread_reads(settings, monkeypatch, in_memory):
    began = []
    settings.DEVICES = {**settings.DEVICES, "NOTICE_QUEUE": "embedded"}
    sqlite = SimpleNamespace(vendor="sqlite", is_in_memory_db=lambda: in_memory)
    monkeypatch.setattr(database, "connection", lambda: sqlite)
    monkeypatch.setattr(worker, "_pid", None)
    monkeypatch.setattr(worker, "_consumer", None)
    monkeypatch.setattr(worker._Embedded, "start", lambda self: began.append(self))
    worker.ensure_running()
    assert len(began) == (0 if in_memory else 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_R05_a_worker_killed_while_it_sends_is_replaced_and_the_mail_arrives_once(alice):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: another process works on the same database")
    outbox.write(alice.pk, NotificationKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()})
    with tarpit() as pit:
        worker = start_worker(pit.port)
        assert pit.caught.wait(30), "the worker never reached the mail server"
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
    assert Notification.objects.get().taken_at is not None
    wait_for(lambda: Notification.objects.get().due_at <= timezone.now())
    with mail_server() as server:
        two = [start_worker(server.port), start_worker(server.port)]
        try:
            wait_for(lambda: server.mails, 30)
            wait_for(lambda: Notification.objects.get().outcome == "sent")
            time.sleep(2)
        finally:
            for worker in two:
                worker.terminate()
                worker.wait(10)
        assert len(server.mails) == 1
        assert "Message-ID: <" + str(Notification.objects.get().pk) in server.mails[0]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_finishes_the_e_mail_in_hand(write):
    """By SIGTERM, as systemd, Docker and Kubernetes do at each deployment."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: another process works on the same database")
    write()
    write()
    with mail_server() as server:
        server.pause = 2.0
        worker = start_worker(server.port)
        wait_for(lambda: server.mails, 30)
        worker.terminate()
        assert worker.wait(10) == 0
        assert len(server.mails) == 1
    assert_one_is_left()


def assert_one_is_left():
    """One of two e-mails was sent, and the next worker may take the other at once."""
    assert Notification.objects.filter(outcome="sent").count() == 1
    assert Notification.objects.filter(taken_at=None, due_at__lte=timezone.now()).count() == 1


# A process that serves: its thread sends what is due.
SERVES = """
import django
django.setup()
from devices.core.notifications import worker
worker.ensure_running()
{}
input()
"""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_process_that_serves_finishes_the_e_mail_in_hand_when_it_ends(write):
    """As a worker of gunicorn does at each restart and by `max_requests`."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: another process works on the same database")
    write()
    write()
    with mail_server() as server:
        server.pause = 2.0
        process = start_serving(server.port)
        wait_for(lambda: server.mails, 30)
        began = time.monotonic()
        process.communicate("\n", timeout=30)
        assert process.returncode == 0 and time.monotonic() - began < worker.LAST_WAIT
        assert len(server.mails) == 1
    assert_one_is_left()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_process_that_ends_does_not_wait_for_a_mail_server_that_hangs(write):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: another process works on the same database")
    write()
    with tarpit() as pit:
        process = start_serving(pit.port, "worker.LAST_WAIT = 1.0")
        assert pit.caught.wait(30)
        began = time.monotonic()
        process.communicate("\n", timeout=30)
        assert process.returncode == 0 and 0.9 < time.monotonic() - began < 8


def start_worker(port: int) -> subprocess.Popen:
    return start_process(port, "manage.py", "devices_worker", "--workers", "1")


def start_serving(port: int, code: str = "") -> subprocess.Popen:
    """Start a process that serves until it is sent a line."""
    arguments = ("-c", SERVES.format(code))
    return start_process(port, *arguments, queue="embedded", stdin=subprocess.PIPE, text=True)


def start_process(
    port: int, *arguments: str, queue: str = "worker", **options: Any
) -> subprocess.Popen:
    way = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=site.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
            "DATABASE_URL": way.geturl(),
            "MAIL_PORT": str(port),
            "MAIL_QUEUE": queue,
        },
        **options,
    )
