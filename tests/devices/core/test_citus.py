"""Without Citus: the command refuses, and a setting that says otherwise is reported."""

import os

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from devices.checks import check_databases
from devices.conf import Conf

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("CITUS_URL" in os.environ, reason="this is Citus"),
]


def test_the_command_refuses_a_database_without_citus():
    is_postgres = connection.vendor == "postgresql"
    why = "The extension citus is not installed." if is_postgres else "This is no PostgreSQL."
    with pytest.raises(CommandError, match=why):
        call_command("distribute_sessions", "--yes")


@pytest.mark.parametrize(("is_set", "expected"), [(False, set()), (True, {"devices.E160"})])
def test_a_setting_without_spread_sessions_is_reported(monkeypatch, is_set, expected):
    monkeypatch.setattr(Conf, "CITUS", is_set)
    found = {message.id for message in check_databases(["default"])}
    assert {each for each in found if each.startswith("devices.E16")} == expected
