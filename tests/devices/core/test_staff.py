"""Ending a set of other people's sessions."""

from types import SimpleNamespace

import pytest

from devices.core import sessions, staff
from devices.core.client import Client
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME


@pytest.fixture
def clerk(make_user):
    return make_user("clerk@example.org", is_staff=True)


def test_survey_and_revocation_agree(clerk, alice, mallory, bystanders):
    bystanders(alice, 5)
    bystanders(mallory, 3)
    sessions.revoke(DeviceSession.objects.first(), reason=RevokeReason.USER)
    chosen = DeviceSession.objects.all()
    survey = staff.survey(chosen, by=clerk)
    assert survey == staff.Survey(sessions=7, people=2, more=False, ended=1, protected=0)
    assert staff.revoke(chosen, by=clerk, note="x") == staff.Revoked(sessions=7, people=2)
    assert staff.revoke(chosen, by=clerk, note="x") == staff.Revoked(sessions=0, people=0)
    assert Activity.objects.filter(kind="session.revoked", data__note="x").count() == 7


def test_a_survey_counts_no_further_than_one_step_goes(clerk, make_user, bystanders, monkeypatch):
    monkeypatch.setattr(staff, "AT_ONCE", 4)
    bystanders(make_user("ended@example.org"), 6)
    staff.revoke(DeviceSession.objects.all(), by=clerk, note="x")
    staff.revoke(DeviceSession.objects.all(), by=clerk, note="x")
    bystanders(make_user("boss@example.org", is_superuser=True), 5)
    bystanders(make_user("alice@example.org"), 5)
    survey = staff.survey(DeviceSession.objects.all(), by=clerk)
    assert survey == staff.Survey(sessions=4, people=1, more=True, ended=4, protected=4)
    assert staff.revoke(DeviceSession.objects.all(), by=clerk, note="x").sessions == 4


def test_A45_a_superusers_session_is_ended_by_a_superuser_only(clerk, make_user, bystanders):
    boss = make_user("boss@example.org", is_superuser=True)
    bystanders(boss, 2)
    chosen = DeviceSession.objects.all()
    assert staff.revoke(chosen, by=clerk, note="x").sessions == 0
    assert staff.survey(chosen, by=clerk).protected == 2
    assert staff.survey(chosen, by=boss).protected == 0
    assert staff.revoke(chosen, by=boss, note="x").sessions == 2


def test_where_users_know_no_superusers_none_is_protected(alice):
    sessions.start(alice, Client(None, CHROME))
    somebody = SimpleNamespace(pk=1)
    assert staff.permitted(DeviceSession.objects.all(), somebody).count() == 1


def test_a_session_revoked_meanwhile_keeps_its_first_reason(clerk, alice, bystanders, monkeypatch):
    bystanders(alice, 2)
    really = sessions.revoke

    def with_somebody_faster(session, **kwargs):
        really(session, reason=RevokeReason.LOGOUT)
        return really(session, **kwargs)

    monkeypatch.setattr(sessions, "revoke", with_somebody_faster)
    assert staff.revoke(DeviceSession.objects.all(), by=clerk, note="x").sessions == 0
    assert set(DeviceSession.objects.values_list("revoke_reason", flat=True)) == {"logout"}
