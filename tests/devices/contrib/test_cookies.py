"""The refresh token in a cookie: its attributes, who may send it, rotation, racing windows, signing out."""

import re
import uuid
from http.cookies import Morsel
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import include, path
from django.views.debug import SafeExceptionReporterFilter
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.contrib.cookies.authentication import CookieAuthentication
from devices.core.notifications.codes import code_of
from devices.models import DeviceSession, RevokeReason
from devices.shortcuts import end_session
from devices.testing import sign_in
from tests.client import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class View(APIView):
    authentication_classes = (CookieAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"user": request.user.email, "session": str(request.auth.pk)})

    post = get


urlpatterns = [
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path("", include("project.urls")),
    path("own", View.as_view()),
]

CREDENTIALS = {"email": "alice@example.org", "password": PASSWORD}
HERE = {"Sec-Fetch-Site": "same-origin", "Origin": "https://testserver"}
REFRESH, ACCESS = "__Host-refresh_token", "__Host-access_token"


class Browser(Client):
    """One that says where its requests come from, and asks by HTTPS."""

    def __init__(self, **kwargs):
        super().__init__(enforce_csrf_checks=True, **kwargs)

    def post(self, url, data=None, headers=HERE, **kwargs):
        kwargs = {"content_type": "application/json", "secure": True, **kwargs}
        return super().post(url, data or {}, headers=headers, **kwargs)

    def login(self, **more):
        return self.post("/api/cookie/login", CREDENTIALS | more)

    def refresh(self, held=None, **kwargs):
        if held is not None:
            self.cookies[REFRESH] = held
        return self.post("/api/cookie/refresh", **kwargs)

    @property
    def held(self):
        return self.cookies[REFRESH].value


@pytest.fixture
def browser(alice):
    browser = Browser()
    assert browser.login().status_code == 200
    return browser


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_the_refresh_token_is_in_its_cookie_alone(alice):
    browser = Browser()
    answer = browser.login()
    assert set(answer.json()) == {"access", "session_id", "expires_in"}
    cookie = browser.cookies[REFRESH]
    assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Strict"
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    session = DeviceSession.objects.get()
    lasts = (session.expires_at - session.created_at).total_seconds()
    assert abs(cookie["max-age"] - lasts) < 60
    assert cookie.value not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert cookie.value not in browser.refresh().content.decode()


def test_a_login_by_cookie_is_refused_as_any_other(alice, codes):
    browser = Browser()
    assert refusal(browser.login(password="wrong")) == (401, "no_active_account")
    codes.codes[alice.pk] = ["100000"]
    assert refusal(browser.login()) == (401, "otp_required")
    assert not browser.cookies.get(REFRESH)
    assert browser.login(otp="100000").status_code == 200
    # Its home and its device have tries of their own.
    for _attempt in range(21):
        refused = browser.login(password="wrong")
    assert refusal(refused) == (429, "throttled")


@pytest.fixture
def waiting(alice, settings):
    """A browser that nobody has signed in on before, and what its login waits with."""
    settings.DEVICES = {**settings.DEVICES, "DEVICE_CODE_METHODS": ("password",)}
    browser = Browser()
    refused = browser.login(remember=False)
    assert refusal(refused) == (401, "device_code_required") and REFRESH not in browser.cookies
    challenge = refused.json()["challenge"]
    return browser, {"challenge": challenge, "email_code": code_of(uuid.UUID(challenge))}


def test_a_login_on_a_new_device_goes_on_with_the_code(waiting):
    browser, given = waiting
    answer = browser.post("/api/cookie/login/code", given)
    assert answer.status_code == 200
    session = DeviceSession.objects.get()
    assert set(answer.json()) == {"access", "session_id", "expires_in"}
    assert answer.json()["session_id"] == str(session.pk)
    cookie = browser.cookies[REFRESH]
    assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Strict"
    assert abs(cookie["max-age"] - 12 * 3600) < 60
    assert cookie.value not in answer.content.decode() and "no-store" in answer["Cache-Control"]
    assert browser.refresh().status_code == 200
    assert browser.login().status_code == 200


def test_a_code_by_cookie_is_refused_as_any_other(waiting):
    browser, given = waiting
    code = "/api/cookie/login/code"
    wrong = given | {"email_code": "no"}
    assert refusal(browser.post(code, wrong)) == (401, "device_code_invalid")
    assert browser.post(code, {}).status_code == 400
    # Of another browser, and of a page of another site.
    assert refusal(Browser().post(code, given)) == (401, "device_code_invalid")
    elsewhere = browser.post(code, given, headers=FOREIGN["another site"])
    assert refusal(elsewhere) == (403, "csrf_failed")
    assert REFRESH not in browser.cookies and not DeviceSession.objects.exists()
    assert browser.post(code, given).status_code == 200
    assert refusal(browser.post(code, given)) == (401, "device_code_invalid")


FOREIGN = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another site that lies about its origin": {
        "Sec-Fetch-Site": "cross-site",
        "Origin": "https://testserver",
    },
    "a sandboxed frame": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "another subdomain": {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.testserver"},
    "an old browser elsewhere": {"Origin": "https://evil.example"},
    "plain HTTP": {"Origin": "http://testserver"},
    "an address bar": {"Sec-Fetch-Site": "none"},
    "no browser": {},
    "a site of the same beginning": {"Origin": "https://testserver.evil.example"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("what", ["login", "login/code", "refresh", "logout"])
def test_requests_from_elsewhere_are_refused(what, headers, browser):
    before = browser.held
    refused = browser.post(f"/api/cookie/{what}", CREDENTIALS, headers=headers)
    assert refusal(refused) == (403, "csrf_failed")
    assert browser.held == before and not refused.cookies.get(REFRESH)
    assert browser.refresh().status_code == 200


OURS = {
    "the page itself": HERE,
    "a page that tells nobody where it is": {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    "an old browser": {"Origin": "https://testserver"},
    "a trusted subdomain": {"Sec-Fetch-Site": "same-site", "Origin": "https://app.testserver"},
}


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
def test_requests_from_here_are_taken(headers, browser, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.testserver"]
    assert browser.refresh(headers=headers).status_code == 200
    assert browser.post("/api/cookie/logout", headers=headers).status_code == 204


def test_the_token_moves_on_and_a_lost_answer_harms_nobody(clock, browser):
    first = browser.held
    clock.shift(60)
    assert browser.refresh().status_code == 200
    second = browser.held
    assert second != first
    # The answer was lost, so the browser has the old one yet.
    assert browser.refresh(first).status_code == 200
    assert browser.held == second


def test_a_refresh_names_the_session_so_that_a_tab_notices_another_one(clock, alice, mallory):
    browser = Browser()
    mine = browser.login().json()["session_id"]
    clock.shift(60)
    body = browser.refresh().json()
    assert set(body) == {"access", "session_id", "expires_in"}
    assert body["session_id"] == browser.refresh().json()["session_id"] == mine
    # Another tab signs in as somebody else.
    theirs = browser.login(email=mallory.email).json()["session_id"]
    assert browser.refresh().json()["session_id"] == theirs != mine


def test_many_windows_that_start_at_once_sign_nobody_out(clock, browser):
    """The slowest comes when two others, one after the other, have refreshed: a replay, by its look."""
    clock.shift(60)
    slow = browser.held
    for _window in range(3):
        assert browser.refresh().status_code == 200
        clock.shift(2)
    assert browser.refresh(slow).status_code == 200
    clock.shift(60)
    assert browser.refresh().status_code == 200


def test_a_late_answer_does_not_put_an_old_token_back(clock, browser):
    clock.shift(60)
    browser.refresh()
    unmoved = browser.refresh()
    assert unmoved.status_code == 200 and REFRESH not in unmoved.cookies


def test_a_copy_that_comes_later_ends_the_session(clock, browser):
    copy = browser.held
    clock.shift(60)
    browser.refresh()
    access = browser.refresh().json()["access"]
    browser.get("/api/me", headers={"Authorization": f"Bearer {access}"}, secure=True)
    clock.shift(60)
    assert refusal(Browser().refresh(copy)) == (401, "refresh_reused")
    assert refusal(browser.refresh()) == (401, "session_revoked")


def test_without_a_cookie_nobody_is_signed_in(alice):
    assert refusal(Browser().refresh()) == (401, "session_required")
    assert refusal(Browser().refresh("none")) == (401, "token_not_valid")
    # Python's jar, from 3.15 on, holds no control characters; others send them.
    forged = Browser(HTTP_COOKIE=REFRESH + '="' + r"\374\000" * 5000 + '"')
    assert refusal(forged.refresh()) == (401, "token_not_valid")


def test_a_refusal_leaves_the_cookie_that_another_window_may_have_set(browser):
    end_session(DeviceSession.objects.get())
    refused = browser.refresh()
    assert refusal(refused) == (401, "session_revoked")
    assert not refused.cookies


def test_signing_out_ends_the_session_and_clears_the_cookies(browser):
    held = browser.held
    left = browser.post("/api/cookie/logout")
    assert left.status_code == 204
    cleared = left.cookies[REFRESH]
    assert (cleared.value, cleared["max-age"], cleared["path"]) == ("", 0, "/")
    assert cleared["secure"] and left.cookies[ACCESS]["secure"]
    assert DeviceSession.objects.get().revoke_reason == "logout"
    assert refusal(Browser().refresh(held)) == (401, "session_revoked")
    assert browser.post("/api/cookie/logout").status_code == 204


def test_by_the_middleware_of_the_recipe_a_frame_keeps_the_cookies(alice, monkeypatch):
    monkeypatch.setattr(Morsel, "_reserved", dict(Morsel._reserved))
    monkeypatch.setattr(Morsel, "_flags", set(Morsel._flags))
    page = Path(settings.BASE_DIR, "docs/recipes/cookies.md").read_text()
    [code] = re.findall(r"```python\n# shop/frames.py\n(.*?)```", page, re.DOTALL)
    frames = {}
    exec(code, frames)
    browser = Browser()
    for answer in (browser.login(), browser.post("/api/cookie/logout")):
        framed = frames["partitioned"](lambda request, answer=answer: answer)(None)
        for name in {REFRESH, "__Host-device"} & answer.cookies.keys():
            attributes = framed.cookies[name].OutputString().split("; ")
            assert {"SameSite=None", "Partitioned", "Secure"} <= set(attributes)
    assert REFRESH in answer.cookies


def test_on_plain_http_the_cookie_has_a_name_that_browsers_take(alice, settings):
    settings.SESSION_COOKIE_SECURE = False
    settings.SECURE_SSL_REDIRECT = False
    browser = Browser()
    here = {"Origin": "http://testserver"}
    answer = browser.post("/api/cookie/login", CREDENTIALS, headers=here, secure=False)
    assert answer.status_code == 200 and not browser.cookies["refresh_token"]["secure"]
    assert browser.post("/api/cookie/refresh", headers=here, secure=False).status_code == 200


# The access token in a cookie, too


@pytest.fixture
def with_access(settings):
    settings.DEVICES = {**settings.DEVICES, "ACCESS_COOKIE": True}


def test_the_access_token_may_be_in_a_cookie_too(with_access, alice):
    browser = Browser()
    body = browser.login().json()
    assert set(body) == {"csrf_token", "session_id", "expires_in"}
    cookie = browser.cookies[ACCESS]
    assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Strict"
    own = browser.get("/own", secure=True)
    assert own.json()["session"] == body["session_id"]
    assert {"Authorization", "Cookie"} <= set(own["Vary"].split(", ")), "caches go by it"
    assert refusal(browser.post("/own")) == (403, "csrf_failed")
    with_token = {**HERE, "X-CSRFToken": body["csrf_token"]}
    assert browser.post("/own", headers=with_token).status_code == 200
    from_elsewhere = with_token | {"Origin": "https://evil.example"}
    assert refusal(browser.post("/own", headers=from_elsewhere)) == (403, "csrf_failed")
    again = browser.refresh().json()
    assert set(again) == set(body) and again["session_id"] == body["session_id"]
    with_token = {**HERE, "X-CSRFToken": again["csrf_token"]}
    assert browser.post("/own", headers=with_token).status_code == 200
    end_session(DeviceSession.objects.get())
    assert refusal(browser.get("/own", secure=True)) == (401, "session_revoked")


OWN_CLAIMS = {}


def claims_of(session):
    return OWN_CLAIMS


def test_the_password_of_a_proxy_in_front_is_no_token(with_access, alice):
    browser = Browser()
    password = {"Authorization": "Basic c3RhZ2luZzpvcGVu"}
    assert browser.login().status_code == 200
    assert browser.get("/own", headers=password, secure=True).status_code == 200
    other = {"Authorization": "Bearer a-token-of-the-proxy"}
    assert browser.get("/own", headers=other, secure=True).status_code == 401


def test_claims_fit_into_a_cookie_that_browsers_keep(with_access, alice, settings, monkeypatch):
    """They drop one whose name and value have more than 4096 bytes (RFC 6265bis, 5.6), and nobody is told."""
    settings.DEVICES = {**settings.DEVICES, "CLAIMS": f"{__name__}.claims_of"}
    monkeypatch.setitem(OWN_CLAIMS, "many", "x" * 2030)
    browser = Browser()
    assert browser.login().status_code == 200
    # A signature with an RSA key of 4096 bits is longer than this one by 640 characters.
    assert len(ACCESS) + len(browser.cookies[ACCESS].value) + 640 <= 4096
    DeviceSession.objects.all().delete()
    monkeypatch.setitem(OWN_CLAIMS, "many", "x" * 2048)
    with pytest.raises(ImproperlyConfigured, match="2048 characters"):
        Browser().login()
    assert not DeviceSession.objects.active().exists()


def test_a_login_ends_the_session_of_whose_browser_it_was(alice, mallory):
    browser = Browser()
    browser.login()
    assert browser.login(email=mallory.email).status_code == 200
    assert DeviceSession.objects.get(user=alice).revoke_reason == RevokeReason.LOGOUT
    assert browser.post("/api/cookie/refresh").status_code == 200
    # One that is refused ends nothing.
    assert browser.login(password="wrong").status_code == 401
    assert browser.post("/api/cookie/refresh").status_code == 200


def test_the_csrf_token_of_a_tab_is_refused_after_a_login_in_another_one(
    with_access, alice, mallory
):
    browser = Browser()
    before = browser.login().json()
    browser.login(email=mallory.email)
    stale = {**HERE, "X-CSRFToken": before["csrf_token"]}
    assert refusal(browser.post("/own", headers=stale)) == (403, "csrf_failed")
    assert browser.refresh().json()["session_id"] != before["session_id"]


def test_a_code_for_a_new_device_gives_it_too(with_access, waiting):
    browser, given = waiting
    body = browser.post("/api/cookie/login/code", given).json()
    assert set(body) == {"csrf_token", "session_id", "expires_in"}
    assert browser.get("/own", secure=True).json()["session"] == body["session_id"]
    with_token = {**HERE, "X-CSRFToken": body["csrf_token"]}
    assert browser.post("/own", headers=with_token).status_code == 200


def test_djangos_cookie_opens_the_api_with_a_csrf_token(alice, settings):
    browser = Browser()
    session = sign_in(browser, alice, cookie=True)
    assert browser.get("/own", secure=True).json()["session"] == str(session.pk)
    assert refusal(browser.post("/own")) == (403, "csrf_failed")
    browser.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    sent = browser.post("/own", headers={**HERE, "X-CSRFToken": "a" * 32})
    assert sent.status_code == 200
    end_session(session)
    assert browser.get("/own", secure=True).status_code == 401


def test_a_bearer_token_needs_no_csrf_token(alice):
    browser = Browser()
    sign_in(browser, alice)
    assert browser.post("/own").status_code == 200
    assert Browser().post("/own").status_code == 401


def test_no_token_is_in_the_error_reports_that_staff_get_by_e_mail(alice, rf, settings):
    settings.DEVICES = settings.DEVICES | {"ACCESS_COOKIE": True}
    browser = Browser()
    browser.login()
    request = rf.get("/")
    held = {name: each.value for name, each in browser.cookies.items()}
    request.COOKIES |= {name: value for name, value in held.items() if value.startswith("eyJ")}
    assert len(request.COOKIES) == 2
    shown = SafeExceptionReporterFilter().get_safe_cookies(request)
    assert not set(shown.values()) & set(held.values())
