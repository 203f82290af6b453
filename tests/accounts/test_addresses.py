"""Email addresses: proved before anybody gets in, if the site says so, and nobody else learns of them."""

import re
import statistics
import time

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client as Browser

from accounts.models import User
from devices.core.notifications import outbox
from devices.models import DeviceSession
from tests.client import PASSWORD, Device, refusal
from tests.forge import A_TOKEN

DOORS = ("/api/login", "/api/token")
NEW = "another horse 9 battery"


@pytest.fixture
def strict(settings):
    settings.REQUIRE_EMAIL_VERIFICATION = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    return settings


@pytest.fixture
def sent(django_capture_on_commit_callbacks):
    """sent(act): what `act` answers, and the mails it sends once its transaction is over."""

    def sent(act):
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            answer = act()
        # A thread of the site does so; here none runs.
        outbox.send_due()
        return answer, list(mail.outbox)

    return sent


def register(email="alice@example.org", password=PASSWORD):
    return Device().post("/api/register", {"email": email, "password": password})


def enter(email, door="/api/login", password=PASSWORD):
    return Device().post(door, {"email": email, "password": password})


def link_in(message):
    return re.search(r"https://devices\.test(/\S+)", message.body)[1]


def prove(message):
    """Follow the link, as a person does: a page, and a button on it."""
    browser = Browser()
    page = browser.get(link_in(message))
    assert page.status_code == 200
    return browser.post(link_in(message), {"password": PASSWORD})


@pytest.mark.usefixtures("strict", "db")
def test_nobody_gets_in_before_the_address_is_proved(sent):
    answer, [message] = sent(register)
    assert answer.status_code == 202
    assert set(answer.json()) == {"detail"}
    assert "no-store" in answer["Cache-Control"]
    for door in DOORS:
        assert refusal(enter("alice@example.org", door)) == (401, "email_not_verified")
    assert not DeviceSession.objects.exists()

    # A scanner of mails that follows the link proves nothing (V7.6.2).
    Browser().get(link_in(message))
    assert refusal(enter("alice@example.org")) == (401, "email_not_verified")
    prove(message)
    for door in DOORS:
        assert enter("alice@example.org", door).status_code == 200


@pytest.mark.usefixtures("strict", "db")
def test_the_page_lets_nobody_in_either(sent):
    sent(register)
    browser = Browser()
    form = {"login": "alice@example.org", "password": PASSWORD}
    assert browser.post("/accounts/login/", form)["Location"] == "/accounts/confirm-email/"
    assert browser.get("/devices/")["Location"].startswith("/accounts/login/")
    assert not DeviceSession.objects.exists()


def test_who_is_in_without_a_proved_address_came_before_the_rule(alice, strict, sign_in, settings):
    settings.REQUIRE_EMAIL_VERIFICATION = False
    phone = sign_in(alice)
    settings.REQUIRE_EMAIL_VERIFICATION = True
    assert phone.rotate().is_in()
    assert refusal(enter(alice.email)) == (401, "email_not_verified")


def test_the_mail_comes_again_with_a_login_but_not_with_each(alice, strict, sent, clock):
    refused, [message] = sent(lambda: enter(alice.email))
    assert refusal(refused) == (401, "email_not_verified")
    assert message.to == [alice.email]
    assert sent(lambda: enter(alice.email))[1] == []
    clock.shift(181)
    assert len(sent(lambda: enter(alice.email))[1]) == 1
    assert sent(lambda: enter(alice.email, password="wrong"))[1] == []
    prove(message)
    assert enter(alice.email).status_code == 200


def test_another_address_that_is_proved_does_not_do(alice, strict):
    EmailAddress.objects.create(user=alice, email="other@example.org", verified=True, primary=True)
    assert refusal(enter(alice.email)) == (401, "email_not_verified")
    EmailAddress.objects.filter(email=alice.email).update(verified=True)
    assert enter(alice.email).status_code == 200


# What others learn


@pytest.mark.parametrize("spelling", ["alice@example.org", "ALICE@Example.org"])
def test_A34_registering_tells_nobody_that_an_address_is_known(alice, strict, sent, spelling):
    known, [notice] = sent(lambda: register(spelling, NEW))
    unknown, [link] = sent(lambda: register("bob@example.org", NEW))
    assert (known.status_code, known.content) == (202, unknown.content)
    assert known.headers.keys() == unknown.headers.keys()
    assert known.cookies.keys() == unknown.cookies.keys()
    assert notice.to == ["alice@example.org"]
    assert "already exists" in notice.body
    assert "/accounts/password/reset/" in notice.body
    assert "/accounts/confirm-email/" in link.body
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert EmailAddress.objects.filter(user=alice).count() == 0


def test_A34_a_weak_password_is_refused_alike(alice, strict):
    known, unknown = register(password="password123"), register("bob@example.org", "password123")
    assert (known.status_code, known.content) == (400, unknown.content)


def test_A34_registering_takes_as_long_whether_or_not_there_is_such_an_account(
    make_user, strict, sent
):
    for n in range(5):
        make_user(f"known{n}@example.org")
    # A real hasher, beside whose cost nothing else counts.
    strict.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    times = {"known": [], "unknown": []}
    for n in range(5):
        for kind, measured in times.items():
            # By the time of the processor: by the clock, whatever else runs would count.
            started = time.thread_time()
            sent(lambda kind=kind, n=n: register(f"{kind}{n}@example.org"))
            measured.append(time.thread_time() - started)
    known, unknown = (statistics.median(measured) for measured in times.values())
    assert abs(known - unknown) / unknown < 0.25, times


@pytest.mark.usefixtures("db")
def test_the_page_to_reset_a_password_tells_nobody_either(alice, sent):
    def ask(email):
        return sent(lambda: Browser().post("/accounts/password/reset/", {"email": email}))

    (known, [reset]), (unknown, [notice]) = ask(alice.email), ask("bob@example.org")
    assert (known.status_code, known["Location"]) == (302, unknown["Location"])
    assert known.content == unknown.content
    assert reset.to == [alice.email] and notice.to == ["bob@example.org"]


def test_mails_that_are_asked_for_by_registering_are_few(strict, sent, db):
    codes = [sent(lambda n=n: register(f"u{n}@example.org"))[0].status_code for n in range(21)]
    assert codes == [202] * 20 + [429]
    # One address is not written to again and again, from wherever it is asked.
    strict.ACCOUNT_RATE_LIMITS = {"signup": None}
    assert [len(sent(lambda: register("x@example.org"))[1]) for _ in range(3)] == [1, 0, 0]


def test_R05_a_mail_server_that_is_away_fails_no_registration(strict, monkeypatch, sent, db):
    def away(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
    assert sent(register)[0].status_code == 202
    assert sent(register)[0].status_code == 202


# The two ways to register


def test_registering_by_api_and_by_page_leaves_the_same_behind(sent, db):
    api, [link] = sent(lambda: register("api@example.org"))
    assert api.status_code == 201
    form = {"email": "Page@example.org", "password1": PASSWORD}
    page, [_] = sent(lambda: Browser().post("/accounts/signup/", form))
    assert page.status_code == 302
    kept = [
        EmailAddress.objects.values("email", "verified", "primary").get(user=user)
        for user in User.objects.order_by("email")
    ]
    assert kept == [
        {"email": f"{way}@example.org", "verified": False, "primary": True}
        for way in ("api", "page")
    ]
    assert refusal(register("page@example.org")) == (409, "email_taken")
    prove(link)
    assert EmailAddress.objects.get(email="api@example.org").verified


# What becomes of an account


def reset(sent, email, browser=None):
    browser = browser or Browser()
    _, [message] = sent(lambda: browser.post("/accounts/password/reset/", {"email": email}))
    form = browser.get(link_in(message), follow=True)
    path = form.redirect_chain[-1][0]
    answer, mails = sent(lambda: browser.post(path, {"password1": NEW, "password2": NEW}))
    assert answer.status_code == 302, answer.content
    return mails


def test_7_4_3_a_password_reset_by_mail_ends_all_sessions(alice, mallory, sign_in, sent):
    phone, laptop, foreign = sign_in(alice), sign_in(alice), sign_in(mallory)
    reset(sent, alice.email)
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert refusal(laptop.refresh()) == (401, "session_revoked")
    assert not DeviceSession.objects.filter(user=alice).active().exists()
    assert foreign.is_in()
    assert enter(alice.email, password=NEW).status_code == 200


def test_7_4_3_not_even_the_browser_that_follows_the_link_stays_in(alice, sent):
    browser = Browser()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.get("/devices/").status_code == 200
    reset(sent, alice.email, browser)
    assert browser.get("/devices/").status_code == 302
    assert not DeviceSession.objects.active().exists()


def test_6_3_7_a_reset_password_is_told(alice, sent):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    [notice] = reset(sent, alice.email)
    assert notice.to == [alice.email]
    assert not A_TOKEN.search(notice.body) and NEW not in notice.body


def test_6_3_7_a_changed_address_is_told_to_the_old_one(alice, sent):
    old = EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    EmailAddress.objects.create(user=alice, email="new@example.org", verified=True)
    browser = Browser()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    form = {"email": "new@example.org", "action_primary": ""}
    _, mails = sent(lambda: browser.post("/accounts/email/", form))
    told = {message.to[0]: message.body for message in mails}
    assert set(told) == {old.email, "new@example.org"}
    # Of the address that was added, too.
    assert len(mails) == 3
    # Only the old address may say that it was a stranger who did it.
    for link in ("/accounts/recover/", "/devices/review/"):
        assert link not in told["new@example.org"]
    assert "/accounts/recover/" in told[old.email]
    alice.refresh_from_db()
    assert alice.email == "new@example.org"
