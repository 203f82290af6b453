"""The public functions, as views of a host project call them: what the guide does not already play."""

from datetime import timedelta

import pytest
from django.contrib.auth import login
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler
from rest_framework_simplejwt import settings as jwt

from devices import exceptions, shortcuts
from devices.api.errors import SessionDenied
from devices.core import sessions
from devices.core.sessions import revocation
from devices.models import DeviceSession
from devices.shortcuts import authenticate, error_response, issue_tokens, start_session
from devices.testing import sign_in
from tests.client import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

# What the views below do next, and for whom.
act = {}


class View(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        return Response({"access": start_session(request, act["user"]).access})


class Stock(View):
    """In a project that has DRF's own exception handler."""

    def get_exception_handler(self):
        return exception_handler


def plain(request):
    return JsonResponse({"access": start_session(request, act["user"]).access})


def page(request):
    login(request, act["user"], backend="devices.backends.LimitedModelBackend")
    return HttpResponse("in")


@csrf_exempt
def who(request):
    return HttpResponse(authenticate(request).user.email)


urlpatterns = [
    path("drf", View.as_view()),
    path("stock", Stock.as_view()),
    path("plain", plain),
    path("page", page),
    path("who", who),
]

VIEWS = ("/drf", "/stock", "/plain")


@pytest.mark.parametrize("view", VIEWS)
def test_a_login_of_ones_own_is_refused_with_a_code_and_never_a_500(view, alice, codes):
    refusals = {}
    act["user"] = None
    refusals["nobody"] = Client().post(view)
    act["user"] = alice
    codes.codes[alice.pk] = ["100000"]
    refusals["factor"] = Client().post(view)
    codes.codes.clear()
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    refusals["inactive"] = Client().post(view)
    told = {why: (each.status_code, each.json()["code"]) for why, each in refusals.items()}
    assert told == {
        "nobody": (401, "no_active_account"),
        "factor": (401, "otp_required"),
        "inactive": (401, "no_active_account"),
    }
    assert not DeviceSession.objects.exists()


@pytest.mark.parametrize("view", VIEWS)
def test_no_cache_keeps_tokens(view, alice):
    act["user"] = alice
    answer = Client().post(view)
    assert answer.status_code == 200 and answer["Cache-Control"] == "no-store"


def test_the_rule_of_simplejwt_is_asked(alice, settings):
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "USER_AUTHENTICATION_RULE": f"{__name__}.nobody"}
    with pytest.raises(exceptions.AccountNotActive):
        start_session(RequestFactory().post("/"), alice)


def nobody(user):
    return False


# Authentication


def test_caches_are_told_that_an_answer_depends_on_the_token(alice):
    client = Client()
    sign_in(client, alice)
    assert "Authorization" in client.get("/who")["Vary"].split(", ")


def test_a_cookie_needs_a_csrf_token_also_in_views_that_are_exempt(alice):
    act["user"] = alice
    browser = Client(enforce_csrf_checks=True)
    browser.get("/page")
    assert browser.get("/who").content == b"alice@example.org"
    refused = browser.post("/who")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")


def test_a_token_is_never_mixed_with_somebody_elses_cookie(alice, mallory):
    request = RequestFactory().get("/who")
    request.user, request.device_session = mallory, start_session(None, alice).session
    with pytest.raises(exceptions.SessionRequired):
        authenticate(request)


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "bearer \xff", "Bearer none"])
def test_a_malformed_header_is_refused(header):
    request = RequestFactory().get("/", headers={"Authorization": header})
    with pytest.raises(exceptions.TokenNotValid):
        authenticate(request)


def test_another_scheme_is_none_of_ours(alice):
    with pytest.raises(exceptions.SessionRequired):
        authenticate(RequestFactory().get("/", headers={"Authorization": "Basic YTpi"}))


@pytest.mark.parametrize("error", [exceptions.KeysUnavailable, exceptions.SessionUnverified])
def test_what_is_not_available_says_when_to_ask_again(error):
    answer = error_response(error())
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_so_it_does_to_rest_framework():
    denied = SessionDenied(exceptions.SessionUnverified())
    assert (denied.status_code, denied.headers) == (503, {"Retry-After": "5"})


def test_an_error_has_the_headers_of_its_rfc():
    throttled = error_response(exceptions.TooManyAttempts(7))
    assert (throttled.status_code, throttled["Retry-After"]) == (429, "7")
    stale = error_response(exceptions.ConfirmationRequired(timedelta(minutes=5)))
    assert stale["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", max_age="300"'
    )
    assert error_response(exceptions.TokenNotValid())["WWW-Authenticate"] == 'Bearer realm="api"'
    assert error_response(exceptions.CsrfFailed()).status_code == 403


# Claims


@pytest.fixture
def claims(settings):
    """claims(function of a session): DEVICES["CLAIMS"]."""

    def use(function):
        act["claims"] = function
        settings.DEVICES = {**settings.DEVICES, "CLAIMS": f"{__name__}.claims_of"}

    return use


def claims_of(session):
    return act["claims"](session)


def test_claims_survive_a_refresh_and_are_new_each_time(alice, claims):
    claims(lambda session: {"staff": session.user.is_staff, "roles": ["a", {"b": None}]})
    tokens = start_session(None, alice)
    assert shortcuts.get_claims(tokens.access)["staff"] is False
    type(alice).objects.filter(pk=alice.pk).update(is_staff=True)
    again = shortcuts.refresh_session(None, tokens.refresh)
    found = shortcuts.get_claims(again.access)
    assert (found["staff"], found["roles"]) == (True, ["a", {"b": None}])
    assert authenticate(again.access).pk == tokens.session.pk


@pytest.mark.parametrize(
    "own",
    [
        *({name: "x"} for name in ("exp", "iss", "sub", "aud", "iat", "nbf", "jti", "act")),
        *({name: "x"} for name in ("user_id", "session_id", "generation", "token_type")),
        {"hash_password": "x"},
        {"many": "x" * 4096},
        {"endless": float("nan")},
        {"thing": {1}},
        "text",
        None,
    ],
    ids=repr,
)
def test_claims_that_cannot_be_issued_are_refused_and_leave_no_session(own, alice, claims):
    claims(lambda session: own)
    with pytest.raises(ImproperlyConfigured, match="CLAIMS"):
        start_session(None, alice)
    assert not DeviceSession.objects.active().exists()


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_told_as_what_it_is(alice, claims, monkeypatch, error):
    """And not by the error of ending the session."""

    def fail(*args):
        raise error("The connection is closed.")

    claims(lambda session: {"exp": 1})
    monkeypatch.setattr(revocation, "logout", fail)
    with pytest.raises(ImproperlyConfigured):
        start_session(None, alice)


def test_tokens_that_are_not_handed_out_leave_no_session(alice, settings, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("A worker of Citus is away.")

    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "UPDATE_LAST_LOGIN": True}
    monkeypatch.setattr(type(alice), "save", fail)
    with pytest.raises(OperationalError):
        start_session(None, alice)
    assert not DeviceSession.objects.active().exists()


def test_the_hook_of_simplejwt_is_told_of_a_login(alice, settings, monkeypatch, rf):
    # Releases after 5.5.1 have it. Its default writes `last_login`.
    told = []
    hook = {"ON_LOGIN_SUCCESS": lambda user, request: told.append((user, request))}
    monkeypatch.setitem(jwt.DEFAULTS, "ON_LOGIN_SUCCESS", None)
    request = rf.post("/")
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, **hook}
    start_session(request, alice)
    assert told == []
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "UPDATE_LAST_LOGIN": True}
    start_session(request, alice)
    start_session(shortcuts.Client(), alice)
    assert told == [(alice, request), (alice, None)]
    alice.refresh_from_db()
    assert alice.last_login is None


def test_a_refresh_whose_claims_fail_can_be_asked_again(alice, claims):
    tokens = start_session(None, alice)
    claims(lambda session: {"exp": 1})
    with pytest.raises(ImproperlyConfigured):
        shortcuts.refresh_session(None, tokens.refresh)
    claims(lambda session: {"tier": 1})
    again = shortcuts.refresh_session(None, tokens.refresh)
    assert shortcuts.get_claims(again.access)["tier"] == 1


def test_claims_of_a_token_of_others_are_not_told(alice):
    with pytest.raises(exceptions.TokenNotValid):
        shortcuts.get_claims(issue_tokens(start_session(None, alice).session).refresh)
    with pytest.raises(exceptions.TokenNotValid):
        shortcuts.get_claims(RequestFactory().get("/"))


# The rest


def test_who_acts_on_somebodys_behalf_changes_no_password(alice, mallory, rf):
    by = start_session(None, mallory).session
    request = rf.post("/")
    request.user = alice
    request.device_session = sessions.start_impersonated(alice, shortcuts.Client(), by=by)
    with pytest.raises(exceptions.Impersonated):
        shortcuts.change_password(request, "another horse battery 9")
    assert alice.check_password(PASSWORD)


def test_what_asks_for_a_session_says_so(rf, alice):
    request = rf.get("/")
    request.user = alice
    for ask in (
        lambda: shortcuts.change_password(request, "x"),
        lambda: shortcuts.confirm_session(request, method="x"),
        lambda: shortcuts.missing_proof(request),
        lambda: shortcuts.require_confirmation(request),
    ):
        with pytest.raises(exceptions.SessionRequired):
            ask()
    assert shortcuts.record_activity(request, "a.b") is False


def test_guesses_at_a_password_are_counted(rf, alice):
    request = rf.post("/")
    for _attempt in range(10):
        assert not shortcuts.check_password(request, alice, "wrong")
    with pytest.raises(exceptions.TooManyAttempts):
        shortcuts.check_password(request, alice, PASSWORD)


def test_codes_are_used_up(rf, alice, codes):
    codes.codes[alice.pk] = ["100000"]
    request = rf.post("/")
    assert shortcuts.verify_second_factor(request, alice, "100000") == "codes"
    with pytest.raises(exceptions.OtpInvalid):
        shortcuts.verify_second_factor(request, alice, "100000")


@override_settings(DEVICES={"SESSION_MAX_AGE": 90})
def test_a_session_is_ended_once(client, alice):
    session = sign_in(client, alice)
    assert shortcuts.end_session(session, note="lost")
    assert not shortcuts.end_session(session)
    session.refresh_from_db()
    assert (session.revoke_reason, session.revoked_by_id) == ("logout", alice.pk)
