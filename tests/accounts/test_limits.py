"""How often strangers may register, and have mails sent to a mailbox: the same at every door."""

import pytest
from django.core import mail
from django.test import Client as Browser

from accounts.models import User
from devices.core.notifications import outbox
from tests.client import PASSWORD, Device, refusal

HEADLESS = "/_allauth/app/v1"


def by_api(email):
    return Device().post("/api/register", {"email": email, "password": PASSWORD})


def on_page(email):
    return Browser(REMOTE_ADDR="203.0.113.7").post(
        "/accounts/signup/", {"email": email, "password1": PASSWORD}
    )


def in_app(email):
    return Device().post(f"{HEADLESS}/auth/signup", {"email": email, "password": PASSWORD})


REGISTER = {"the API": by_api, "the page": on_page, "an app": in_app}


@pytest.fixture(params=[False, True], ids=["optional", "mandatory"])
def verification(request, settings):
    settings.REQUIRE_EMAIL_VERIFICATION = request.param
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory" if request.param else "optional"


@pytest.mark.usefixtures("db", "verification")
@pytest.mark.parametrize("register", REGISTER.values(), ids=REGISTER)
def test_A30_one_address_registers_twenty_accounts_a_minute_at_every_entry_point(register):
    answers = [register(f"u{n}@example.org") for n in range(21)]
    assert 429 not in {answer.status_code for answer in answers[:20]}
    refused = answers[20]
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert User.objects.count() == 20
    if register is by_api:
        assert refusal(refused) == (429, "throttled")


# What a limit of twenty a minute, and one of five an hour, leave to wait after ten seconds.
WAITS = {"one address": ("u{}@example.org", 20, 50), "one mailbox": ("u+{}@example.org", 5, 3590)}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(("email", "allowed", "wait"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("register", REGISTER.values(), ids=REGISTER)
def test_an_answer_429_says_how_long_to_wait_and_it_is_true(
    register, email, allowed, wait, clock, settings
):
    for n in range(allowed):
        assert register(email.format(n)).status_code < 400
    clock.shift(10)
    refused = register(email.format(99))
    assert (refused.status_code, refused["Retry-After"]) == (429, str(wait))
    if register is on_page:
        words = "50 seconds" if wait == 50 else "60 minutes"
        assert f"Try again in {words}." in refused.content.decode()
    if register is in_app:
        words = "50 seconds" if wait == 50 else "60 minutes"
        message = f"Too many attempts. Try again in {words}."
        assert refused.json() == {
            "status": 429,
            "errors": [{"code": "too_many_attempts", "message": message}],
        }
    clock.shift(wait - 1)
    assert register(email.format(99)).status_code == 429
    clock.shift(1)
    assert register(email.format(99)).status_code < 400


def test_a_limit_by_the_account_is_told_with_its_own_time(alice, clock, settings):
    settings.ACCOUNT_RATE_LIMITS = {"change_password": "2/m/user", "signup": "1/h/ip"}
    browser = Browser(REMOTE_ADDR="203.0.113.7")
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    for _ in range(2):
        assert browser.post("/accounts/password/change/", {}).status_code == 200
    clock.shift(20)
    refused = browser.post("/accounts/password/change/", {})
    assert (refused.status_code, refused["Retry-After"]) == (429, "40")
    assert "Try again in 40 seconds." in refused.content.decode()


@pytest.mark.usefixtures("db")
def test_A30_the_entry_points_share_their_limit():
    doors = [*REGISTER.values()] * 7
    answers = [register(f"u{n}@example.org").status_code for n, register in enumerate(doors)]
    assert 429 not in answers[:20] and answers[20] == 429


@pytest.mark.usefixtures("verification")
@pytest.mark.parametrize("register", REGISTER.values(), ids=REGISTER)
def test_A30_plus_addressing_makes_no_more_mailboxes(
    db, register, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answers = [register(f"Victim+{n}@example.org") for n in range(8)]
    outbox.send_due()
    assert [answer.status_code for answer in answers[5:]] == [429] * 3
    assert int(answers[5]["Retry-After"]) > 0
    assert User.objects.count() == len(mail.outbox) == 5
    assert register("someone@example.org").status_code != 429


@pytest.mark.parametrize("email", ["nobody+{}@example.org", "known+{}@example.org"])
@pytest.mark.parametrize(
    "where", ["/accounts/password/reset/", f"{HEADLESS}/auth/password/request"]
)
def test_A30_a_mailbox_gets_ten_links_to_a_new_password_an_hour(make_user, email, where):
    for n in range(12):
        make_user(f"known+{n}@example.org")
    for n in range(12):
        # From one address after the other, as whoever has many of them would.
        client = Device(ip=f"198.51.100.{n}") if "app" in where else Browser()
        client.post(where, {"email": email.format(n)})
    assert len(mail.outbox) == 10


def test_A30_who_uses_up_the_mails_of_one_kind_holds_back_no_other(alice):
    for n in range(20):
        ip = f"198.51.100.{n}"
        Browser(REMOTE_ADDR=ip).post(
            "/accounts/password/reset/", {"email": f"alice+{n}@example.org"}
        )
    mail.outbox.clear()
    Browser().post("/accounts/password/reset/", {"email": alice.email})
    [message] = mail.outbox
    assert message.to == [alice.email] and "/accounts/password/reset/key/" in message.body
