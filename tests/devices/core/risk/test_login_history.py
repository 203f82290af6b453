"""What a login learns is written over what it read, and over nothing that came in between."""

import pytest
from django.utils import timezone

from devices.core.clients.geolocation import Location
from devices.core.risk import login_history
from devices.core.risk.rules import Login
from devices.models import LoginHistory


def login(key):
    return Login(
        at=timezone.now(),
        key=key,
        fingerprint="like",
        is_proven=True,
        device="Chrome on Windows",
        place=Location(),
        network="",
        failures=0,
    )


@pytest.fixture
def account(alice):
    login_history.judge(alice, login("first"))
    return type(alice).objects.select_related("devices_login_history").get(pk=alice.pk)


def known(account):
    return set(LoginHistory.objects.get(user_id=account.pk).data["devices"])


def test_what_is_new_is_written_over_what_was_read_in_one_statement(
    account, django_assert_num_queries
):
    with django_assert_num_queries(1):
        login_history.judge(account, login("second"))
    assert known(account) == {"first", "second"}


def test_what_another_login_learned_meanwhile_is_kept(account):
    login_history.mark_known(account.pk, login("meanwhile"))
    login_history.judge(account, login("second"))
    assert known(account) == {"first", "meanwhile", "second"}
