"""A code by mail on a new device: until it is shown there is no session, no token, and nothing is learned."""

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from devices.core import device_codes
from devices.core.notifications import outbox
from devices.core.notifications.codes import code_of
from devices.models import Activity, DeviceCode, DeviceSession, LoginHistory, LoginThrottle
from tests.authenticator import enrol
from tests.client import FIREFOX, PASSWORD, Device, refusal
from tests.dpop import SITE, Key

DOORS = ("/api/login", "/api/token")
INVALID = (401, "device_code_invalid")


@pytest.fixture(autouse=True)
def asked(settings):
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ("password",)}


def enter(device, door="/api/login", email="alice@example.org", **more):
    return device.post(door, {"email": email, "password": PASSWORD, **more})


def challenge_of(answer):
    body = answer.json()
    assert (answer.status_code, body["code"]) == (401, "device_code_required")
    assert set(body) == {"detail", "code", "challenge"}
    assert "no-store" in answer.headers["Cache-Control"]
    return body["challenge"]


def show(device, challenge, code=None, door="/api/login"):
    code = code_of(uuid.UUID(challenge)) if code is None else code
    return device.post(f"{door}/code", {"challenge": challenge, "email_code": code})


def other_than(code):
    return f"{(int(code) + 1) % 10**6:06}"


def test_a_code_that_was_mailed_under_the_former_secret_key_is_good(alice, settings):
    device = Device()
    challenge = challenge_of(enter(device))
    mailed = code_of(uuid.UUID(challenge))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the site, of no use elsewhere"
    assert mailed != code_of(uuid.UUID(challenge))
    assert refusal(show(device, challenge, other_than(mailed))) == INVALID
    assert show(device, challenge, mailed).status_code == 200


@pytest.mark.parametrize("door", DOORS)
def test_the_code_of_the_mail_begins_the_session(alice, door):
    device = Device()
    challenge = challenge_of(enter(device, door))
    assert not DeviceSession.objects.exists()
    assert not LoginHistory.objects.exists()
    assert not Activity.objects.exists()
    outbox.send_due()
    [told] = mail.outbox
    assert told.to == [alice.email]
    [code] = re.findall(r"\b\d{6}\b", told.subject)
    assert code in told.body and "Chrome on Windows" in told.body
    answer = show(device, challenge, code, door)
    assert answer.status_code == 200
    expected = {"/api/login": "access_token", "/api/token": "access"}[door]
    device.hold(answer.json())
    assert expected in answer.json() and device.is_in()
    session = DeviceSession.objects.get()
    assert session.login_method == "password" and session.mfa_at is None
    # From now on it is known.
    assert enter(device, door).status_code == 200


def test_no_table_holds_the_code(alice):
    challenge = challenge_of(enter(Device()))
    code = code_of(uuid.UUID(challenge))
    with connection.cursor() as cursor:
        for table in ("devices_devicecode", "devices_notification"):
            cursor.execute(f"SELECT * FROM {table}")
            assert code not in re.findall(r"\b\d{6}\b", str(cursor.fetchall()))


def test_nobody_is_asked_where_it_is_off(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ()}
    assert enter(Device()).status_code == 200


def test_who_registers_is_on_the_device_that_is_known(db):
    device = Device()
    given = {"email": "new@example.org", "password": PASSWORD}
    assert device.post("/api/register", given).status_code == 201
    assert enter(device, email="new@example.org").status_code == 200
    challenge_of(enter(Device(FIREFOX), email="new@example.org"))


def test_a_device_that_was_known_before_it_was_switched_on_is_known(alice, settings):
    device = Device()
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ()}
    assert enter(device).status_code == 200
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ("password",)}
    assert enter(device).status_code == 200
    # Neither the address nor the user agent makes a device a known one.
    challenge_of(enter(Device()))


def test_a_second_factor_stands_for_the_code(alice, clock):
    app = enrol(alice)
    assert refusal(enter(Device())) == (401, "otp_required")
    assert enter(Device(), otp=app.code()).status_code == 200
    assert not DeviceCode.objects.exists()


def test_remember_and_the_method_are_those_of_the_first_call(alice):
    device = Device()
    challenge = challenge_of(enter(device, remember=False))
    assert show(device, challenge).status_code == 200
    session = DeviceSession.objects.get()
    assert (session.absolute_expires_at - session.created_at).total_seconds() == 12 * 3600


# Attacks


def test_a_wrong_password_learns_nothing(alice):
    wrong = Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    assert refusal(wrong) == (401, "no_active_account")
    assert not DeviceCode.objects.exists()


@pytest.mark.parametrize("door", DOORS)
def test_a_code_is_good_once(alice, door):
    device = Device()
    challenge = challenge_of(enter(device, door))
    assert show(device, challenge, door=door).status_code == 200
    for again in DOORS:
        assert refusal(show(device, challenge, door=again)) == INVALID
    assert DeviceSession.objects.count() == 1


def test_it_is_good_for_ten_minutes(alice, clock):
    device = Device()
    challenge = challenge_of(enter(device))
    clock.shift(601)
    assert refusal(show(device, challenge)) == INVALID


def test_another_device_has_no_use_for_it(alice):
    device = Device()
    challenge = challenge_of(enter(device))
    assert refusal(show(Device(), challenge)) == INVALID
    assert refusal(show(Device(FIREFOX), challenge)) == INVALID
    assert show(device, challenge).status_code == 200


def test_a_key_is_needed_where_one_began_it(alice):
    key, device = Key(), Device()

    def proof(path, key=key):
        return {"DPoP": key.proof("POST", f"{SITE}{path}")}

    given = {"email": alice.email, "password": PASSWORD}
    challenge = challenge_of(device.post("/api/login", given, headers=proof("/api/login")))
    path = "/api/login/code"
    body = {"challenge": challenge, "email_code": code_of(uuid.UUID(challenge))}
    assert refusal(device.post(path, body)) == INVALID
    assert refusal(device.post(path, body, headers=proof(path, Key()))) == INVALID
    answer = device.post(path, body, headers=proof(path))
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")


def of_staff(user, client):
    return user.is_staff


@pytest.mark.parametrize("path", ["/api/login/code", "/api/token/code"])
def test_who_has_to_show_a_key_is_asked_of_the_user_who_waits(alice, settings, path):
    """And not while it is not known who that is."""
    settings.DEVICES = {**settings.DEVICES, "DPOP": "tests.test_device_codes.of_staff"}
    device = Device()
    challenge = challenge_of(enter(device))
    junk = {"challenge": str(uuid.uuid4()), "email_code": "123456"}
    assert refusal(device.post(path, junk)) == INVALID
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    body = {"challenge": challenge, "email_code": code_of(uuid.UUID(challenge))}
    assert refusal(device.post(path, body)) == (400, "invalid_dpop_proof")
    assert not DeviceSession.objects.exists()
    User.objects.filter(pk=alice.pk).update(is_staff=False)
    assert show(device, challenge_of(enter(device))).status_code == 200


def test_a_code_of_another_account_opens_nothing(alice, mallory):
    device = Device()
    hers = challenge_of(enter(device))
    theirs = challenge_of(enter(device, email=mallory.email))
    assert refusal(show(device, hers, code_of(uuid.UUID(theirs)))) == INVALID
    assert not DeviceSession.objects.exists()


def test_a_password_that_was_changed_meanwhile_ends_it(alice):
    device = Device()
    challenge = challenge_of(enter(device))
    alice.set_password("another horse 10")
    alice.save()
    assert refusal(show(device, challenge)) == INVALID


def test_an_account_that_was_deactivated_meanwhile_stays_out(alice):
    device = Device()
    challenge = challenge_of(enter(device))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert refusal(show(device, challenge)) == (401, "no_active_account")


def test_a_factor_that_was_enrolled_meanwhile_is_asked_for(alice, clock):
    device = Device()
    challenge = challenge_of(enter(device))
    enrol(alice)
    assert refusal(show(device, challenge)) == (401, "otp_required")


def test_after_five_guesses_the_right_code_is_too_late(alice, settings):
    device = Device()
    challenge = challenge_of(enter(device))
    wrong = other_than(code_of(uuid.UUID(challenge)))
    for _ in range(device_codes.MAX_ATTEMPTS):
        assert refusal(show(device, challenge, wrong)) == INVALID
    assert refusal(show(device, challenge)) == INVALID


def test_guesses_over_many_challenges_share_one_count(alice, settings, clock):
    device, guesses = Device(), 0
    for _ in range(4):
        challenge = challenge_of(enter(device))
        for _ in range(device_codes.MAX_ATTEMPTS):
            answer = show(device, challenge, other_than(code_of(uuid.UUID(challenge))))
            guesses += answer.status_code == 401
        clock.shift(1)
    assert guesses == 10
    assert refusal(show(device, challenge)) == (429, "throttled")


def test_guesses_do_not_keep_the_owner_from_a_known_device(alice):
    home, thief = Device(), Device(FIREFOX, ip="198.51.100.66")
    assert show(home, challenge_of(enter(home))).status_code == 200
    challenge = challenge_of(enter(thief))
    for _ in range(device_codes.MAX_ATTEMPTS):
        show(thief, challenge, "000000")
    assert enter(home).status_code == 200


def test_the_mails_are_limited(alice, clock):
    for _ in range(device_codes.MAX_MAILS):
        challenge_of(enter(Device()))
    assert refusal(enter(Device())) == (429, "throttled")
    outbox.send_due()
    assert len(mail.outbox) == device_codes.MAX_MAILS
    clock.shift(600)
    refused = enter(Device())
    assert (refused.status_code, refused["Retry-After"]) == (429, "3000")
    page = Browser(HTTP_ACCEPT="text/html").post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}
    )
    assert (page.status_code, page["Retry-After"]) == (429, "3000")
    assert "Try again in 50 minutes." in page.content.decode()
    clock.shift(3000)
    challenge_of(enter(Device()))


def test_asking_again_sends_no_second_mail_within_a_minute(alice, clock):
    device = Device()
    challenge = challenge_of(enter(device))
    assert challenge_of(enter(device)) == challenge
    clock.shift(61)
    assert challenge_of(enter(device)) == challenge
    outbox.send_due()
    assert len(mail.outbox) == 2
    assert show(device, challenge).status_code == 200


def test_the_code_goes_to_no_former_address(alice):
    outbox.tell_address_changed(alice.pk, "former@example.org", alice.email)
    outbox.send_due()
    mail.outbox.clear()
    challenge_of(enter(Device()))
    outbox.send_due()
    assert [told.to for told in mail.outbox] == [[alice.email]]


@pytest.mark.parametrize(
    "given",
    [
        {"challenge": "no uuid", "email_code": "000000"},
        {"challenge": str(uuid.uuid4()), "email_code": "000000"},
    ],
)
def test_what_is_no_challenge_is_refused_alike(alice, given):
    for door in DOORS:
        assert refusal(Device().post(f"{door}/code", given)) == INVALID


@pytest.mark.parametrize("code", [418027, None, ["418027"], "1" * 65, "4\x000"])
def test_an_odd_code_is_400(alice, code):
    device = Device()
    challenge = challenge_of(enter(device))
    answer = device.post(
        "/api/login/code", {"challenge": challenge, "email_code": code}, format="json"
    )
    assert answer.status_code == 400


def test_an_odd_digit_is_none(alice):
    device = Device()
    assert refusal(show(device, challenge_of(enter(device)), "٤١٨٠٢٧")) == INVALID


def test_who_has_no_address_is_let_in(alice):
    User.objects.filter(pk=alice.pk).update(email="")
    answer = Device().post("/api/login", {"email": "alice@example.org", "password": PASSWORD})
    assert answer.status_code == 401
    account = User.objects.get(pk=alice.pk)
    assert not device_codes.is_owed(account, "")


def test_what_nobody_waits_for_is_deleted(alice, clock):
    challenge_of(enter(Device()))
    assert device_codes.purge(10) == 0
    clock.shift(3601)
    assert (device_codes.purge(10), DeviceCode.objects.count()) == (1, 0)


def test_the_security_log_tells_of_it(alice, security_lines, django_capture_on_commit_callbacks):
    device = Device()
    with django_capture_on_commit_callbacks(execute=True):
        challenge = challenge_of(enter(device))
    show(device, challenge, other_than(code_of(uuid.UUID(challenge))))
    events = [line["event"] for line in security_lines.events]
    assert events == ["login.succeeded", "device_code.sent", "device_code.failed"]


def test_the_check_sees_users_without_an_address(settings, monkeypatch):
    monkeypatch.setattr(User, "EMAIL_FIELD", "nowhere")
    assert "devices.E104" in [each.id for each in run_checks()]


# Pages


def on_page(browser, path=None):
    path = path or reverse("account_login")
    headers = {"Accept": "text/html"}
    given = {"login": "alice@example.org", "password": PASSWORD}
    return browser.post(path, given, headers=headers)


def test_a_browser_is_asked_on_a_page(alice):
    browser = Browser()
    answer = on_page(browser, f"{reverse('account_login')}?next=/devices/notifications/")
    assert answer.url == reverse("devices:code")
    assert not DeviceSession.objects.exists()
    page = browser.get(answer.url).content.decode()
    assert "We have sent you a code by mail" in page and "signed in as" not in page
    wrong = browser.post(answer.url, {"code": "no"})
    assert wrong.status_code == 200 and "This code is wrong" in wrong.content.decode()
    code = code_of(DeviceCode.objects.get().pk)
    done = browser.post(answer.url, {"code": f" {code} "})
    assert done.url == "/devices/notifications/"
    assert browser.get(reverse("devices:list")).status_code == 200
    assert DeviceSession.objects.get().login_method == "password"
    browser.post(reverse("account_logout"))
    assert on_page(browser).url == reverse("devices:list")


def test_another_browser_has_no_use_for_the_page(alice):
    browser = Browser()
    on_page(browser)
    assert Browser().get(reverse("devices:code")).url == "/accounts/login/"
    other = Browser()
    other.cookies = browser.cookies
    other.cookies.pop("__Host-device", None)
    code = code_of(DeviceCode.objects.get().pk)
    assert other.post(reverse("devices:code"), {"code": code}).status_code == 200
    assert not DeviceSession.objects.exists()


def test_the_page_leads_to_no_other_site(alice):
    browser = Browser()
    on_page(browser, f"{reverse('account_login')}?next=//evil.example/")
    code = code_of(DeviceCode.objects.get().pk)
    assert browser.post(reverse("devices:code"), {"code": code}).url == reverse("devices:list")


@pytest.mark.django_db(transaction=True)
def test_what_waits_outlives_a_transaction_around_the_view(make_user, settings):
    make_user("alice@example.org")
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        browser = Browser()
        assert on_page(browser).url == reverse("devices:code")
        code = code_of(DeviceCode.objects.get().pk)
        assert browser.post(reverse("devices:code"), {"code": code}).status_code == 302
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert DeviceSession.objects.active().count() == 1


def test_who_signs_up_on_a_page_is_let_in(db, settings):
    browser = Browser()
    given = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = browser.post(reverse("account_signup"), given, headers={"Accept": "text/html"})
    assert answer.status_code == 302 and answer.url != reverse("devices:code")


def test_an_app_of_allauth_goes_on_at_the_api(alice):
    app = Device()
    answer = app.post(
        "/_allauth/app/v1/auth/login",
        {"email": alice.email, "password": PASSWORD},
        format="json",
    )
    challenge = challenge_of(answer)
    assert not DeviceSession.objects.exists()
    assert LoginThrottle.objects.filter(failures__gt=0).count() == 0
    assert DeviceCode.objects.get(pk=challenge).user_id == alice.pk


# Races


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(3))
def test_of_many_that_show_the_code_at_once_one_gets_in(make_user, turn, settings):
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    make_user("alice@example.org")
    device = Device()
    device.defaults["HTTP_X_DEVICE_ID"] = "0f6a1c2e4b775f0d6a521a0e4a7e9d3b"
    challenge = challenge_of(enter(device))
    ready = threading.Barrier(4)

    def attempt(_):
        each = Device()
        each.defaults["HTTP_X_DEVICE_ID"] = "0f6a1c2e4b775f0d6a521a0e4a7e9d3b"
        ready.wait()
        try:
            return show(each, challenge).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(attempt, range(4)))
    assert answers == [200, 401, 401, 401]
    assert DeviceSession.objects.count() == 1
