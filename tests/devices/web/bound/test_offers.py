"""Which logins browsers are asked to bind to a key (DBSC), and what they are told then."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import authenticate, login
from django.http import HttpResponseRedirect
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework.parsers import MultiPartParser
from rest_framework.views import APIView

from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import PASSWORD
from tests.dbsc import BoundBrowser, bound_cookie, public

AGE = timedelta(minutes=10)
REGISTRATION = "Secure-Session-Registration"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_login_is_bound_to_the_key_of_the_browser(alice, algorithm):
    browser = BoundBrowser(algorithm=algorithm)
    answer = browser.register(browser.sign_in(alice.email))
    assert answer.status_code == 200
    assert answer["Cache-Control"].count("no-store") == 1
    session = DeviceSession.objects.get()
    assert (session.binding, session.binding_jwk) == ("dbsc", public(browser.key, algorithm))
    told = answer.json()
    assert told["refresh_url"] == f"/devices/{session.pk}/prove/"
    [credential] = told["credentials"]
    morsel = bound_cookie(answer)
    # Chromium compares these five, and takes a cookie that differs for another one.
    spelled = "Path={path}; Secure; HttpOnly; SameSite={samesite}".format(**morsel)
    assert credential == {"type": "cookie", "name": browser.bound, "attributes": spelled}
    assert (morsel["secure"], morsel["httponly"], morsel["domain"]) == (True, True, "")
    assert morsel["max-age"] == AGE.total_seconds()
    assert browser.is_in()


class LoginView(APIView):
    """A host's own, which gives Django's `login` the request that it has."""

    authentication_classes = permission_classes = ()
    parser_classes = (MultiPartParser,)

    def post(self, request):
        login(request, authenticate(request, username=request.data["login"], password=PASSWORD))
        return HttpResponseRedirect("/")


urlpatterns = [path("login", LoginView.as_view()), path("", include("project.urls"))]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    "engine", ["devices.web.session_engines.db", "django.contrib.sessions.backends.db"]
)
def test_a_login_with_the_request_of_rest_framework_is_one_too(alice, mallory, settings, engine):
    settings.SESSION_ENGINE = engine
    browser = BoundBrowser()
    browser.sign_in(mallory.email)
    answer = browser.register(browser.sign_in(alice.email, "/login"))
    assert answer.status_code == 200
    assert browser.is_in()
    ended = DeviceSession.objects.get(user=mallory)
    assert ended.revoke_reason == RevokeReason.LOGOUT


@pytest.mark.parametrize("same_site", ["Lax", "Strict", "None", False])
def test_the_bound_cookie_goes_wherever_the_session_cookie_goes(alice, settings, same_site):
    settings.SESSION_COOKIE_SAMESITE = same_site
    browser = BoundBrowser()
    answer = browser.register(browser.sign_in(alice.email))
    [credential] = answer.json()["credentials"]
    assert bound_cookie(answer)["samesite"] == (same_site or "")
    assert ("SameSite" in credential["attributes"]) == bool(same_site)


@pytest.mark.parametrize(
    "static_url", ["/static/", "https://cdn.example.org/static/", "static/", "/"]
)
def test_only_our_own_static_files_do_not_wait_for_the_proof(alice, settings, static_url):
    settings.STATIC_URL = static_url
    browser = BoundBrowser()
    scope = browser.register(browser.sign_in(alice.email)).json()["scope"]
    excluded = [rule["path"] for rule in scope["scope_specification"]]
    assert excluded == (["/static/"] if static_url in ("/static/", "static/") else [])
    assert scope["include_site"] is False


def test_each_session_has_a_cookie_and_a_name_of_its_own_which_no_cookie_tells(alice, mallory):
    """Of two sessions with the same cookie Chromium renews one alone."""
    browser = BoundBrowser().bind(alice.email)
    first = browser.identifier, browser.bound
    del browser.cookies["__Host-sessionid"]
    browser.bind(mallory.email)
    second = browser.identifier, browser.bound
    assert len({*first, *second}) == 4
    browser.renew()
    browser.lose_cookie()
    assert not browser.is_in()
    browser.renew()
    assert browser.is_in()
    assert not any(browser.identifier in morsel.value for morsel in browser.cookies.values())


def test_a_browser_without_it_is_never_asked_for_a_proof(alice):
    browser = BoundBrowser()
    assert REGISTRATION in browser.sign_in(alice.email)
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        assert browser.is_in()
    assert DeviceSession.objects.get().binding == "none"
    assert REGISTRATION not in browser.get("/devices/")


def test_it_is_offered_with_a_login_alone(alice, settings):
    browser = BoundBrowser()
    wrong = {"login": alice.email, "password": "wrong"}
    assert REGISTRATION not in browser.get("/accounts/login/")
    assert REGISTRATION not in browser.post(
        "/accounts/login/", wrong, headers={"Referer": "https://testserver/"}
    )
    # An app has no cookie.
    tokens = browser.post(
        "/api/login", {"email": alice.email, "password": PASSWORD}, "application/json"
    )
    assert tokens.status_code == 200
    assert REGISTRATION not in tokens


def test_it_is_not_offered_where_it_is_off_or_without_https(alice, settings):
    settings.SESSION_COOKIE_SECURE = False
    form = {"login": alice.email, "password": PASSWORD}
    assert REGISTRATION not in Client().post("/accounts/login/", form)
    settings.SESSION_COOKIE_SECURE = True
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    assert REGISTRATION not in BoundBrowser().sign_in(alice.email)


def test_switched_off_it_lets_bound_sessions_go_on_unbound_and_tells_the_browsers(
    browser, settings
):
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    browser.lose_cookie()
    assert browser.is_in()
    assert browser.renew().json()["continue"] is False


def test_switched_on_again_it_asks_no_browser_for_the_key_that_it_was_told_to_forget(
    alice, browser, settings
):
    other = BoundBrowser("198.51.100.9").bind(alice.email)
    other.renew()
    before, settings.DEVICES = settings.DEVICES, {**settings.DEVICES, "DBSC": False}
    assert browser.renew().json()["continue"] is False
    settings.DEVICES = before
    browser.lose_cookie()
    assert browser.is_in()
    session = DeviceSession.objects.get(pk=browser.session_id)
    assert (session.binding, session.binding_key, session.binding_jwk) == ("none", "", None)
    [lost] = Activity.objects.filter(kind__startswith="binding.")
    assert (lost.session_id, lost.kind, lost.data["reason"]) == (
        session.pk,
        "binding.lost",
        "switched_off",
    )
    # One that was not told, still has it.
    other.lose_cookie()
    assert not other.is_in()
    assert other.renew().status_code == 200
    assert other.is_in()
