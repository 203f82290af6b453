"""Registration: an account and its first session in one step, and an address only once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection

from accounts.models import User
from devices.models import DeviceSession
from tests.client import IPHONE, PASSWORD, Device, refusal

TOKENS = {"access_token", "refresh_token", "token_type", "expires_in", "session_id"}


def register(email="alice@example.org", password=PASSWORD, **more):
    return Device(IPHONE).post("/api/register", {"email": email, "password": password, **more})


@pytest.mark.usefixtures("db")
def test_registering_signs_in():
    answer = register()
    assert answer.status_code == 201
    assert set(answer.json()) == TOKENS
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 300)
    assert answer["Cache-Control"] == "no-store"
    device = Device()
    device.hold(answer.json())
    assert device.get("/api/me").json()["email"] == "alice@example.org"
    assert device.rotate().is_in()


@pytest.mark.usefixtures("db")
def test_OR4_registering_makes_one_session():
    answer = register()
    session = DeviceSession.objects.get()
    assert str(session.pk) == answer.json()["session_id"]
    assert (session.device, session.login_method) == ("Safari on iOS", "password")


@pytest.mark.usefixtures("db")
def test_6_3_2_who_registers_is_nobody_special():
    register(is_staff=True, is_superuser=True, is_active=False, id=1, groups=[1])
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)


@pytest.mark.parametrize("again", ["alice@example.org", "ALICE@Example.Org", " alice@example.org "])
def test_an_address_is_taken_in_whichever_case(alice, again):
    answer = register(again, "another horse 9 battery")
    assert refusal(answer) == (409, "email_taken")
    assert User.objects.count() == 1
    assert not DeviceSession.objects.exists()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_an_address_of_a_deactivated_account_is_taken(make_user):
    make_user(is_active=False)
    assert refusal(register()) == (409, "email_taken")


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "password",
    [
        "short 9",  # too short
        "password123",  # common
        "84635201974",  # only digits
        "alice@example",  # like the address
        "n" * 1025,
        "",
        None,
        84635201974635,
        ["correct horse battery 9"],
        {"a": "b"},
        True,
        "correct horse\x00battery 9",
    ],
    ids=lambda password: str(password)[:20],
)
def test_a_bad_password_is_refused(password):
    answer = register(password=password)
    assert (answer.status_code, set(answer.json())) == (400, {"password"})
    assert "no-store" in answer["Cache-Control"]
    assert not User.objects.exists()


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "email",
    [
        "alice", "alice@", "@example.org", "alice@example", "a b@example.org", "", None, 5, True,
        ["alice@example.org"], {"email": "alice@example.org"}, "alice@example.org\x00",
        "alice@example.org\r\nBcc: everybody@example.org", "alice@example.org, mallory@example.org",
        "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 20 + ".org",
        "x" * 100_000 + "@example.org", "alice@\u202eexample.org",
        # 254 characters that are 255 in lower case.
        f"alice@{'İ' + 'd' * 58}.{'d' * 60}.{'d' * 60}.{'d' * 62}.org",
    ],
    ids=lambda email: str(email)[:20],
)  # fmt: skip
def test_a_bad_address_is_refused(email):
    answer = register(email)
    assert (answer.status_code, set(answer.json())) == (400, {"email"})
    assert not User.objects.exists()


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery 9 ", " correct horse", "\tcorrect horse", "pâsswörd für mich",
        "\U0001f40e" * 12, "n" * 1024,
    ],
    ids=["blank behind", "blank before", "tab", "accents", "emoji", "1024"],
)  # fmt: skip
def test_6_2_9_a_password_is_taken_as_it_is(password):
    assert register(password=password).status_code == 201
    credentials = {"email": "alice@example.org", "password": password}
    assert Device().post("/api/login", credentials).status_code == 200
    for other in (password.strip(), password[:72], password[:-1], password + " "):
        if other != password:
            answer = Device().post("/api/login", {**credentials, "password": other})
            assert answer.status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_requests_at_once_for_one_address_one_gets_it(live_server, settings):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    # More than one address may register in a minute.
    settings.ACCOUNT_RATE_LIMITS = False
    rounds, at_once = 5, 8
    gate = threading.Barrier(at_once)

    def run(n):
        with httpx.Client(base_url=live_server.url, timeout=30) as client:
            codes = []
            for turn in range(rounds):
                # Not even the spelling helps.
                email = "".join(c.upper() if n % 2 else c for c in f"alice{turn}@example.org")
                gate.wait()
                answer = client.post("/api/register", json={"email": email, "password": PASSWORD})
                codes.append((answer.status_code, answer.json().get("code")))
            return codes

    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(run, range(at_once)))
    for turn in zip(*answers, strict=True):
        assert sorted(turn, key=str) == [(201, None)] + [(409, "email_taken")] * (at_once - 1)
    assert User.objects.count() == DeviceSession.objects.count() == rounds
