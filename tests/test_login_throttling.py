"""Guessing passwords: limited for each account and each address, on every way in, and exactly."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client, RequestFactory

from accounts.models import User
from devices.core import sessions, throttling
from devices.core.clients.client import Client as Caller
from devices.exceptions import TooManyAttempts
from devices.models import DeviceSession, LoginThrottle, RevokeReason
from tests.client import PASSWORD, Device

HOME, ELSEWHERE = "203.0.113.7", "198.51.100.66"


class CountingHasher(MD5PasswordHasher):
    """Knows how often a password was really hashed to be compared."""

    verified = 0
    lock = threading.Lock()

    def verify(self, password, encoded):
        with self.lock:
            type(self).verified += 1
        return super().verify(password, encoded)


@pytest.fixture
def hasher(settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.verified = 0
    return CountingHasher


def guess(email="alice@example.org", ip=ELSEWHERE, password="wrong", path="/api/login"):
    return Device(ip=ip).post(path, {"email": email, "password": password})


def guess_on_page(email, ip=ELSEWHERE, password="wrong"):
    page = Client(REMOTE_ADDR=ip).post("/accounts/login/", {"login": email, "password": password})
    return page.content.decode()


def log_in_on_the_road(device, email="alice@example.org"):
    device.credentials()
    device.defaults["REMOTE_ADDR"] = "192.0.2.99"
    return device.post("/api/login", {"email": email, "password": PASSWORD}).status_code


def test_A30_after_ten_failures_not_even_the_right_password_is_looked_at(alice, hasher, clock):
    assert [guess().status_code for _ in range(10)] == [401] * 10
    hasher.verified = 0
    refused = guess(password=PASSWORD)
    assert refused.status_code == 429
    assert refused.json()["code"] == "throttled"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert hasher.verified == 0
    clock.shift(61)
    assert guess(password=PASSWORD).status_code == 200


def test_a_new_password_that_comes_between_does_not_use_up_the_attempts(alice, monkeypatch):
    """It deletes the row of the account, which may just have been created."""
    reserve, deleted = throttling._reserve, []

    def late(limits):
        if not deleted and LoginThrottle.objects.filter(key=throttling.account_key(alice.email)):
            deleted.append(throttling.reset(alice.email))
        return reserve(limits)

    monkeypatch.setattr(throttling, "_reserve", late)
    assert guess().status_code == 401
    assert deleted
    assert LoginThrottle.objects.get(key=throttling.account_key(alice.email)).failures == 1


def test_A30_every_sign_in_method_counts_on_the_same_account(alice, hasher, clock):
    for _ in range(4):
        assert guess().status_code == 401
        assert guess(path="/api/token").status_code == 401
    guess_on_page(alice.email)
    assert "Too many attempts" not in guess_on_page(alice.email)
    assert hasher.verified == 10
    for path in ("/api/login", "/api/token"):
        assert guess(path=path, password=PASSWORD).status_code == 429
    assert "Too many attempts" in guess_on_page(alice.email)
    assert hasher.verified == 10


def test_the_spelling_of_an_account_gives_no_more_attempts(alice, clock):
    for spelling in ["alice@example.org", "ALICE@EXAMPLE.ORG", "Alice@Example.Org"] * 4:
        last = guess(spelling)
    assert last.status_code == 429


def test_spellings_that_a_manager_takes_for_one_account_share_its_attempts(
    alice, clock, monkeypatch
):
    """As managers do that leave out the dots of an address, or the blanks of a telephone number."""

    def by_any_spelling(manager, name):
        return manager.get(email=name.replace("..", ""))

    monkeypatch.setattr(type(type(alice).objects), "get_by_natural_key", by_any_spelling)
    for dots in range(10):
        assert guess(f"alice{'..' * dots}@example.org").status_code == 401
    assert guess(f"alice{'..' * 10}@example.org", PASSWORD).status_code == 429
    assert guess(password=PASSWORD).status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize(("username", "password"), [("", ""), ("alice@example.org", ""), ("", "x")])
def test_a_form_that_is_sent_empty_is_no_guess(username, password):
    """As django-passkeys' backend has it, which knows by it that a passkey was used."""
    request = RequestFactory().post("/accounts/login/")
    assert authenticate(request, username=username, password=password) is None
    assert not LoginThrottle.objects.exists()


@pytest.mark.django_db
def test_a_guess_that_is_found_right_after_all_leaves_those_in_progress_alone():
    client = Caller(ip_address="192.0.2.7")
    first, second = (throttling.begin("lena", client) for _ in range(2))
    first.failed(is_unknown=True)
    first.forgiven()
    row = LoginThrottle.objects.get(pk=throttling.account_key("lena"))
    assert (row.pending, row.failures, row.consecutive, row.is_unknown) == (1, 0, 0, False)
    second.failed()
    row.refresh_from_db()
    assert (row.pending, row.failures, row.consecutive) == (0, 1, 1)


def test_each_further_window_of_failures_is_twice_as_long(alice, clock):
    waits = []
    for _ in range(4):
        while (answer := guess()).status_code == 401:
            pass
        waits.append(int(answer["Retry-After"]))
        clock.shift(waits[-1] + 1)
    assert waits == [60, 120, 240, 480]


def test_S22_after_a_hundred_failures_in_a_row_strangers_are_refused_for_good(alice, clock):
    failures = 0
    for _ in range(40):
        answer = guess()
        failures += answer.status_code == 401
        if answer.status_code == 429:
            clock.shift(3601)
    while failures < 100:
        failures += guess().status_code == 401
        clock.shift(3601)
    clock.shift(7 * 24 * 3600)
    assert guess(password=PASSWORD).status_code == 429
    alice.set_password("another horse, another battery")
    alice.save()
    assert guess(password="another horse, another battery").status_code == 200


def test_A33_a_stranger_does_not_lock_the_owner_out(alice, sign_in, clock):
    phone = sign_in(alice, ip=HOME)
    while guess().status_code == 401:
        pass
    assert phone.rotate().is_in()
    assert guess(ip=HOME, password=PASSWORD).status_code == 200
    # And the owner's success does not hand new guesses to the stranger.
    assert guess().status_code == 429


def test_A33_the_owners_device_gets_in_from_wherever_it_is(alice, sign_in, clock):
    phone = sign_in(alice, ip=HOME)
    stranger = sign_in(alice, ip=HOME)
    stranger.cookies.clear()
    while guess().status_code == 401:
        pass
    assert log_in_on_the_road(stranger) == 429
    assert log_in_on_the_road(phone) == 200


def test_A33_a_known_device_has_no_more_attempts_than_anybody(alice, sign_in, clock):
    phone = sign_in(alice, ip=HOME)
    while guess().status_code == 401:
        pass
    wrong = {"email": alice.email, "password": "wrong"}
    answers = [phone.post("/api/login", wrong).status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2


@pytest.mark.parametrize("reason", [RevokeReason.NOT_ME, RevokeReason.REUSE])
def test_A33_a_device_its_owner_disowned_is_a_strangers(alice, sign_in, clock, reason):
    thief = sign_in(alice, ip=ELSEWHERE)
    # Whatever other sessions it had, before or after.
    thief.sign_in(alice.email)
    sessions.revoke(DeviceSession.objects.get(pk=thief.session_id), reason=reason)
    while guess().status_code == 401:
        pass
    assert log_in_on_the_road(thief) == 429


def test_A33_another_accounts_device_is_a_stranger_here(alice, mallory, sign_in, clock):
    device = sign_in(mallory, ip=HOME)
    while guess().status_code == 401:
        pass
    assert log_in_on_the_road(device) == 429


def test_A32_signing_in_to_another_account_resets_nothing(alice, mallory, sign_in, clock):
    for _ in range(10):
        guess()
        sign_in(mallory, ip=ELSEWHERE)
    assert guess(password=PASSWORD).status_code == 429


def test_A31_one_address_may_not_try_a_password_on_everybody(alice, hasher, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 20}
    answers = [guess(f"user{n}@example.org").status_code for n in range(30)]
    assert answers == [401] * 20 + [429] * 10
    assert guess(password=PASSWORD, ip=HOME).status_code == 200


def test_clients_without_an_address_count_as_one(alice, hasher, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 20}
    answers = [guess(f"user{n}@example.org", ip="").status_code for n in range(30)]
    assert answers == [401] * 20 + [429] * 10
    assert guess(password=PASSWORD, ip="").status_code == 429
    assert guess(password=PASSWORD, ip=HOME).status_code == 200


class OtherRequest:
    """As django-bolt's: META, and neither COOKIES nor room for attributes."""

    __slots__ = ("META",)
    method = "POST"

    def __init__(self, address):
        self.META = {"REMOTE_ADDR": address}


def test_a_request_of_another_framework_gets_in_and_is_counted(alice, hasher, clock):
    given = {"username": alice.email, "password": PASSWORD}
    assert authenticate(OtherRequest(HOME), **given) == alice
    wrong = given | {"password": "wrong"}
    assert [authenticate(OtherRequest(ELSEWHERE), **wrong) for _ in range(10)] == [None] * 10
    with pytest.raises(TooManyAttempts):
        authenticate(OtherRequest(ELSEWHERE), **given)


def test_an_attempt_is_counted_once_for_its_address_whatever_the_account_says(alice, clock):
    for number in range(1, 14):
        guess()
        counts = LoginThrottle.objects.order_by("-failures").values_list("failures", "pending")
        # Of the account, and of the address.
        assert list(counts) == [(min(number, 10), 0), (0, number)]


def test_an_attempt_refused_for_its_address_does_not_count_on_the_account(alice, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 3}
    assert [guess().status_code for _ in range(6)] == [401] * 3 + [429] * 3
    counts = LoginThrottle.objects.order_by("-failures").values_list("failures", "pending")
    assert list(counts) == [(3, 0), (0, 3)]


def test_limits_that_limit_nobody_any_more_are_forgotten(alice, mallory, clock):
    guess()
    guess(mallory.email, password=PASSWORD)
    clock.shift(3660)
    guess(ip=HOME)
    clock.shift(1)
    # The one address and the account that succeeded; the other account has been tried again.
    assert throttling.purge(10) == 2
    assert throttling.purge(10) == 0
    assert LoginThrottle.objects.count() == 2


def test_A44_names_that_no_account_has_leave_a_bounded_number_of_rows(alice, clock, monkeypatch):
    """However many somebody tries; the failures of accounts are not pushed out by them."""
    monkeypatch.setattr(throttling, "MOST_UNKNOWN", 5)
    for _ in range(10):
        guess(ip=HOME)
    assert guess(ip=HOME).status_code == 429
    for number in range(12):
        clock.shift(1)
        guess(f"u{number}@example.org", ip=f"198.51.100.{number}")
    unknown = LoginThrottle.objects.filter(is_unknown=True)
    assert unknown.count() == 5
    # The newest stay, and are limited as ever.
    guess("u11@example.org")
    assert unknown.order_by("-failures").first().failures == 2
    assert LoginThrottle.objects.filter(consecutive=10, is_unknown=False).count() == 1
    assert guess(ip=HOME).status_code == 429


def test_A44_who_registers_a_name_that_was_tried_before_is_limited_as_all(make_user, clock):
    guess("late@example.org")
    assert LoginThrottle.objects.filter(is_unknown=True).count() == 1
    make_user("late@example.org")
    guess("late@example.org")
    assert not LoginThrottle.objects.filter(is_unknown=True).exists()


def test_a_clock_that_was_far_ahead_locks_nobody_out(alice, clock, settings):
    settings.DEVICES = settings.DEVICES | {"LOGIN_ATTEMPTS_PER_ADDRESS": 2}
    # A machine that has booted with a wrong clock, which is then set right.
    clock.shift(365 * 86400)
    assert [guess().status_code for _ in range(3)] == [401, 401, 429]
    clock.shift(-365 * 86400)
    assert [guess(password=PASSWORD).status_code for _ in range(3)] == [200, 200, 429]
    clock.shift(61)
    assert guess(password=PASSWORD).status_code == 200


def test_clocks_that_differ_give_no_more_attempts(alice, clock):
    for _ in range(70):
        LoginThrottle.objects.update(window_ends=throttling.timezone.now())
        assert guess().status_code == 401
    LoginThrottle.objects.update(window_ends=throttling.timezone.now())
    # In the longest of windows, at a server whose clock is a minute ahead, and at another.
    clock.shift(60)
    assert [guess().status_code for _ in range(10)] == [401] * 10
    clock.shift(-60)
    assert guess().status_code == 429


def test_an_ipv6_customer_is_one_address(alice, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 5}
    answers = [guess(f"u{n}@example.org", ip=f"2001:db8::{n}").status_code for n in range(1, 8)]
    assert answers == [401] * 5 + [429] * 2
    assert guess("u9@example.org", ip="2001:db8:0:1::1").status_code == 401


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org", "idle@example.org"])
def test_A34_the_answer_does_not_tell_whether_there_is_such_an_account(alice, make_user, email):
    make_user("idle@example.org", is_active=False)
    password = PASSWORD if email.startswith("idle") else "wrong"
    for path in ("/api/login", "/api/token"):
        answer = guess(email, password=password, path=path)
        assert answer.status_code == 401
        assert answer.content == (
            b'{"detail":"No active account found with the given credentials",'
            b'"code":"no_active_account"}'
        )


def test_what_was_typed_is_not_kept(alice, clock):
    guess("secret-typed-into-the-wrong-field")
    assert not LoginThrottle.objects.filter(key__contains="secret").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at_once", [60])
def test_A30_guesses_at_once_get_no_more_than_the_limit_between_them(hasher, at_once):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    User.objects.create_user("alice@example.org", PASSWORD)
    gate = threading.Barrier(20)

    def volley(n):
        try:
            gate.wait()
            return [guess(ip=f"198.51.100.{n}").status_code for _ in range(at_once // 20)]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = sum(pool.map(volley, range(20)), [])
    assert sorted(set(answers)) == [401, 429]
    assert hasher.verified == answers.count(401) == 10
    assert [guess().status_code for _ in range(140)] == [429] * 140
    assert hasher.verified == 10


@pytest.mark.django_db(transaction=True)
def test_right_passwords_at_once_all_get_in_at_the_latest_when_they_are_told_to_retry(hasher):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    User.objects.create_user("alice@example.org", PASSWORD)
    gate = threading.Barrier(20)

    def log_in(_):
        try:
            gate.wait()
            for _ in range(20):
                answer = guess(password=PASSWORD, ip=HOME)
                if answer.status_code != 429:
                    break
                # Not the minute after which failures are forgotten.
                assert answer["Retry-After"] == "1"
                time.sleep(1)
            return answer.status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(log_in, range(20))) == [200] * 20


@pytest.mark.django_db(transaction=True)
def test_A31_attempts_at_once_from_everywhere_at_everybody_are_counted_exactly(settings):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    limits = {"LOGIN_ATTEMPTS_PER_ADDRESS": 30, "LOGIN_FAILURES_PER_ACCOUNT": 40}
    settings.DEVICES = {**settings.DEVICES, **limits}
    clients = [throttling.Client(f"198.51.100.{number}") for number in range(3)]
    names = [f"user{number}@example.org" for number in range(3)]
    gate = threading.Barrier(12)

    def volley(worker):
        try:
            gate.wait()
            counted = 0
            for number in range(25):
                place, account = (worker + number) % 3, (worker * number) % 3
                with suppress(TooManyAttempts):
                    throttling.begin(names[account], clients[place]).failed()
                    counted += 1
            return counted
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        counted = sum(pool.map(volley, range(12)))
    rows = LoginThrottle.objects.all()
    per_address = [row.pending for row in rows if row.pending]
    per_account = [row.failures for row in rows if row.failures]
    assert len(per_address) == len(per_account) == 3
    assert all(count <= 30 for count in per_address) and all(count <= 40 for count in per_account)
    assert sum(per_account) == counted <= sum(per_address)
    assert max(per_address) == 30
