"""Stepping up in a browser: sensitive pages lead to a confirmation, and from there back."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path
from django.utils import timezone

from devices.models import Activity, DeviceSession, RevokeReason
from devices.web.step_up import confirmed_page
from tests.authenticator import enrol
from tests.client import PASSWORD

SIXTEEN_MINUTES = 16 * 60

# A site with the admin that shows people no page of their devices.
urlpatterns = [path("admin/", admin.site.urls), path("accounts/", include("allauth.urls"))]


@pytest.fixture
def browser(alice, clock):
    """Signed in on a page 16 minutes ago."""
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD, "remember": "on"})
    clock.shift(SIXTEEN_MINUTES)
    return browser


@pytest.fixture
def phone(alice, sign_in):
    return sign_in(alice)


def asked(answer):
    """Where somebody who is asked to confirm is sent afterwards; None if nobody is asked."""
    where = urlsplit(answer.get("Location", ""))
    if answer.status_code != 302 or where.path != "/devices/confirm/":
        return None
    [following] = parse_qs(where.query)["next"]
    return following


def confirm(browser, where="", **proof):
    return browser.post(f"/devices/confirm/?next={where}", proof)


def test_V7_5_2_signing_others_out_asks_for_a_fresh_proof(browser, phone):
    one = f"/devices/{phone.session_id}/sign-out/"
    for sensitive in (one, "/devices/sign-out-others/", "/devices/sign-out-inactive/"):
        assert asked(browser.get(sensitive)) == sensitive
        back = browser.post(sensitive, HTTP_REFERER=f"http://testserver{sensitive}?page=1#x")
        assert asked(back) == f"{sensitive}?page=1"
        assert asked(browser.post(sensitive, HTTP_REFERER="https://evil.example/x")) == "/devices/"
        assert asked(browser.post(sensitive, HTTP_REFERER="http://[")) == "/devices/"
    assert phone.is_in()

    confirmed = confirm(browser, one, password=PASSWORD)
    assert (confirmed.status_code, confirmed["Location"]) == (302, one)
    assert browser.get(one).status_code == 200
    browser.post(one)
    assert not phone.is_in()
    [entry] = Activity.objects.filter(kind="session.confirmed")
    assert entry.data == {"method": "password"}


def test_looking_naming_and_signing_oneself_out_never_ask(browser, phone):
    here = DeviceSession.objects.exclude(pk=phone.session_id).get()
    for page in ("/devices/", f"/devices/{here.pk}/", f"/devices/{here.pk}/sign-out/"):
        assert browser.get(page).status_code == 200
    named = browser.post(f"/devices/{phone.session_id}/name/", {"name": "Phone"})
    assert named["Location"] == f"/devices/{phone.session_id}/"
    assert browser.post(f"/devices/{here.pk}/sign-out/")["Location"] == "/accounts/login/"
    here.refresh_from_db()
    assert here.revoke_reason == "logout"


def test_what_was_confirmed_lasts_for_fifteen_minutes(browser, phone, clock):
    confirm(browser, password=PASSWORD)
    clock.shift(15 * 60)
    assert browser.get("/devices/sign-out-others/").status_code == 200
    clock.shift(1)
    assert asked(browser.get("/devices/sign-out-others/"))


def test_a_wrong_password_confirms_nothing_and_counts_as_a_guess(browser):
    for _ in range(20):
        page = confirm(browser, password="wrong")
        assert "This is not your password." in page.content.decode()
    page = confirm(browser, password=PASSWORD)
    assert (page.status_code, "Too many attempts" in page.content.decode()) == (200, True)
    assert asked(browser.get("/devices/sign-out-others/"))


def test_V7_5_3_a_password_does_not_do_for_who_has_a_second_factor(browser, alice):
    app = enrol(alice)
    page = browser.get("/devices/confirm/").content.decode()
    assert 'name="otp"' in page and 'name="password"' not in page
    for proof in ({"password": PASSWORD}, {"otp": "000000"}, {"otp": ""}):
        assert confirm(browser, **proof).status_code == 200
        assert asked(browser.get("/devices/sign-out-others/"))
    code = app.code()
    assert confirm(browser, otp=code).status_code == 302
    assert browser.get("/devices/sign-out-others/").status_code == 200
    again = confirm(browser, otp=code)
    assert "was used before" in again.content.decode()
    assert confirm(browser, otp=app.recovery_codes[0]).status_code == 302
    methods = Activity.objects.filter(kind="session.confirmed").order_by("pk")
    assert [entry.data["method"] for entry in methods] == ["totp", "recovery_codes"]


@pytest.fixture
def stranger_to_passwords(alice, clock, settings):
    """Signed in 16 minutes ago by what another system knows of them, as a directory or a provider."""
    settings.DEVICES = {**settings.DEVICES, "REAUTHENTICATION_URL": None}
    alice.set_unusable_password()
    alice.save()
    browser = Client()
    browser.force_login(alice)
    clock.shift(SIXTEEN_MINUTES)
    return browser


def test_who_has_no_password_here_signs_in_again(stranger_to_passwords):
    page = stranger_to_passwords.get("/devices/confirm/?next=/devices/history.csv")
    assert "Sign in again" in page.content.decode()
    answer = confirm(stranger_to_passwords, "/devices/history.csv")
    assert answer["Location"] == "/accounts/login/?next=/devices/history.csv"
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.LOGOUT


def test_a_doubt_does_not_end_by_signing_in_again(stranger_to_passwords, clock):
    DeviceSession.objects.update(reauth_required_since=timezone.now())
    assert "Sign in again" not in stranger_to_passwords.get("/devices/confirm/").content.decode()
    assert confirm(stranger_to_passwords).status_code == 200
    assert DeviceSession.objects.active().exists()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""],
)
def test_A40_confirming_leads_to_no_other_site(browser, target):
    assert confirm(browser, target, password=PASSWORD)["Location"] == "/devices/"


def test_nobody_confirms_without_being_signed_in(db):
    for answer in (Client().get("/devices/confirm/"), confirm(Client(), password=PASSWORD)):
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_staff_prove_it_before_they_revoke(make_user, clock, phone):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    staff = Client()
    staff.force_login(root)
    clock.shift(SIXTEEN_MINUTES)
    table = "/admin/devices/devicesession/"
    form = {"action": "revoke", "_selected_action": [phone.session_id], "note": "stolen"}
    assert staff.get(table).status_code == 200
    assert asked(staff.post(f"{table}?state=active", form)) == f"{table}?state=active"
    phone.rotate()
    confirm(staff, password=PASSWORD)
    staff.post(table, form)
    assert not phone.is_in()


def test_a_site_without_the_page_sends_staff_to_sign_in(make_user, clock, phone, settings):
    settings.ROOT_URLCONF = __name__
    staff = Client()
    staff.force_login(make_user("root@example.org", is_staff=True, is_superuser=True))
    clock.shift(SIXTEEN_MINUTES)
    form = {"action": "revoke", "_selected_action": [phone.session_id], "note": "stolen"}
    answer = staff.post("/admin/devices/devicesession/", form)
    assert answer["Location"].startswith("/admin/login/?next=%2Fadmin%2Fdevices%2F")


@confirmed_page
def transfer(request):
    return HttpResponse("transferred")


def ask(view, session):
    request = RequestFactory().get("/x?y=1")
    request.user = session.user if session else AnonymousUser()
    request.session = SessionStore()
    request.device_session = session
    return view(request)


def test_a_page_asks_for_a_recent_proof(browser, settings):
    session = DeviceSession.objects.get()
    assert asked(ask(transfer, session)) == "/x?y=1"
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": None}
    assert ask(transfer, session).content == b"transferred"
    assert ask(transfer, None)["Location"].startswith("/accounts/login/?next=/x")
