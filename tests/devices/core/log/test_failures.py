"""Who failed to sign in, where and when: what is written of it, and what is not."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core.clients.client import Client
from devices.core.log import failures, security_log
from devices.core.log.security_log import Event
from devices.models import EventCounter, FailedLogin
from tests.client import Device

EMAIL = "alice@example.org"
SECRET = "hunter2 was typed here"


def fail(email=EMAIL, password="wrong", times=1, ip="203.0.113.7"):
    for _ in range(times):
        Device(ip=ip).post("/api/login", {"email": email, "password": password})


def rows():
    found = FailedLogin.objects.order_by("first_at", "kind")
    return [(row.kind, row.user and row.user.email, row.ip_address, row.count) for row in found]


def test_what_failed_is_listed_with_account_address_and_time(alice, clock):
    fail(times=2)
    fail("nobody@example.org", ip="203.0.113.8")
    assert sorted(rows(), key=str) == [
        ("login.failed", EMAIL, "203.0.113.7", 2),
        ("login.failed", None, "203.0.113.8", 1),
    ]
    row = FailedLogin.objects.get(user=alice)
    assert row.first_at <= row.last_at <= row.first_at + timedelta(minutes=15)


def test_what_was_blocked_is_listed_too(alice, clock):
    fail(times=12)
    assert rows() == [
        ("login.blocked", EMAIL, "203.0.113.7", 2),
        ("login.failed", EMAIL, "203.0.113.7", 10),
    ]


def test_nothing_that_was_typed_is_kept(alice, clock):
    fail(password=SECRET)
    fail(SECRET)
    fail("x" * 10_000 + "@example.org")
    stored = str(list(FailedLogin.objects.values()))
    assert SECRET not in stored and "xxxx" not in stored


def test_any_number_of_names_from_one_address_is_one_row_in_a_quarter_of_an_hour(db, clock):
    for n in range(30):
        fail(f"nobody-{n}@example.org")
    assert FailedLogin.objects.count() <= 2
    assert sum(row.count for row in FailedLogin.objects.all()) == 30
    clock.shift(15 * 60)
    fail("nobody@example.org")
    assert FailedLogin.objects.filter(kind="login.failed").count() == 2


def test_the_addresses_of_one_ipv6_customer_are_one(alice, clock):
    for n in range(5):
        fail(ip=f"2001:db8:1:2:{n}::1")
    assert rows() == [("login.failed", EMAIL, "2001:db8:1:2::", 5)]


@pytest.mark.parametrize("client", [None, Client()])
def test_a_failure_without_an_address_is_listed(alice, client):
    security_log.log(Event.OTP_FAILED, user_id=alice.pk, client=client)
    assert rows() == [("otp.failed", EMAIL, None, 1)]


def cost(act):
    with CaptureQueriesContext(connection) as sent:
        act()
    return [each["sql"] for each in sent if f'"{FailedLogin._meta.db_table}"' in each["sql"]]


def test_a_failure_costs_two_statements_and_as_many_for_a_name_that_no_account_has(alice, clock):
    for email in (EMAIL, "nobody@example.org"):
        for _ in range(2):
            assert [sql.split()[0] for sql in cost(lambda email=email: fail(email))] == [
                "INSERT",
                "UPDATE",
            ]


def test_a_sign_in_that_succeeds_writes_and_asks_nothing_of_it(alice, sign_in):
    assert cost(lambda: sign_in(alice)) == []
    assert not FailedLogin.objects.exists()


def test_an_account_that_goes_takes_its_failures_along(alice, clock):
    fail()
    alice.delete()
    assert not FailedLogin.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_account_that_goes_while_it_is_tried_is_no_error():
    security_log.log(Event.LOGIN_FAILED, user_id=4711, client=Client("203.0.113.7"))
    assert FailedLogin.objects.get().user_id == 4711


@pytest.mark.parametrize(("days", "kept"), [(None, 90), (400, 90), (7, 7)])
def test_they_are_kept_90_days_and_no_longer_than_addresses(alice, clock, settings, days, kept):
    settings.DEVICES = {**settings.DEVICES, "IP_RETENTION_DAYS": days}
    fail()
    clock.shift(kept * 86400 - 60)
    assert failures.purge(100) == 0
    clock.shift(120)
    assert failures.purge(100) == 1
    assert not FailedLogin.objects.exists()


def test_however_many_there_are_the_oldest_go(alice, clock, monkeypatch):
    monkeypatch.setattr(failures, "MOST", 3)
    for _ in range(5):
        fail()
        clock.shift(20 * 60)
    newest = set(FailedLogin.objects.order_by("-first_at").values_list("pk", flat=True)[:3])
    assert failures.purge(100) == 2
    assert set(FailedLogin.objects.values_list("pk", flat=True)) == newest


def test_figures_outlive_the_list(alice, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "IP_RETENTION_DAYS": 7}
    fail()
    clock.shift(8 * 86400)
    assert failures.purge(100) == 1
    assert EventCounter.objects.exists()
