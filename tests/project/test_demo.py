"""`manage.py demo`: a database to look around in."""

import io

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from devices.core.notifications import worker
from devices.models import Activity, DeviceSession, Notification, RevokeReason, Status
from project.management.commands.demo import PASSWORD, PEOPLE
from tests.client import Device


@pytest.fixture
def demo(db, settings):
    settings.DEBUG = True
    out = io.StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def test_it_prints_logins_that_work(demo):
    assert all(email in demo for email in PEOPLE) and PASSWORD in demo
    assert Device().sign_in("admin@example.org", PASSWORD).is_in()
    assert User.objects.filter(is_superuser=True).count() == 1


def test_its_past_could_have_happened(demo):
    sessions = list(DeviceSession.objects.all())
    assert len(sessions) > 30
    assert {session.status for session in sessions} == set(Status)
    assert {session.revoke_reason for session in sessions} > {"", "logout", "user", "admin"}
    assert len({session.country for session in sessions}) > 3 and len(sessions) > 30
    now = timezone.now()
    for session in sessions:
        assert session.created_at <= session.last_active <= now
        assert session.revoked_at is None or session.last_active <= session.revoked_at <= now
    at = dict(Activity.objects.filter(kind="session.started").values_list("session_id", "at"))
    assert all(at[session.pk] == session.created_at for session in sessions)


def test_a_stolen_refresh_token_ended_a_session_of_it(demo):
    stolen = DeviceSession.objects.filter(revoke_reason=RevokeReason.REUSE).first()
    assert Activity.objects.filter(session_id=stolen.pk, kind="refresh.reused").exists()


def test_somebody_strange_waits_for_an_answer_and_nobody_gets_a_mail(demo):
    assert {session.user.email for session in DeviceSession.objects.pending_review()} == {
        "alice@example.org",
        "bob@example.org",
    }
    assert not Notification.objects.exists() and not mail.outbox


def test_no_thread_sends_them_before_they_are_withdrawn(db, settings, monkeypatch):
    settings.DEBUG = True
    settings.DEVICES = {**settings.DEVICES, "NOTICE_QUEUE": "embedded"}
    started = []
    monkeypatch.setattr(worker, "ensure_running", lambda: started.append("now"))
    monkeypatch.setattr(worker, "_run_soon", lambda: started.append("soon"))
    call_command("demo", stdout=io.StringIO())
    assert not started
    assert settings.DEVICES["NOTICE_QUEUE"] == "embedded"


def test_it_refuses_a_database_with_people_in_it(alice, settings):
    settings.DEBUG = True
    with pytest.raises(CommandError, match="has users"):
        call_command("demo")
    assert User.objects.count() == 1


def test_it_refuses_production(db, settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG"):
        call_command("demo")
    assert not User.objects.exists()
