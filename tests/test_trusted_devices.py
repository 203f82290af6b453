"""Trust this device: after a second factor, it signs in without one, until something speaks against it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from devices import shortcuts
from devices.conf import conf
from devices.core import sessions, trusted_devices
from devices.core.log.security_log import Event
from devices.models import Activity, DeviceSession, LoginHistory, RevokeReason, TrustedDevice
from tests.authenticator import enrol
from tests.client import FIREFOX, PASSWORD, Device, refusal
from tests.dpop import SITE, Key

DOORS = ("/api/login", "/api/token")
ASKED = (401, "otp_required")
DAYS = 14
APP_ID = "0f6a1c2e4b775f0d6a521a0e4a7e9d3b"


@pytest.fixture(autouse=True)
def offered(settings):
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": timedelta(days=DAYS)}
    settings.MFA_TRUST_COOKIE_AGE = timedelta(days=DAYS)


@pytest.fixture
def app(alice, clock):
    return enrol(alice)


def enter(device, door="/api/login", **more):
    return device.post(door, {"email": "alice@example.org", "password": PASSWORD, **more})


@pytest.fixture
def trusted(app, clock):
    """A device that its owner trusts, not signed in just now."""
    device = Device()
    answer = enter(device, otp=app.code(), trust_device=True)
    assert answer.status_code == 200
    device.hold(answer.json())
    assert device.post("/api/logout").status_code == 204
    device.credentials()
    clock.shift(60)
    assert TrustedDevice.objects.count() == 1
    return device


def step_up(device, app):
    assert device.post("/api/sessions/current/confirm", {"otp": app.code()}).status_code == 200


@pytest.mark.parametrize("door", DOORS)
def test_a_trusted_device_signs_in_with_the_password_alone(
    trusted, door, security_lines, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        assert enter(trusted, door).status_code == 200
    session = DeviceSession.objects.active().get()
    assert session.mfa_at is None
    assert security_lines.of(Event.OTP_SKIPPED)
    kinds = Activity.objects.filter(user=session.user).values_list("kind", flat=True)
    assert "device.trusted" in kinds


@pytest.mark.parametrize("door", DOORS)
def test_it_takes_the_wish_a_code_and_the_setting(app, settings, clock, door):
    device = Device()
    assert refusal(enter(device, door, trust_device=True)) == ASKED
    assert enter(device, door, otp=app.code()).status_code == 200
    clock.shift(60)
    assert refusal(enter(device, door)) == ASKED
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": None}
    assert enter(device, door, otp=app.code(), trust_device=True).status_code == 200
    assert not TrustedDevice.objects.exists()


def test_who_has_no_second_factor_has_nothing_to_skip(alice):
    assert enter(Device(), trust_device=True).status_code == 200
    assert not TrustedDevice.objects.exists()


def test_it_is_the_device_and_no_other(trusted, app):
    """Neither the address nor the user agent makes a device the trusted one."""
    assert refusal(enter(Device())) == ASKED
    assert refusal(enter(Device(FIREFOX))) == ASKED
    assert enter(trusted).status_code == 200


def test_it_is_the_one_users_trust(trusted, mallory, clock):
    mallorys = enrol(mallory)
    given = {"email": mallory.email, "password": PASSWORD}
    assert refusal(trusted.post("/api/login", given)) == ASKED
    assert trusted.post("/api/login", {**given, "otp": mallorys.code()}).status_code == 200
    assert enter(trusted).status_code == 200


@pytest.mark.parametrize(("app_id", "is_trusted"), [(APP_ID, True), ("phone-1", False)])
def test_an_app_is_known_by_its_id_if_that_cannot_be_guessed(app, clock, app_id, is_trusted):
    phone = Device()
    phone.defaults["HTTP_X_DEVICE_ID"] = app_id
    assert enter(phone, otp=app.code(), trust_device=True).status_code == 200
    again = Device()
    again.defaults["HTTP_X_DEVICE_ID"] = app_id
    assert (enter(again).status_code == 200) == is_trusted


def test_a_copied_device_cookie_needs_the_password_and_proves_no_factor(trusted, app, clock):
    """What a thief of the cookie has: one factor less to show, and nothing that asks for a proof."""
    thief = Device(ip="203.0.113.7")
    thief.cookies = trusted.cookies
    wrong = thief.post("/api/login", {"email": "alice@example.org", "password": "wrong"})
    assert refusal(wrong) == (401, "no_active_account")
    answer = enter(thief)
    assert answer.status_code == 200
    thief.hold(answer.json())
    answer = thief.post("/api/sessions/revoke-all")
    assert answer.json()["code"] == "insufficient_user_authentication"
    assert refusal(thief.post("/api/sessions/current/confirm", {"password": PASSWORD})) == ASKED


def test_an_unusual_login_asks_on_a_trusted_device_too_and_teaches_nothing(trusted, settings):
    settings.DEVICES = {**settings.DEVICES, "RISK_RULES": ["tests.test_trusted_devices.far"]}
    before = LoginHistory.objects.get().data
    assert refusal(enter(trusted)) == ASKED
    assert LoginHistory.objects.get().data == before
    assert not DeviceSession.objects.active().exists()


def far(login, past):
    from devices.core.risk.rules import Reason

    return Reason("far", 60, {})


def test_a_doubted_login_gives_no_trust(app, settings, clock, alice):
    first = Device()
    assert enter(first, otp=app.code()).status_code == 200
    clock.shift(60)
    settings.DEVICES = {**settings.DEVICES, "RISK_RULES": ["tests.test_trusted_devices.far"]}
    assert enter(Device(FIREFOX), otp=app.code(), trust_device=True).status_code == 200
    assert DeviceSession.objects.filter(reauth_required_since__isnull=False).exists()
    assert not TrustedDevice.objects.exists()


def test_a_recovery_code_gives_no_trust(app):
    assert enter(Device(), otp=app.recovery_codes[0], trust_device=True).status_code == 200
    assert not TrustedDevice.objects.exists()


def test_it_ends_after_its_time_however_often_it_is_used(trusted, clock):
    for _ in range(DAYS - 1):
        clock.shift(timedelta(days=1).total_seconds())
        assert enter(trusted).status_code == 200
    clock.shift(timedelta(days=1).total_seconds())
    assert refusal(enter(trusted)) == ASKED


def test_a_shorter_time_counts_at_once(trusted, settings, clock):
    clock.shift(timedelta(days=3).total_seconds())
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": 2}
    assert refusal(enter(trusted)) == ASKED
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": None}
    assert refusal(enter(trusted)) == ASKED


def elsewhere(app, **more):
    """Another device of the same person, which has shown a factor."""
    other = Device(FIREFOX)
    answer = enter(other, otp=app.code(), **more)
    assert answer.status_code == 200
    other.hold(answer.json())
    return other


def test_a_new_password_ends_it(trusted, alice):
    alice.set_password("another horse 10")
    User.objects.filter(pk=alice.pk).update(password=alice.password)
    given = {"email": alice.email, "password": "another horse 10"}
    assert refusal(trusted.post("/api/login", given)) == ASKED


def test_a_better_hash_of_the_same_password_does_not(trusted, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    assert enter(trusted).status_code == 200
    assert User.objects.get().password.startswith("pbkdf2_sha1$")
    assert enter(trusted).status_code == 200


def test_another_factor_ends_it(trusted, alice):
    from allauth.mfa.models import Authenticator

    Authenticator.objects.filter(user=alice, type="totp").delete()
    enrol(User.objects.get(pk=alice.pk))
    assert refusal(enter(trusted)) == ASKED


def test_signing_out_everywhere_ends_it_also_where_nobody_is_signed_in(trusted, app):
    other = elsewhere(app)
    assert other.post("/api/sessions/revoke-all").status_code == 200
    assert refusal(enter(trusted)) == ASKED


def test_the_device_that_signs_out_the_others_stays_trusted(trusted, app, clock):
    here = elsewhere(app, trust_device=True)
    clock.shift(60)
    step_up(here, app)
    assert here.post("/api/sessions/revoke-all").status_code == 200
    assert refusal(enter(trusted)) == ASKED
    here.credentials()
    assert enter(here).status_code == 200


@pytest.mark.parametrize("reason", ["user", "user_all", "admin", "reuse", "not_me"])
def test_ending_its_session_from_outside_ends_it(trusted, reason):
    assert enter(trusted).status_code == 200
    sessions.revoke(DeviceSession.objects.active().get(), reason=RevokeReason(reason))
    assert refusal(enter(trusted)) == ASKED


@pytest.mark.parametrize("reason", ["logout", "limit", "superseded"])
def test_signing_out_there_does_not(trusted, reason):
    assert enter(trusted).status_code == 200
    sessions.revoke(DeviceSession.objects.active().get(), reason=RevokeReason(reason))
    assert enter(trusted).status_code == 200


def test_saying_that_a_login_was_not_mine_ends_all(trusted, app):
    other = elsewhere(app)
    session = DeviceSession.objects.get(pk=other.session_id)
    sessions.review(session.pk, is_mine=False)
    assert refusal(enter(trusted)) == ASKED


def test_taking_the_account_back_ends_all(trusted, alice):
    sessions.revoke_all_as_unknown(alice)
    assert refusal(enter(trusted)) == ASKED


def test_a_deactivated_account_trusts_nothing_when_it_is_active_again(trusted, alice):
    for is_active in (False, True):
        alice.is_active = is_active
        alice.save()
    assert refusal(enter(trusted)) == ASKED


def test_it_goes_with_the_account_and_with_its_time(trusted, alice, clock, mallory):
    assert trusted_devices.purge(10) == 0
    clock.shift(timedelta(days=DAYS, minutes=1).total_seconds())
    assert (trusted_devices.purge(10), TrustedDevice.objects.count()) == (1, 0)
    app = enrol(mallory)
    given = {"email": mallory.email, "password": PASSWORD, "otp": app.code(), "trust_device": True}
    assert Device().post("/api/login", given).status_code == 200
    assert TrustedDevice.objects.count() == 1
    mallory.delete()
    assert not TrustedDevice.objects.exists()


def test_what_is_not_offered_any_more_is_cleaned_up(trusted, settings):
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": None}
    assert trusted_devices.purge(10) == 1


def test_no_secret_is_kept(trusted):
    row = TrustedDevice.objects.values().get()
    cookie = next(iter(trusted.cookies.values())).value
    assert not any(part in str(row) for part in cookie.split(":"))


# The list


def test_the_list_tells_which_and_until_when(trusted, app):
    here = elsewhere(app, trust_device=True)
    mine, other = here.get("/api/trusted-devices").json()
    assert set(mine) == {
        *("id", "device", "device_type", "trusted_at", "trusted_until", "is_current")
    }
    assert [each["is_current"] for each in (mine, other)] == [True, False]
    assert (mine["device"], mine["device_type"]) == ("Firefox on Linux", "desktop")


def test_it_is_ended_one_by_one_and_only_by_its_owner(trusted, app, mallory, sign_in):
    here = elsewhere(app, trust_device=True)
    [current, other] = here.get("/api/trusted-devices").json()
    path = f"/api/trusted-devices/{other['id']}"
    assert sign_in(mallory).delete(path).status_code == 404
    assert here.delete(path).status_code == 204
    assert here.delete(path).status_code == 404
    assert here.get("/api/trusted-devices").json() == [current]
    assert refusal(enter(trusted)) == ASKED


def test_the_list_needs_a_session_and_is_empty_where_nothing_is_trusted(trusted, settings, app):
    here = elsewhere(app)
    assert Device().get("/api/trusted-devices").status_code == 401
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": None}
    assert here.get("/api/trusted-devices").json() == []


# Pages


def on_page(browser, app=None, action=None):
    """Sign in on allauth's page; the answer after which nothing more is asked."""
    page = browser.post(
        reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD}
    )
    if app is None:
        return page
    assert page.url == reverse("mfa_authenticate")
    page = browser.post(page.url, {"code": app.code()})
    if action is None:
        return page
    assert page.url == reverse("mfa_trust")
    assert b"2\xc2\xa0weeks" in browser.get(page.url).content
    return browser.post(page.url, {"action": action})


def leave(browser, clock):
    browser.post(reverse("account_logout"))
    assert DeviceSession.objects.active().count() == 0
    clock.shift(60)


def test_a_browser_is_trusted_on_the_page_after_the_code(app, clock):
    browser = Browser()
    assert on_page(browser, app, "trust").url == reverse("devices:list")
    assert "mfa_trusted" not in browser.cookies
    page = browser.get(reverse("devices:list")).content.decode()
    assert "Trusted devices" in page
    leave(browser, clock)
    assert on_page(browser).url == reverse("devices:list")
    assert DeviceSession.objects.active().get().mfa_at is None
    assert on_page(Browser()).url == reverse("mfa_authenticate")


def test_a_browser_is_not_trusted_unless_asked_to(app, clock):
    browser = Browser()
    assert on_page(browser, app, "skip").url == reverse("devices:list")
    leave(browser, clock)
    assert on_page(browser).url == reverse("mfa_authenticate")


def test_the_page_does_not_offer_it_after_a_recovery_code(app):
    browser = Browser()
    page = browser.post(
        reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD}
    )
    page = browser.post(page.url, {"code": app.recovery_codes[0]})
    assert page.url == reverse("devices:list")


def test_the_page_does_not_offer_it_where_it_is_off(app, settings):
    settings.DEVICES = {**settings.DEVICES, "TRUSTED_DEVICE_MAX_AGE": None}
    assert on_page(Browser(), app).url == reverse("devices:list")


def test_the_page_asks_for_the_factor_if_the_login_is_unusual(app, clock, settings):
    browser = Browser()
    on_page(browser, app, "trust")
    leave(browser, clock)
    settings.DEVICES = {**settings.DEVICES, "RISK_RULES": ["tests.test_trusted_devices.far"]}
    assert on_page(browser).url == reverse("mfa_authenticate")


def test_trust_is_ended_on_the_page(app, clock):
    browser = Browser()
    on_page(browser, app, "trust")
    row = TrustedDevice.objects.get()
    path = reverse("devices:forget-trusted", args=[row.pk])
    assert browser.get(path).status_code == 405
    assert browser.post(path, follow=True).status_code == 200
    leave(browser, clock)
    assert on_page(browser).url == reverse("mfa_authenticate")


# For host projects


def test_a_host_project_trusts_and_forgets(app, alice):
    browser = Browser()
    on_page(browser, app, "skip")
    request = browser.get(reverse("devices:list")).wsgi_request
    assert shortcuts.trust_device(request)
    assert shortcuts.list_trusted_devices(alice).count() == 1
    assert shortcuts.forget_trusted_devices(alice) == 1
    assert not shortcuts.list_trusted_devices(alice).exists()


def test_a_backend_without_a_stamp_will_do(alice, codes):
    codes.codes[alice.pk] = ["100000"]
    device = Device()
    assert enter(device, otp="100000", trust_device=True).status_code == 200
    assert enter(device).status_code == 200
    assert timedelta(days=DAYS) == conf.TRUSTED_DEVICE_MAX_AGE


def test_a_client_with_dpop_is_known_by_its_key_alone(app, clock):
    key = Key()

    def attempt(key, **more):
        device = Device()
        device.defaults["HTTP_X_DEVICE_ID"] = APP_ID
        headers = {"DPoP": key.proof("POST", f"{SITE}/api/login")} if key else {}
        given = {"email": "alice@example.org", "password": PASSWORD, **more}
        return device.post("/api/login", given, headers=headers)

    assert attempt(key, otp=app.code(), trust_device=True).status_code == 200
    clock.shift(60)
    assert refusal(attempt(None)) == ASKED
    assert refusal(attempt(Key())) == ASKED
    assert attempt(key).status_code == 200


# Races


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(4))
def test_no_trust_outlives_a_sign_out_everywhere_beside_it(make_user, turn):
    """Whichever is first: trust is given to an active session, or not at all."""
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    alice = make_user("alice@example.org")
    app = enrol(alice)
    ready = threading.Barrier(2)

    def trusting():
        ready.wait()
        return enter(Device(), otp=app.code(), trust_device=True).status_code

    def ending():
        ready.wait()
        return sessions.revoke_all(alice, reason=RevokeReason.USER_ALL)

    def alone(call):
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        [status, _] = list(pool.map(alone, (trusting, ending)))
    assert status == 200
    is_active = DeviceSession.objects.active().exists()
    assert is_active or not TrustedDevice.objects.exists()
