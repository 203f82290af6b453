"""A failover or a restore is seen by the history of the database, and staff are told what may be lost."""

from datetime import timedelta
from typing import Any

import django
import pytest
from django.core import mail
from django.db import connection, connections
from django.utils import timezone

from devices import receivers
from devices.core import database, failover
from devices.core.log.security_log import Event
from devices.core.notifications import emails, worker
from devices.models import DatabaseHistory

ADMINS: list[Any] = [("", "ops@example.org")] if django.VERSION < (6,) else ["ops@example.org"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def histories(monkeypatch):
    """histories("1.2"): from now on the database is this one."""

    def become(history):
        monkeypatch.setattr(database, "history", lambda: history)

    become("7.1")
    return become


@pytest.fixture
def admins(settings):
    settings.ADMINS = ADMINS


def test_which_database_it_is_can_be_read_by_a_plain_role():
    if connection.vendor != "postgresql":
        assert database.history() is None
        assert failover.look() is None and not DatabaseHistory.objects.exists()
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE devices_plain")
        cursor.execute("SET LOCAL ROLE devices_plain")
        history = database.history()
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT system_identifier FROM pg_control_system()")
        [system] = cursor.fetchone()
    assert history == f"{system}.1"


def test_the_first_database_and_the_same_one_again_are_no_failover(
    histories, clock, admins, security_lines
):
    for _ in range(3):
        assert failover.look() is None
        clock.shift(60)
    row = DatabaseHistory.objects.get()
    assert (row.last_seen - row.first_seen).total_seconds() == 120
    assert mail.outbox == [] and not security_lines.of(Event.DATABASE_REPLACED)


def test_of_several_processes_one_writes(histories, clock, django_assert_num_queries):
    failover.look()
    clock.shift(31)
    with django_assert_num_queries(1):
        failover.look()
    clock.shift(1)
    before = DatabaseHistory.objects.get().last_seen
    failover.look()
    assert DatabaseHistory.objects.get().last_seen == before


@pytest.fixture(params=["UTC", "America/New_York"])
def database_zone(request, db):
    """The zone that the database hands out times in: TIME_ZONE in DATABASES."""

    used = connections["default"]

    def use(zone):
        used.settings_dict["TIME_ZONE"] = zone
        for name in ("timezone", "timezone_name"):
            vars(used).pop(name, None)
        used.ensure_timezone()

    use(request.param)
    yield
    use(None)


@pytest.mark.parametrize("other", ["7.2", "8.1"], ids=["failover", "restore"])
def test_staff_are_told_once_of_another_database(
    histories, clock, admins, security_lines, database_zone, other
):
    failover.look()
    clock.shift(60)
    failover.look()
    known = timezone.now()
    clock.shift(45)
    histories(other)
    window = failover.look()
    assert window == (known, timezone.now())
    assert failover.look() is None
    [told] = mail.outbox
    assert told.to == ["ops@example.org"]
    for command in failover.repairs(window):
        assert command in told.body
    assert "--issued-before 2026-03-01T12:01:45Z" in told.body
    [line] = security_lines.of(Event.DATABASE_REPLACED)
    assert line["since"] == "2026-03-01T12:01:00+00:00"
    assert line["until"] == "2026-03-01T12:01:45+00:00"


def test_who_saw_it_second_tells_nobody(histories, clock, admins, monkeypatch):
    failover.look()
    histories("7.2")
    now = timezone.now()
    DatabaseHistory.objects.create(history="7.2", first_seen=now, last_seen=now)
    assert failover.look() is None
    # Another process writes it when this one has looked, and found nothing.
    histories("7.3")
    make = DatabaseHistory.objects.get_or_create

    def make_late(**given):
        make(**given)
        return make(**given)

    monkeypatch.setattr(DatabaseHistory.objects, "get_or_create", make_late)
    clock.shift(1)
    assert failover.look() is None
    assert mail.outbox == []


def test_without_admins_or_mail_the_log_has_it(
    histories, clock, settings, security_lines, caplog, monkeypatch
):
    failover.look()
    histories("7.2")
    assert failover.look() is not None
    assert mail.outbox == []

    def away(*args, **kwargs):
        raise OSError("no route")

    settings.ADMINS = ADMINS
    monkeypatch.setattr(emails, "mail_admins", away)
    clock.shift(1)
    histories("7.3")
    assert failover.look() is not None
    assert len(security_lines.of(Event.DATABASE_REPLACED)) == 2
    assert "could not be sent" in caplog.text


def test_staff_see_it_for_a_week(histories, clock, client, admin_user, django_user_model):
    client.force_login(admin_user, "devices.backends.LimitedModelBackend")
    page = "/admin/devices/devicesession/dashboard/"
    failover.look()
    assert "revoke_sessions" not in client.get(page).content.decode()
    histories("7.2")
    clock.shift(60)
    failover.look()
    shown = client.get(page).content.decode()
    assert "manage.py revoke_sessions --revoked-in security.log" in shown
    assert "manage.py revoke_sessions --issued-before 2026-03-01T12:01:00Z" in shown
    assert failover.lost_window(timezone.now() + timedelta(days=7)) is None


def test_each_process_that_sends_mails_looks_once_a_minute():
    assert receivers.EACH_MINUTE is failover.watch
    [task] = [
        task
        for task in worker.huey._registry.periodic_tasks
        if type(task).__name__ == "devices.watch_database"
    ]
    assert task.validate_datetime(timezone.now())
