"""The commands for staff: groups, and figures where there are too many sessions to count at once."""

import io

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from devices.core.staff import statistics


def run(name: str) -> str:
    out = io.StringIO()
    call_command(name, stdout=out)
    return out.getvalue()


def permissions(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def test_session_groups_makes_the_two_groups_and_can_be_run_again(db):
    assert "Session viewers: view_devicesession\n" in run("session_groups")
    assert permissions("Session viewers") == {"view_devicesession"}
    assert permissions("Session managers") == {"view_devicesession", "revoke_devicesession"}
    group = Group.objects.get(name="Session viewers")
    group.permissions.set([Permission.objects.get(codename="view_user")])
    assert "(already existed)" in run("session_groups")
    assert permissions("Session viewers") == {"view_devicesession", "view_user"}
    assert Group.objects.count() == 2


def test_session_groups_says_what_is_missing(db):
    Permission.objects.filter(codename="revoke_devicesession").delete()
    with pytest.raises(CommandError, match="migrate"):
        run("session_groups")


def test_count_sessions_counts_without_waiting_for_somebody_to_look(alice, bystanders):
    bystanders(alice, 3)
    assert run("count_sessions").startswith("3 active sessions of 1 people, counted in ")
    assert statistics.current().data["live"]["sessions"] == 3
