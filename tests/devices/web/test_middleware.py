"""What answers tell browsers: the device cookie where somebody signs in, the hints with every page."""

import pytest
from django.test import Client as Browser

from devices.core.clients.user_agents.hints import HINT_HEADERS
from tests.client import PASSWORD, Device

COOKIE = "__Host-device"
DAYS_400 = 400 * 24 * 3600


def log_in(device, email, path="/api/login", password=PASSWORD):
    return device.post(path, {"email": email, "password": password})


@pytest.mark.parametrize("path", ["/api/login", "/api/token"])
def test_signing_in_sets_a_cookie_that_scripts_other_sites_and_plain_http_do_not_see(alice, path):
    cookie = log_in(Device(), alice.email, path).cookies[COOKIE]
    assert cookie["httponly"] and cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert cookie["max-age"] == DAYS_400


def test_registering_sets_it_and_so_does_a_page(alice):
    new = {"email": "new@example.org", "password": PASSWORD}
    assert COOKIE in Device().post("/api/register", new).cookies
    form = {"login": alice.email, "password": PASSWORD}
    assert COOKIE in Browser().post("/accounts/login/", form).cookies


def test_a_site_without_tls_gives_it_under_a_plain_name(alice, settings):
    settings.SESSION_COOKIE_SECURE = False
    answer = log_in(Device(), alice.email)
    assert "device" in answer.cookies and not answer.cookies["device"]["secure"]
    over_tls = Device()
    over_tls.cookies["device"] = answer.cookies["device"].value
    again = over_tls.post(
        "/api/login", {"email": alice.email, "password": PASSWORD}, secure=True
    ).cookies[COOKIE]
    assert again["secure"]
    assert again.value != answer.cookies["device"].value


def test_each_browser_has_an_id_of_its_own_and_keeps_it(alice, clock):
    one, two = Device(), Device()
    given = log_in(one, alice.email).cookies[COOKIE].value
    assert given != log_in(two, alice.email).cookies[COOKIE].value
    clock.shift(300 * 24 * 3600)
    renewed = log_in(one, alice.email).cookies[COOKIE]
    assert (renewed.value, renewed["max-age"]) == (given, DAYS_400)


def test_the_cookie_outlives_a_change_of_the_secret_key(alice, settings):
    laptop = Device()
    given = log_in(laptop, alice.email).cookies[COOKIE].value.partition(":")[0]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key for the tests, of no use elsewhere"
    assert log_in(laptop, alice.email).cookies[COOKIE].value.partition(":")[0] == given


def test_nobody_else_is_given_one(alice, sign_in):
    laptop = sign_in(alice)
    laptop.cookies.clear()
    for answer in (laptop.get("/api/me"), laptop.get("/"), laptop.refresh()):
        assert answer.status_code == 200
        assert COOKIE not in answer.cookies


def test_an_app_with_an_id_needs_no_cookie(alice):
    phone = Device()
    phone.defaults["HTTP_X_DEVICE_ID"] = "f3b9c1d2"
    assert COOKIE not in log_in(phone, alice.email).cookies


def test_the_cookie_alone_opens_nothing(alice, sign_in):
    laptop = sign_in(alice)
    laptop.credentials()
    assert COOKIE in laptop.cookies
    assert laptop.get("/api/me").status_code == 401
    assert log_in(laptop, alice.email, password="wrong").status_code == 401


def test_pages_ask_for_the_hints_that_are_read_and_not_sent_unasked(client, db):
    asked = client.get("/accounts/login/")["Accept-CH"].lower().split(", ")
    assert asked == [
        "sec-ch-ua-platform-version",
        "sec-ch-ua-model",
        "sec-ch-ua-form-factors",
    ]
    assert set(asked) <= set(HINT_HEADERS)
    assert "Accept-CH" not in client.get("/api/schema")


@pytest.mark.parametrize("value", ["1", "0", ""])
def test_what_came_before_the_handshake_was_complete_changes_nothing(alice, value):
    """Others may have recorded it, and send it again (RFC 8470, 5.1)."""
    early = {"Early-Data": value}
    laptop = Device()
    tokens = log_in(laptop, alice.email).json()
    answer = laptop.post("/api/login", {"email": alice.email, "password": PASSWORD}, headers=early)
    assert (answer.status_code, answer.json()["code"]) == (425, "too_early")
    form = {"login": alice.email, "password": PASSWORD}
    assert Browser().post("/accounts/login/", form, headers=early).status_code == 425
    refresh = laptop.post("/api/token/refresh", {"refresh": tokens["refresh_token"]}, headers=early)
    assert refresh.status_code == 425
    [session] = alice.device_sessions.all()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for method, path in [
        ("delete", f"/api/sessions/{session.pk}"),
        ("patch", "/api/sessions/current"),
    ]:
        answer = getattr(laptop, method)(path, {"name": "x"}, headers=bearer | early)
        assert answer.status_code == 425
    assert laptop.get("/api/me", headers=bearer | early).status_code == 200
    assert laptop.options("/api/me", headers=bearer | early).status_code == 200


def test_too_early_a_guess_does_not_count(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 1}
    wrong = {"email": alice.email, "password": "wrong"}
    for _ in range(2):
        assert Device().post("/api/login", wrong, headers={"Early-Data": "1"}).status_code == 425
    assert log_in(Device(), alice.email).status_code == 200
