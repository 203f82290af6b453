"""What docs/threats.md promises of the site as a whole, and no other file is about."""

import re
import secrets
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from devices import signals
from devices.core.log import activity
from devices.models import Activity, DeviceSession
from tests.client import CHROME, PASSWORD, refusal

EVIL = '<script>x</script>"><img src=x onerror=x>{{7*7}}</title>'


@pytest.fixture
def browser(alice):
    """Signed in to the pages; unlike Django's usual test client it has forms checked for their origin."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    return browser


# The sender


@pytest.mark.parametrize(
    "header",
    [
        "X_FORWARDED_FOR",
        "FORWARDED",
        "X_REAL_IP",
        "TRUE_CLIENT_IP",
        "CF_CONNECTING_IP",
        "CLIENT_IP",
    ],
)
def test_A20_what_a_stranger_says_of_its_address_is_not_believed(alice, sign_in, header):
    value = "for=192.0.2.66" if header == "FORWARDED" else "192.0.2.66"
    phone = sign_in(alice, CHROME, "203.0.113.7")
    phone.defaults[f"HTTP_{header}"] = value
    phone.sign_in(alice.email)
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert (session.ip_address, session.last_ip) == ("203.0.113.7", "203.0.113.7")


# Pages


def test_A27_what_a_client_calls_itself_is_text_on_the_page(alice, sign_in, browser):
    phone = sign_in(alice, EVIL)
    page = browser.get("/devices/").content.decode()
    phone.patch(f"/api/sessions/{phone.session_id}", {"name": EVIL[:64]})
    for html in (page, browser.get("/devices/").content.decode()):
        assert "<script>x" not in html
        assert "<img src=x" not in html
    assert "&lt;script&gt;x" in browser.get("/devices/").content.decode()


def test_A28_a_form_of_another_site_ends_nothing(alice, sign_in, browser):
    phone = sign_in(alice)
    ways_out = ("sign-out-others/", "sign-out-inactive/", f"{phone.session_id}/sign-out/")
    for path in (f"/devices/{way}" for way in (*ways_out, f"{phone.session_id}/name/")):
        answers = [
            browser.post(path),
            browser.post(path, HTTP_ORIGIN="https://evil.example"),
            browser.post(path, "{}", content_type="text/plain"),
        ]
        assert [answer.status_code for answer in answers] == [403] * 3
        # A GET only asks; there is none of a name.
        assert browser.get(path).status_code == (405 if path.endswith("/name/") else 200)
    assert browser.post("/accounts/logout/").status_code == 403
    assert browser.get("/devices/").status_code == 200
    assert phone.is_in()


def test_A28_nobody_is_signed_in_to_the_pages_by_another_site(alice):
    stranger = Client(enforce_csrf_checks=True)
    form = {"login": alice.email, "password": PASSWORD}
    assert stranger.post("/accounts/login/", form).status_code == 403
    assert stranger.get("/devices/").status_code == 302


def test_A28_the_api_does_not_know_the_cookies_of_the_pages(browser):
    assert refusal(browser.get("/api/me")) == (401, "not_authenticated")
    answer = browser.post("/api/sessions/revoke-all", "{}", content_type="application/json")
    assert refusal(answer) == (401, "not_authenticated")


@pytest.mark.parametrize("path", ["/", "/devices/", "/accounts/login/", "/admin/", "/docs"])
def test_A29_no_page_can_be_framed_or_taken_for_something_else(alice, browser, path):
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    page = browser.get(path, follow=True)
    assert page.status_code == 200
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/devices/", "/docs", "/admin/"])
def test_7_4_4_every_page_has_a_way_out(alice, path):
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    browser = Client()
    browser.force_login(alice)
    page = browser.get(path).content.decode()
    [action] = re.findall(r'<form[^>]* action="([^"]*/logout/)"', page)
    assert browser.post(action).status_code in (200, 302)
    answer = browser.get("/devices/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/devices/")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https:evil.example",
        "https://evil.example",
        r"\\evil.example",
        "javascript:x",
    ],
)
def test_A40_signing_in_leads_to_no_other_site(alice, target):
    form = {"login": alice.email, "password": PASSWORD, "next": target}
    answer = Client().post(f"/accounts/login/?next={target}", form)
    assert (answer.status_code, answer["Location"]) == (302, "/devices/")


def test_3_3_4_scripts_and_other_sites_do_not_get_the_cookie_of_the_pages(alice):
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    # Browsers take the prefix only together with Secure, Path=/ and no Domain.
    cookie = browser.cookies["__Host-sessionid"]
    assert cookie["httponly"] and cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    page = browser.get("/devices/")
    assert cookie.value not in page.content.decode()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://testserver.evil"])
def test_3_4_2_no_other_site_may_read_the_api(alice, sign_in, origin):
    phone = sign_in(alice)
    for answer in (
        phone.get("/api/me", HTTP_ORIGIN=origin),
        phone.options("/api/me", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET"),
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


# Whole or not at all


def test_2_3_3_an_end_that_cannot_be_written_down_is_none(alice, sign_in, monkeypatch):
    phone, laptop = sign_in(alice), sign_in(alice)

    def fail(entries):
        raise RuntimeError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(activity, "record_all", fail)
        phone.raise_request_exception = False
        assert phone.delete(f"/api/sessions/{laptop.session_id}").status_code == 500
        assert phone.post("/api/logout").status_code == 500
    assert laptop.is_in() and phone.is_in()
    assert not Activity.objects.filter(kind="session.revoked").exists()


@pytest.mark.django_db(transaction=True)
def test_2_3_3_a_receiver_of_the_host_that_fails_undoes_nothing(alice, sign_in):
    def fail(**kwargs):
        raise RuntimeError("the mailer is down")

    signals.session_started.connect(fail)
    signals.session_revoked.connect(fail)
    try:
        phone = sign_in(alice)
        assert phone.post("/api/logout").status_code == 204
    finally:
        signals.session_started.disconnect(fail)
        signals.session_revoked.disconnect(fail)
    assert not phone.is_in()


# Keys, ids, clocks


def test_11_2_2_a_new_secret_key_signs_nobody_out_of_the_api(alice, sign_in, settings):
    phone = sign_in(alice)
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    assert phone.is_in()
    assert phone.rotate().is_in()


def test_A35_a_guessed_id_says_as_little_as_any_other(alice, mallory, sign_in):
    phone, foreign = sign_in(alice), sign_in(mallory)
    ids = [foreign.session_id, *(str(uuid.uuid4()) for _ in range(20)), str(uuid.UUID(int=0))]
    answers = {phone.get(f"/api/sessions/{pk}").content for pk in ids}
    assert answers == {b'{"detail":"Not found.","code":"not_found"}'}


def test_A39_a_clock_put_back_revives_no_ended_session(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(3)
    phone.post("/api/logout")
    clock.shift(-3)
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert refusal(phone.refresh()) == (401, "session_revoked")


@pytest.mark.parametrize(
    "day", [datetime(2028, 2, 29, 23, 59, 50, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, tzinfo=UTC)]
)
def test_R23_sessions_live_across_leap_days_and_the_end_of_32_bits(alice, sign_in, clock, day):
    clock.move_to(day)
    phone = sign_in(alice)
    clock.shift(20)
    assert phone.is_in()
    assert phone.rotate().is_in()
    clock.shift(366 * 24 * 3600)
    assert not phone.is_in()


# A fresh site


def test_6_3_2_a_new_site_has_no_accounts(db):
    assert not get_user_model().objects.exists()


def test_16_4_2_no_page_writes_the_log(alice, sign_in, make_user):
    sign_in(alice)
    line = Activity.objects.first()
    staff = Client()
    staff.force_login(make_user("root@example.org", is_staff=True, is_superuser=True))
    lines = list(Activity.objects.values())
    assert staff.get("/admin/devices/activity/").status_code == 200
    for path in ("add/", f"{line.pk}/change/", f"{line.pk}/delete/"):
        assert staff.post(f"/admin/devices/activity/{path}", {"post": "yes"}).status_code in (
            302,
            403,
        )
    chosen = {"action": "delete_selected", "_selected_action": [line.pk], "post": "yes"}
    staff.post("/admin/devices/activity/", chosen)
    assert list(Activity.objects.values()) == lines
