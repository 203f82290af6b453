"""Whoever has a second factor shows it: at the API's doors and before sensitive steps, whatever it is."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection

from devices.core import sessions
from devices.core.clients.client import Client
from devices.exceptions import OtpRequired
from devices.models import Activity, DeviceSession, LoginThrottle
from tests.client import PASSWORD, Device, refusal

DOORS = ("/api/login", "/api/token")
ELSEWHERE = "198.51.100.66"


class Key:
    """A table of users and codes; one that is there will do."""

    class objects:
        filter = staticmethod(lambda **q: Key.rows(Authenticator.objects, **q))
        select_for_update = staticmethod(lambda: Key.locked())

    @staticmethod
    def rows(manager, user_id, **q):
        return manager.filter(user_id=user_id, **({"type": q["code"]} if q else {}))

    @staticmethod
    def locked():
        rows = Authenticator.objects.select_for_update()
        return SimpleNamespace(filter=lambda **q: Key.rows(rows, **q))


@pytest.fixture
def careful(alice, codes):
    """Alice, who has a second factor and codes 100000 to 100019."""
    codes.codes[alice.pk] = [str(100000 + n) for n in range(20)]
    return alice


def enter(door, email, *, ip="203.0.113.7", password=PASSWORD, **more):
    return Device(ip=ip).post(door, {"email": email, "password": password, **more})


@pytest.mark.parametrize("door", DOORS)
def test_V6_3_4_a_password_alone_opens_no_endpoint_to_who_has_a_second_factor(careful, door):
    assert refusal(enter(door, careful.email)) == (401, "otp_required")
    assert refusal(enter(door, careful.email, otp="")) == (401, "otp_required")
    assert refusal(enter(door, careful.email, otp="000000")) == (401, "otp_invalid")
    assert not DeviceSession.objects.exists()
    answer = enter(door, careful.email, otp=" 100000 ")
    assert answer.status_code == 200
    session = DeviceSession.objects.get()
    assert session.mfa_at == session.authenticated_at == session.created_at
    assert refusal(enter(door, careful.email, otp="100000")) == (401, "otp_invalid")


@pytest.mark.parametrize("door", DOORS)
def test_a_code_does_not_stand_for_the_password(careful, codes, door):
    for password in ("wrong", " "):
        answer = enter(door, careful.email, password=password, otp="100000")
        assert refusal(answer) == (401, "no_active_account")
    assert codes.looked_at == 0


def test_nobody_else_is_asked_and_what_they_send_is_not_looked_at(mallory, codes):
    for door in DOORS:
        assert enter(door, mallory.email, otp="100000").status_code == 200
    assert codes.looked_at == 0
    assert not DeviceSession.objects.filter(mfa_at__isnull=False).exists()


@pytest.mark.parametrize("otp", [100000, None, True, ["100000"], {"a": "b"}, "1" * 65, "1\x000"])
def test_an_odd_code_is_400(careful, otp):
    for door in DOORS:
        answer = enter(door, careful.email, otp=otp)
        assert (answer.status_code, set(answer.json())) == (400, {"otp"})


def test_V2_3_1_no_entry_point_that_forgets_to_ask_begins_a_session(careful):
    with pytest.raises(OtpRequired):
        sessions.start(careful, Client("203.0.113.7"), method="google")
    assert not DeviceSession.objects.exists()


def test_the_example_of_the_documents_is_a_second_factor(alice, settings, monkeypatch):
    text = (Path(settings.BASE_DIR) / "docs/step-up.md").read_text()
    [example] = [block for block in text.split("```python\n") if "class Keys" in block]
    shop = ModuleType("shop.models")
    shop.Key = Key
    monkeypatch.setitem(sys.modules, "shop.models", shop)
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    names = {}
    exec(example.split("```")[0], names)
    keys = names["Keys"]()
    assert not keys.has(alice)
    Authenticator.objects.create(user=alice, type="1234", data={})
    assert keys.has(alice)
    assert keys.verify(alice, "other") is None
    assert keys.verify(alice, "1234") == "key"
    assert keys.verify(alice, "1234") is None


# Guessing


def test_A30_codes_are_guessed_ten_times_and_no_more(careful, codes, clock):
    answers = [enter(DOORS[n % 2], careful.email, ip=ELSEWHERE, otp="0") for n in range(10)]
    assert [refusal(answer) for answer in answers] == [(401, "otp_invalid")] * 10
    blocked = enter("/api/login", careful.email, ip=ELSEWHERE, otp="100000")
    assert refusal(blocked) == (429, "throttled")
    assert 0 < int(blocked["Retry-After"]) <= 60
    assert codes.looked_at == 10
    clock.shift(61)
    assert enter("/api/login", careful.email, ip=ELSEWHERE, otp="100000").status_code == 200


def test_A32_a_right_password_does_not_give_the_codes_back_that_were_tried(careful, codes, clock):
    for _ in range(10):
        assert refusal(enter("/api/login", careful.email)) == (401, "otp_required")
        enter("/api/login", careful.email, otp="0")
    answer = enter("/api/login", careful.email, otp="100000")
    assert refusal(answer) == (429, "throttled")


def test_asking_for_a_code_costs_no_attempt_at_password_or_code(careful, clock):
    for _ in range(25):
        assert refusal(enter("/api/login", careful.email)) == (401, "otp_required")
    assert not LoginThrottle.objects.filter(failures__gt=0).exists()
    assert not LoginThrottle.objects.filter(consecutive__gt=0).exists()
    assert enter("/api/login", careful.email, otp="100000").status_code == 200


def test_wrong_codes_do_not_take_the_passwords_attempts(careful, clock):
    for _ in range(12):
        enter("/api/login", careful.email, ip=ELSEWHERE, otp="0")
    answer = enter("/api/login", careful.email, ip=ELSEWHERE, password="wrong")
    assert refusal(answer) == (401, "no_active_account")


def test_A33_who_knows_the_password_does_not_lock_the_owner_out_of_her_codes(careful, clock):
    assert enter("/api/login", careful.email, otp="100000").status_code == 200
    while enter("/api/login", careful.email, ip=ELSEWHERE, otp="0").status_code == 401:
        pass
    assert enter("/api/login", careful.email, otp="100001").status_code == 200
    answer = enter("/api/login", careful.email, ip=ELSEWHERE, otp="100002")
    assert refusal(answer) == (429, "throttled")


@pytest.mark.django_db(transaction=True)
def test_A30_guesses_at_codes_at_once_get_no_more_than_the_limit_between_them(make_user, codes):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    alice = make_user()
    codes.codes[alice.pk] = ["100000"]
    gate = threading.Barrier(20)

    def volley(n):
        try:
            gate.wait()
            ip = f"198.51.100.{n}"
            return [enter(door, alice.email, ip=ip, otp="0").status_code for door in DOORS]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = sum(pool.map(volley, range(20)), [])
    assert set(answers) == {401, 429}
    assert codes.looked_at == 10


# Stepping up


@pytest.fixture
def stale(careful, clock):
    """Two devices of hers, both in with a code 16 minutes ago."""
    phone, laptop = Device(), Device()
    for n, device in enumerate((phone, laptop)):
        answer = device.post(
            "/api/login", {"email": careful.email, "password": PASSWORD, "otp": f"10000{n}"}
        )
        device.hold(answer.json())
    clock.shift(16 * 60)
    return phone.rotate(), laptop


def confirm(device, **proof):
    return device.post("/api/sessions/current/confirm", proof)


def test_V7_5_3_a_password_does_not_confirm_who_has_a_second_factor(stale):
    phone, laptop = stale
    for proof in ({"password": PASSWORD}, {"password": "wrong"}):
        assert refusal(confirm(phone, **proof)) == (401, "otp_required")
    assert refusal(confirm(phone, otp="0")) == (401, "otp_invalid")
    assert refusal(confirm(phone, otp="100000")) == (401, "otp_invalid")
    answer = phone.delete(f"/api/sessions/{laptop.session_id}")
    assert refusal(answer) == (401, "insufficient_user_authentication")
    assert answer["WWW-Authenticate"].endswith('max_age="900"')
    assert phone.get("/api/sessions").status_code == 200
    assert not Activity.objects.filter(kind="session.confirmed").exists()

    confirmed = confirm(phone, otp="100002")
    assert confirmed.json() == {"confirmed_until": "2026-03-01T12:31:00Z"}
    assert phone.delete(f"/api/sessions/{laptop.session_id}").status_code == 204
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert session.mfa_at == session.authenticated_at > session.created_at
    assert Activity.objects.get(kind="session.confirmed").data == {"method": "codes"}


def test_both_proofs_in_one_confirmation_are_the_code(stale):
    assert confirm(stale[0], password="wrong", otp="100002").status_code == 200


def test_who_got_a_second_factor_since_the_login_confirms_with_it(alice, sign_in, codes, clock):
    phone, laptop = sign_in(alice), sign_in(alice)
    codes.codes[alice.pk] = ["100000"]
    answer = phone.post("/api/sessions/revoke-all")
    assert refusal(answer) == (401, "insufficient_user_authentication")
    assert laptop.is_in()
    assert confirm(phone, otp="100000").status_code == 200
    assert phone.post("/api/sessions/revoke-all").json() == {"revoked": 1}


def test_signing_oneself_out_never_needs_it(stale):
    phone, laptop = stale
    assert phone.delete("/api/sessions/current").status_code == 204
    assert laptop.rotate().post("/api/logout").status_code == 204


def test_codes_tried_in_confirmations_count_with_those_at_the_entry_points(stale):
    phone, _ = stale
    statuses = [confirm(phone, otp="0").status_code for _ in range(21)]
    # Ten of everybody's, and ten of a place she was signed in from.
    assert statuses == [401] * 20 + [429]
    assert refusal(enter("/api/login", "alice@example.org", otp="100003")) == (429, "throttled")


def test_S23_a_refresh_proves_no_second_factor(stale):
    phone, _ = stale
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert session.mfa_at == session.created_at


def test_without_a_second_factor_a_code_confirms_nothing(mallory, sign_in, codes):
    phone = sign_in(mallory)
    answer = confirm(phone, otp="100000")
    assert (answer.status_code, set(answer.json())) == (400, {"password"})
    assert confirm(phone, otp="100000", password=PASSWORD).status_code == 200


# Remember me


@pytest.mark.parametrize("door", DOORS)
def test_a_session_that_is_not_to_be_remembered_ends_after_twelve_hours(alice, clock, door):
    device = Device()
    tokens = device.post(
        door, {"email": alice.email, "password": PASSWORD, "remember": False}
    ).json()
    device.hold(tokens)
    session = DeviceSession.objects.get()
    assert (session.absolute_expires_at - session.created_at).total_seconds() == 12 * 3600
    for _ in range(11):
        clock.shift(3600)
        device.rotate()
    clock.shift(3599)
    assert device.rotate().is_in()
    clock.shift(1)
    assert refusal(device.refresh()) == (401, "session_expired")
    assert not device.is_in()


def test_remember_is_true_unless_said_otherwise(alice, settings):
    for more in ({}, {"remember": True}):
        assert enter("/api/login", alice.email, **more).status_code == 200
    for session in DeviceSession.objects.all():
        assert (session.absolute_expires_at - session.created_at).days == 90
    for junk in (None, "junk", [], {}, 2):
        answer = enter("/api/login", alice.email, remember=junk)
        assert (answer.status_code, set(answer.json())) == (400, {"remember"})
    settings.DEVICES = {**settings.DEVICES, "SHORT_SESSION_MAX_AGE": 1}
    enter("/api/login", alice.email, remember=False)
    newest = DeviceSession.objects.latest("created_at")
    assert (newest.absolute_expires_at - newest.created_at).total_seconds() == 3600
