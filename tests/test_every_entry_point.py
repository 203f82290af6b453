"""Every way in, for somebody with a second factor: a password alone opens none, a code opens one, once."""

import json
import re
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.auth import login as django_login
from django.contrib.auth.views import LoginView
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import path
from django.utils import timezone

from accounts.models import User
from devices.models import DeviceSession, LoginThrottle
from project import urls as site
from tests import oidc
from tests.authenticator import App, enrol
from tests.client import IPHONE, PASSWORD, Device, refusal
from tests.project.test_csp import plain_paths

HEADLESS = "/_allauth/app/v1"

urlpatterns = [
    path("plain/login/", LoginView.as_view(template_name="home.html")),
    *site.urlpatterns,
]


@pytest.fixture(scope="module")
def loopback():
    with oidc.serve() as provider:
        yield provider


@pytest.fixture
def staff(alice):
    """Alice, who may do everything, and has proved her address."""
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


@pytest.fixture
def app(staff, clock):
    return enrol(staff)


# Whatever a form or an endpoint may call them.
CREDENTIALS = {
    "email": "alice@example.org",
    "login": "alice@example.org",
    "username": "alice@example.org",
    "password": PASSWORD,
    "password1": PASSWORD,
    "password2": PASSWORD,
    "this_is_the_login_form": "1",
}


def try_every_door():
    """Which paths of the site begin a session for whoever posts a name and a password there."""
    opened = set()
    for where in plain_paths():
        for how in ("application/json", "application/x-www-form-urlencoded"):
            body = json.dumps(CREDENTIALS) if "json" in how else None
            before = DeviceSession.objects.count()
            client = Client(raise_request_exception=False)
            if body:
                client.post(where, body, content_type=how)
            else:
                client.post(where, CREDENTIALS)
            if DeviceSession.objects.count() > before or SESSION_KEY in client.session:
                opened.add(where)
            LoginThrottle.objects.all().delete()
    return opened


DOORS = {"/api/login", "/api/token", "/accounts/login/", f"{HEADLESS}/auth/login"}


def test_a_name_and_a_password_are_enough_at_four_entry_points_and_nowhere_else(staff):
    assert try_every_door() == DOORS


def test_V6_3_4_with_a_second_factor_they_are_enough_nowhere(app):
    assert try_every_door() == set()
    assert not DeviceSession.objects.exists()


# Each door, and what it says


def by_api(where, otp=None):
    body = {"email": "alice@example.org", "password": PASSWORD}
    return Device().post(where, body | ({"otp": otp} if otp else {}))


def on_page(otp=None, start="/accounts/login/"):
    browser = Client()
    form = {"login": "alice@example.org", "password": PASSWORD}
    answer = browser.post(start, form)
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    if otp:
        answer = browser.post("/accounts/2fa/authenticate/", {"code": otp})
    browser.answer = answer
    return browser


def in_app(otp=None):
    app = Device(IPHONE)
    body = {"email": "alice@example.org", "password": PASSWORD}
    answer = app.post(f"{HEADLESS}/auth/login", body)
    assert answer.status_code == 401
    pending = [flow["id"] for flow in answer.json()["data"]["flows"] if flow.get("is_pending")]
    assert pending == ["mfa_authenticate"]
    if otp:
        token = answer.json()["meta"]["session_token"]
        headers = {"X-Session-Token": token}
        answer = app.post(f"{HEADLESS}/auth/2fa/authenticate", {"code": otp}, headers=headers)
    return answer


def test_the_api_asks_for_a_code(app):
    for where in ("/api/login", "/api/token"):
        assert refusal(by_api(where)) == (401, "otp_required")
    assert by_api("/api/login", app.code()).status_code == 200
    assert refusal(by_api("/api/token", app.code())) == (401, "otp_invalid")
    assert by_api("/api/token", app.recovery_codes[0]).status_code == 200


def test_the_page_asks_for_a_code_and_no_page_opens_before(app):
    browser = on_page()
    assert SESSION_KEY not in browser.session
    for page in ("/devices/", "/admin/", "/accounts/email/", "/accounts/2fa/", "/devices/confirm/"):
        assert browser.get(page).status_code == 302
    assert not DeviceSession.objects.exists()
    browser = on_page(app.code())
    assert browser.answer.status_code == 302
    assert browser.get("/devices/").status_code == 200
    session = DeviceSession.objects.get()
    assert (session.login_method, session.mfa_at) == ("password", session.authenticated_at)


def test_V8_4_2_the_admin_asks_staff_for_a_code(app):
    browser = Client()
    django_form = {"username": "alice@example.org", "password": PASSWORD, "next": "/admin/"}
    for answer in (browser.get("/admin/"), browser.post("/admin/login/?next=/admin/", django_form)):
        assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    staff = on_page(app.code(), answer["Location"])
    assert staff.answer["Location"] == "/admin/"
    assert staff.get("/admin/").status_code == 200
    [listed] = DeviceSession.objects.active()
    assert listed.mfa_at is not None


def test_customers_are_not_asked_to_sign_in_again_at_the_admin(mallory):
    browser = Client()
    browser.force_login(mallory)
    assert browser.get("/admin/login/?next=/admin/").status_code == 403


def test_apps_are_asked_for_a_code(app):
    assert in_app().status_code == 401
    assert not DeviceSession.objects.exists()
    answer = in_app(app.code())
    assert answer.status_code == 200
    phone = Device(IPHONE)
    phone.hold(answer.json()["meta"])
    assert phone.is_in()
    assert DeviceSession.objects.get().mfa_at is not None


def test_AA5_no_code_opens_two_sessions(app, clock):
    ways = [lambda otp: by_api("/api/login", otp).status_code == 200]
    ways.append(lambda otp: on_page(otp).answer.status_code == 302)
    ways.append(lambda otp: in_app(otp).status_code == 200)
    for first in ways:
        for otp in (app.code(), app.recovery_codes.pop()):
            assert first(otp)
            assert [way(otp) for way in ways] == [False, False, False]
        clock.shift(30)


def test_A30_codes_tried_at_one_entry_point_count_at_all(app):
    for n in range(10):
        way = [lambda: by_api("/api/login", "0"), lambda: on_page("0"), lambda: in_app("0")][n % 3]
        way()
    assert refusal(by_api("/api/token", app.code())) == (429, "throttled")
    assert "Too many attempts" in on_page(app.code()).answer.content.decode()
    assert in_app(app.code()).status_code == 400
    assert not DeviceSession.objects.exists()


def test_6_4_3_a_reset_by_mail_gets_past_no_second_factor(app):
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": "alice@example.org"})
    [link] = [word for word in mail.outbox[-1].body.split() if "/password/reset/key/" in word]
    form = browser.get(link.partition("devices.test")[2], follow=True)
    new = {"password1": PASSWORD + "!", "password2": PASSWORD + "!"}
    browser.post(form.redirect_chain[-1][0], new)
    assert SESSION_KEY not in browser.session
    answer = Device().post("/api/login", {"email": "alice@example.org", "password": PASSWORD + "!"})
    assert refusal(answer) == (401, "otp_required")


def test_another_site_s_word_gets_past_no_second_factor(app, loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    sub = loopback.knows("alice", email="alice@example.org", email_verified=True)
    browser = Client()
    answer = oidc.sign_in(browser, loopback, sub)
    assert SESSION_KEY not in browser.session
    token = {"client_id": oidc.CLIENT_ID, "id_token": loopback.id_token(sub, oidc.CLIENT_ID)}
    body = {"provider": "oidc", "process": "login", "token": token}
    assert Device(IPHONE).post(f"{HEADLESS}/auth/provider/token", body).status_code == 401
    assert not DeviceSession.objects.exists()

    answer = browser.post("/accounts/2fa/authenticate/", {"code": app.code()})
    assert answer.status_code == 302
    session = DeviceSession.objects.get()
    assert (session.login_method, session.mfa_at) == ("oidc", session.authenticated_at)


@pytest.mark.urls(__name__)
def test_V2_3_1_no_view_that_forgets_to_ask_lets_anybody_in(app, staff):
    browser = Client(headers={"Accept": "text/html"})
    form = {"username": "alice@example.org", "password": PASSWORD}
    assert browser.post("/plain/login/", form).status_code == 403
    answer = Client().post("/plain/login/", form)
    assert (answer.status_code, answer.json()["code"]) == (401, "otp_required")
    assert SESSION_KEY not in browser.session
    request = RequestFactory(headers={"Accept": "text/html"}).get("/")
    request.session = browser.session
    with pytest.raises(PermissionDenied):
        django_login(request, staff, "devices.backends.LimitedModelBackend")
    assert not DeviceSession.objects.exists()


# Enrolling and removing


SENSITIVE = [
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/recovery-codes/download/",
]


@pytest.mark.parametrize("page", SENSITIVE)
def test_V7_5_1_factors_are_not_touched_without_a_fresh_proof(staff, clock, page):
    browser = Client()
    browser.force_login(staff)
    enrol(staff)
    clock.shift(16 * 60)
    answers = [browser.get(page), browser.post(page)]
    asked = [answer for answer in answers if answer.status_code != 405]
    assert asked
    for answer in asked:
        assert answer["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert Authenticator.objects.filter(user=staff).count() == 2


def test_V7_5_3_a_password_does_not_remove_a_factor(app, clock):
    browser = on_page(app.code())
    clock.shift(16 * 60)
    again = browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert again["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert browser.post("/accounts/2fa/totp/deactivate/")["Location"].startswith(
        "/accounts/2fa/reauthenticate/"
    )
    assert Authenticator.objects.filter(type="totp").exists()
    # The form that was sent is sent on, once the code was right.
    done = browser.post(
        "/accounts/2fa/reauthenticate/?next=/accounts/2fa/totp/deactivate/", {"code": app.code()}
    )
    assert done.status_code == 302
    assert not Authenticator.objects.exists()


def test_V7_5_1_an_address_is_not_changed_without_a_fresh_proof(staff, clock):
    browser = Client()
    browser.force_login(staff)
    clock.shift(16 * 60)
    add = {"action_add": "", "email": "mallory@example.org"}
    assert browser.post("/accounts/email/", add)["Location"].startswith("/accounts/reauthenticate/")
    assert EmailAddress.objects.count() == 1


@pytest.fixture
def passwordless(staff):
    """Alice, who signs in by another site only."""
    User.objects.filter(pk=staff.pk).update(password="!")
    return User.objects.get(pk=staff.pk)


def mailed_code():
    return re.search(r"^[A-Z]{4}-[A-Z]{4}$", mail.outbox[-1].body, re.MULTILINE)[0]


def test_who_has_no_password_confirms_by_a_code_by_mail(passwordless, clock):
    browser = Client()
    browser.force_login(passwordless)
    clock.shift(16 * 60)
    DeviceSession.objects.update(reauth_required_since=timezone.now())
    activate = "/accounts/2fa/totp/activate/"
    page = browser.get(activate)
    assert page["Location"] == f"/accounts/reauthenticate/code/?next={quote(activate, safe='')}"
    asked = browser.post(page["Location"], {"recipient": passwordless.email})
    answer = browser.post(asked["Location"], {"code": mailed_code()})
    assert answer["Location"] == activate
    assert browser.get(activate).status_code == 200
    assert DeviceSession.objects.get().reauth_required_since is None


def test_a_code_by_mail_proves_nothing_of_who_has_a_password(staff, clock):
    browser = Client()
    browser.force_login(staff)
    clock.shift(16 * 60)
    for door in ("/accounts/reauthenticate/code/", "/accounts/reauthenticate/code/confirm/"):
        for answer in (browser.get(door), browser.post(door, {"recipient": staff.email})):
            assert answer.status_code == 302
    assert mail.outbox == []


def test_a_code_sent_before_a_factor_was_enrolled_proves_nothing_after(passwordless, clock):
    browser = Client()
    browser.force_login(passwordless)
    browser.post("/accounts/reauthenticate/code/", {"recipient": passwordless.email})
    enrol(passwordless)
    before = DeviceSession.objects.get().authenticated_at
    clock.shift(60)
    browser.post("/accounts/reauthenticate/code/confirm/", {"code": mailed_code()})
    assert DeviceSession.objects.get().authenticated_at == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["password", "factor"])
def test_apps_cannot_have_a_code_mailed_in_place_of_something_better(staff, sign_in, clock, who):
    phone = sign_in(staff)
    if who == "factor":
        enrol(staff)
    mail.outbox.clear()
    asked = phone.post(f"{HEADLESS}/auth/reauthenticate/code/request", {"email": staff.email})
    assert asked.status_code == 400 and mail.outbox == []


def test_who_has_only_another_site_s_word_signs_in_again(passwordless, clock):
    EmailAddress.objects.all().delete()
    browser = Client()
    browser.force_login(passwordless)
    clock.shift(16 * 60)
    activate = "/accounts/2fa/totp/activate/"
    page = browser.get(activate)
    assert page["Location"].startswith("/accounts/sign-in-again/?next=")
    shown = browser.get(page["Location"])
    assert shown.status_code == 200 and SESSION_KEY in browser.session
    confirm = browser.get("/devices/confirm/?next=/devices/")
    assert confirm["Location"] == "/accounts/reauthenticate/?next=%2Fdevices%2F"
    again = browser.post("/accounts/sign-in-again/", {"next": activate})
    assert again["Location"] == f"/accounts/login/?next={activate}"
    assert not DeviceSession.objects.active().exists()


@pytest.mark.django_db(transaction=True)
def test_apps_prove_it_again_before_they_touch_factors(staff, clock, sign_in):
    phone = sign_in(staff)
    authenticators = f"{HEADLESS}/account/authenticators"
    assert phone.get(f"{authenticators}/totp").status_code == 404
    secret = phone.get(f"{authenticators}/totp").json()["meta"]["secret"]
    clock.shift(16 * 60)
    phone.rotate()
    code = App(secret, []).code()
    refused = phone.post(f"{authenticators}/totp", {"code": code})
    assert refused.status_code == 401
    assert {"id": "reauthenticate"} in refused.json()["data"]["flows"]
    # By the API's own endpoint or by allauth's.
    assert phone.post("/api/sessions/current/confirm", {"password": PASSWORD}).status_code == 200
    assert phone.post(f"{authenticators}/totp", {"code": code}).status_code == 200
    # The code that enrolled the app is used up, and was shown in this session.
    assert refusal(by_api("/api/login", code)) == (401, "otp_invalid")
    assert phone.post("/api/sessions/revoke-all").status_code == 200
    clock.shift(16 * 60)
    phone.rotate()
    by_password = phone.post(f"{HEADLESS}/auth/reauthenticate", {"password": PASSWORD})
    assert phone.delete(f"{authenticators}/totp").status_code == 401, by_password.json()
    by_code = phone.post(f"{HEADLESS}/auth/2fa/reauthenticate", {"code": App(secret, []).code()})
    assert by_code.status_code == 200
    assert phone.delete(f"{authenticators}/totp").status_code == 200
    assert not Authenticator.objects.exists()
