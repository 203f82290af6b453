"""Ending a set of other people's sessions."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.staff import bulk_revocation
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME

INCIDENT = "c0ffee"
NOTHING_DONE = bulk_revocation.Revoked(0, 0, more=False, incident=INCIDENT)


@pytest.fixture(autouse=True)
def incident(monkeypatch):
    monkeypatch.setattr(bulk_revocation.secrets, "token_hex", lambda length: INCIDENT)


@pytest.fixture
def clerk(make_user):
    return make_user("clerk@example.org", is_staff=True)


@pytest.fixture
def may():
    """may(user, "codename", …): the user with these permissions, and no memory of those before."""

    def may(user, *codenames):
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return type(user).objects.get(pk=user.pk)

    return may


def everyone():
    return DeviceSession.objects.all()


def test_survey_and_revocation_agree(clerk, alice, mallory, bystanders):
    bystanders(alice, 5)
    bystanders(mallory, 3)
    sessions.revoke(DeviceSession.objects.first(), reason=RevokeReason.USER)
    survey = bulk_revocation.survey(everyone(), by=clerk)
    assert survey == bulk_revocation.Survey(
        sessions=7, people=2, more=False, ended=1, protected=0, spared=0
    )
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x") == bulk_revocation.Revoked(
        7, 2, more=False, incident=INCIDENT
    )
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x") == NOTHING_DONE
    assert Activity.objects.filter(kind="session.revoked", data__note="x").count() == 7
    assert Activity.objects.filter(data__incident=INCIDENT, actor=clerk).count() == 7
    by = DeviceSession.objects.filter(revoke_reason=RevokeReason.ADMIN)
    assert set(by.values_list("revoked_by", flat=True)) == {clerk.pk}


def test_a_survey_looks_at_no_more_than_so_many(clerk, make_user, bystanders, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "COUNTED", 4)
    bystanders(make_user("ended@example.org"), 6)
    bulk_revocation.revoke(everyone(), by=clerk, note="x")
    bystanders(make_user("alice@example.org"), 5)
    with CaptureQueriesContext(connection) as queries:
        survey = bulk_revocation.survey(everyone(), by=clerk)
    assert survey == bulk_revocation.Survey(
        sessions=4, people=1, more=True, ended=4, protected=0, spared=0
    )
    looked = [q["sql"] for q in queries if "devices_devicesession" in q["sql"]]
    assert looked and all("LIMIT" in sql for sql in looked)
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x").sessions == 5


def test_a_large_set_ends_batch_by_batch_and_tells_how_far_it_is(
    clerk, alice, mallory, bystanders, monkeypatch
):
    monkeypatch.setattr(bulk_revocation, "BATCH", 4)
    bystanders(alice, 7)
    bystanders(mallory, 3)
    steps = list(bulk_revocation.revoking(everyone(), by=clerk, note="x"))
    assert [step.sessions for step in steps] == [4, 8, 10]
    assert [step.more for step in steps] == [True, True, False]
    assert steps[-1].people == 2


def test_when_time_is_up_it_says_whether_there_are_more(clerk, alice, bystanders, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "BATCH", 4)
    bystanders(alice, 8)
    at_once = {"by": clerk, "note": "x", "patience": timedelta(0)}
    assert bulk_revocation.revoke(everyone(), **at_once) == bulk_revocation.Revoked(
        4, 1, more=True, incident=INCIDENT
    )
    assert bulk_revocation.revoke(everyone(), **at_once) == bulk_revocation.Revoked(
        4, 1, more=False, incident=INCIDENT
    )


def test_who_stops_asking_stops_it_and_it_is_written_down(clerk, alice, bystanders, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "BATCH", 4)
    bystanders(alice, 10)
    told = []
    monkeypatch.setattr(security_log, "log", lambda event, **details: told.append((event, details)))
    steps = bulk_revocation.revoking(everyone(), by=clerk, note="ticket 1")
    next(steps)
    steps.close()
    assert everyone().active().count() == 6
    assert told == [
        (
            Event.STAFF_REVOKED,
            {
                "user_id": clerk.pk,
                "sessions": "4",
                "people": "1",
                "note": "ticket 1",
                "incident": INCIDENT,
            },
        )
    ]


def test_a_batch_costs_as_many_statements_for_many_as_for_one(clerk, alice, bystanders):
    bystanders(alice, 1)
    clerk.get_all_permissions()
    with CaptureQueriesContext(connection) as for_one:
        bulk_revocation.revoke(everyone(), by=clerk, note="x")
    bystanders(alice, 100)
    with CaptureQueriesContext(connection) as for_many:
        assert bulk_revocation.revoke(everyone(), by=clerk, note="x").sessions == 100
    assert len(for_many) == len(for_one)


def test_sessions_that_begin_meanwhile_do_not_keep_it_going(clerk, alice, bystanders, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "BATCH", 2)
    bystanders(alice, 4)
    really = sessions.revoke_batch

    def with_a_login_beside(batch, **kwargs):
        ended = really(batch, **kwargs)
        sessions.start(alice, Client(None, CHROME))
        return ended

    monkeypatch.setattr(sessions, "revoke_batch", with_a_login_beside)
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x").sessions == 4


# Whose they may not end


def ends(by, user):
    chosen = DeviceSession.objects.filter(user=user)
    survey = bulk_revocation.survey(chosen, by=by)
    permitted = bulk_revocation.permitted(chosen, by).count()
    ended = bulk_revocation.revoke(chosen, by=by, note="x").sessions
    assert survey.sessions == permitted == ended
    assert survey.protected == chosen.active().count()
    return ended > 0


def test_A45_a_superusers_session_is_ended_by_a_superuser_only(clerk, make_user, bystanders):
    boss = make_user("boss@example.org", is_superuser=True)
    bystanders(boss, 2)
    assert not ends(clerk, boss)
    assert bulk_revocation.survey(everyone(), by=clerk).protected == 2
    assert bulk_revocation.survey(everyone(), by=boss).protected == 0
    assert ends(boss, boss)


@pytest.mark.parametrize("through", ["user", "group"])
def test_A45_nobody_ends_sessions_of_somebody_with_a_right_they_have_not(
    clerk, make_user, bystanders, may, through
):
    clerk = may(clerk, "revoke_devicesession", "view_devicesession")
    editor = make_user("editor@example.org", is_staff=True)
    right = Permission.objects.get(codename="change_user")
    if through == "user":
        editor.user_permissions.add(right)
    else:
        group = Group.objects.create(name="Editors")
        group.permissions.add(right)
        editor.groups.add(group)
    bystanders(editor, 2)
    assert not ends(clerk, editor)
    assert ends(may(clerk, "revoke_devicesession", "change_user"), editor)


def test_A45_among_equals_and_below_anybody_may(clerk, make_user, bystanders, may):
    clerk = may(clerk, "revoke_devicesession", "view_devicesession")
    equal = may(
        make_user("equal@example.org", is_staff=True), "revoke_devicesession", "view_devicesession"
    )
    lower = may(make_user("lower@example.org", is_staff=True), "view_devicesession")
    for user in (equal, lower, make_user("customer@example.org")):
        bystanders(user, 1)
        assert ends(clerk, user)


def test_A45_who_is_no_staff_ends_no_staffs_session(make_user, bystanders, may):
    robot = may(make_user("robot@example.org"), "revoke_devicesession")
    clerk = make_user("clerk@example.org", is_staff=True)
    bystanders(clerk, 1)
    assert not ends(robot, clerk)


def test_A45_a_right_of_two_groups_counts_once(clerk, make_user, bystanders):
    boss = make_user("boss@example.org", is_staff=True)
    for name in ("One", "Two"):
        group = Group.objects.create(name=name)
        group.permissions.set(Permission.objects.all()[:5])
        boss.groups.add(group)
    bystanders(boss, 3)
    assert bulk_revocation.survey(everyone(), by=clerk).protected == 3


def test_where_users_know_no_superusers_none_is_protected(alice):
    sessions.start(alice, Client(None, CHROME))
    somebody = SimpleNamespace(pk=1)
    assert bulk_revocation.permitted(everyone(), somebody).count() == 1


def test_A45_the_session_one_is_in_is_spared(clerk, bystanders):
    mine = sessions.start(clerk, Client(None, CHROME))
    bystanders(clerk, 2)
    survey = bulk_revocation.survey(everyone(), by=clerk, spare=mine.pk)
    assert (survey.sessions, survey.spared) == (2, 1)
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x", spare=mine.pk).sessions == 2
    assert everyone().active().get() == mine
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x").sessions == 1


def test_a_session_revoked_meanwhile_keeps_its_first_reason(clerk, alice, bystanders, monkeypatch):
    bystanders(alice, 2)
    really = sessions.revoke_batch

    def with_somebody_faster(batch, **kwargs):
        for session in DeviceSession.objects.all():
            sessions.revoke(session, reason=RevokeReason.LOGOUT)
        return really(batch, **kwargs)

    monkeypatch.setattr(sessions, "revoke_batch", with_somebody_faster)
    assert bulk_revocation.revoke(everyone(), by=clerk, note="x").sessions == 0
    assert set(DeviceSession.objects.values_list("revoke_reason", flat=True)) == {"logout"}
