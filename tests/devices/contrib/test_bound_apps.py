"""Single-page apps whose refresh cookie is bound to a key of the browser (DBSC); what a thief of it gets."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.contrib.cookies.authentication import CookieAuthentication
from devices.contrib.cookies.views import CookieLoginView
from devices.core import sessions
from devices.core.binding import dbsc
from devices.core.tokens import read_refresh
from devices.models import Activity, DeviceSession, Notification, NotificationKind, RevokeReason
from tests.client import PASSWORD
from tests.dbsc import BoundApp, BoundBrowser, bound_cookie, new_key, proof, public, stolen
from tests.dpop import Key


class View(APIView):
    authentication_classes = (CookieAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"session": str(request.auth.pk)})


pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path(
        "v2/",
        include(
            (
                [
                    path("", include("devices.contrib.cookies.urls")),
                    path("", include("devices.contrib.cookies.urls.login")),
                ],
                "v2",
            )
        ),
    ),
    path("own/login", CookieLoginView.as_view()),
    path("own", View.as_view()),
    path("", include("project.urls")),
]

REGISTRATION = "Secure-Session-Registration"
REFRESH, ACCESS = "__Host-refresh_token", "__Host-access_token"
AGE = timedelta(minutes=10)
LATER = timedelta(minutes=15)


@pytest.fixture
def app(alice):
    app = BoundApp().bind(alice.email)
    assert app.renew().status_code == 200
    return app


@pytest.fixture
def with_access(settings):
    """Access tokens in a cookie, too, and far longer than usual."""
    settings.DEVICES = {**settings.DEVICES, "ACCESS_COOKIE": True}
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def failures():
    return list(Activity.objects.filter(kind="binding.failed").values_list("data", flat=True))


# What is bound, and asked for


def test_a_login_of_an_app_is_bound_beside_its_own_paths(alice):
    app = BoundApp()
    answer = app.register(app.sign_in(alice.email))
    session = DeviceSession.objects.get()
    assert (session.binding, session.binding_jwk) == ("dbsc", public(app.key))
    told = answer.json()
    assert told["refresh_url"] == f"/api/cookie/{session.pk}/prove"
    assert told["scope"]["include_site"] is False
    assert app.renew().status_code == 200
    mine = app.get(
        "/api/sessions", headers={"Authorization": f"Bearer {app.refresh().json()['access']}"}
    )
    assert [each["binding"] for each in mine.json()] == ["dbsc"]


@pytest.mark.parametrize(
    "login, beside", [("/v2/cookie/login", "/v2/cookie/"), ("/own/login", "/api/cookie/")]
)
def test_a_login_that_is_served_elsewhere_is_bound_beside_it_or_where_the_paths_are(
    alice, login, beside
):
    app = BoundApp()
    offered = app.sign_in(alice.email, login)
    assert f'path="{beside}bind"' in offered[REGISTRATION]
    assert app.register(offered).status_code == 200
    assert app.refresh_url == f"{beside}{DeviceSession.objects.get().pk}/prove"
    assert app.renew().status_code == 200


def test_nothing_is_offered_where_it_is_off_or_bound_by_a_proof_of_the_app(alice, settings):
    assert REGISTRATION in BoundApp().sign_in(alice.email)
    key = Key()
    url = "https://testserver/api/cookie/login"
    answer = BoundApp().send(
        "/api/cookie/login",
        {"email": alice.email, "password": PASSWORD},
        DPoP=key.proof("POST", url),
    )
    assert answer.status_code == 200, answer.content
    assert REGISTRATION not in answer
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    assert REGISTRATION not in BoundApp().sign_in(alice.email)


def test_without_its_cookie_a_bound_app_is_refused_and_comes_back_by_a_proof(app):
    held = app.cookies[REFRESH].value
    app.lose_cookie()
    answer = app.refresh()
    assert refusal(answer) == (401, "binding_required")
    assert REFRESH not in answer.cookies
    assert DeviceSession.objects.get().status == "active"
    assert failures() == [{"binding": "dbsc", "reason": "missing"}]
    assert app.renew().status_code == 200
    assert app.refresh().status_code == 200
    assert app.cookies[REFRESH].value == held


def test_a_browser_without_it_refreshes_as_before(alice):
    app = BoundApp()
    app.sign_in(alice.email)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert app.is_in()
    assert DeviceSession.objects.get().binding == "none"


def test_requests_under_way_when_it_was_bound_or_when_its_cookie_expired_are_not_refused(alice):
    app = BoundApp().bind(alice.email)
    app.lose_cookie()
    assert app.is_in()
    assert app.renew().status_code == 200
    now = timezone.now()
    with time_machine.travel(now + AGE + timedelta(seconds=30)):
        assert app.is_in()
    with time_machine.travel(now + AGE * 1.1 + timedelta(seconds=3)):
        assert not app.is_in()


def test_renewals_between_two_refreshes_do_not_look_like_a_replay(clock, app):
    """Each has a counter of its own: a session may be renewed three times while an access token lives."""
    for _round in range(3):
        clock.shift(60)
        for _renewal in range(3):
            assert app.renew().status_code == 200
        assert app.refresh().status_code == 200
    session = DeviceSession.objects.get()
    assert (session.generation, session.binding_proofs, session.revoked_at) == (3, 10, None)
    # Nor does a refresh use a challenge up.
    challenge = app.challenge()
    clock.shift(30)
    assert app.refresh().status_code == 200
    assert app.ask(app.sign(challenge)).status_code == 200


def test_the_refresh_token_of_a_bound_session_opens_no_other_endpoint(app, alice):
    held = app.cookies[REFRESH].value
    refused = app.send("/api/token/refresh", {"refresh": held})
    assert refusal(refused) == (401, "binding_required")
    assert failures() == [{"binding": "dbsc", "reason": "missing"}]
    # Nor does a used-up copy end the session of its owner.
    session = DeviceSession.objects.get()
    DeviceSession.objects.update(generation=5, generation_used=5)
    assert refusal(app.send("/api/token/refresh", {"refresh": held})) == (401, "binding_required")
    assert DeviceSession.objects.get().revoked_at == session.revoked_at is None


def test_switched_off_it_lets_bound_apps_go_on(app, settings):
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    app.lose_cookie()
    assert app.is_in()
    held = app.cookies[REFRESH].value
    assert app.send("/api/token/refresh", {"refresh": held}).status_code == 200


def test_no_mail_tells_of_a_browser_that_says_why_it_has_no_proof(app):
    app.lose_cookie()
    said = f'server_error;session_identifier="{app.identifier}"'
    answer = app.send("/api/cookie/refresh", **{"Secure-Session-Skipped": said})
    assert refusal(answer) == (401, "binding_required")
    assert (failures(), Notification.objects.count()) == ([], 0)


# Its end


def test_signing_out_needs_no_proof_and_takes_the_cookie_so_that_the_browser_asks(app):
    answer = app.send("/api/cookie/logout")
    assert answer.status_code == 204
    assert bound_cookie(answer)["max-age"] == 0
    assert app.ask().json()["continue"] is False
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.LOGOUT


def test_one_that_has_lost_its_cookie_can_be_signed_out(app):
    app.lose_cookie()
    assert app.send("/api/cookie/logout").status_code == 204
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.LOGOUT


def test_one_revoked_elsewhere_takes_its_cookie_and_no_other(app, mallory):
    """The pages of the same browser have a session, a cookie and a key of their own."""
    pages = BoundBrowser().bind(mallory.email)
    pages.renew()
    app.cookies[pages.bound] = pages.cookies[pages.bound].value
    sessions.revoke(
        DeviceSession.objects.get(pk=read_refresh(app.cookies[REFRESH].value).session_id),
        reason=RevokeReason.USER,
    )
    for taken in ({app.bound}, set()):
        answer = app.refresh()
        assert refusal(answer) == (401, "session_revoked")
        assert {name for name in answer.cookies if dbsc.is_cookie_name(name)} == taken
        app.lose_cookie()
    assert app.ask().json()["continue"] is False


# The access token in a cookie


def test_the_access_cookie_needs_the_bound_one_and_so_does_its_token_in_a_header(with_access, app):
    assert app.refresh().status_code == 200
    token = {"Authorization": f"Bearer {app.cookies[ACCESS].value}"}
    assert app.get("/own").status_code == 200
    assert app.get("/own", headers=token).status_code == 200
    app.lose_cookie()
    assert refusal(app.get("/own")) == (401, "binding_required")
    del app.cookies[ACCESS]
    assert refusal(app.get("/own", headers=token)) == (401, "binding_required")
    assert app.renew().status_code == 200
    assert app.get("/own", headers=token).status_code == 200


def test_asking_for_it_costs_no_query(with_access, alice, mallory):
    costs = []
    for person, is_bound in ((alice, False), (mallory, True)):
        app = BoundApp()
        offered = app.sign_in(person.email)
        if is_bound:
            app.register(offered)
            app.renew()
        app.get("/own")
        for act in (lambda: app.get("/own"), app.refresh):  # noqa: B023
            with CaptureQueriesContext(connection) as sent:
                assert act().status_code == 200
            costs.append(len(sent))
    assert costs[:2] == costs[2:], costs


# The theft drill of the document

TEXT = (settings.BASE_DIR / "docs" / "dbsc.md").read_text()
TABLE = TEXT.split("### Of a single-page app")[1].split("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", TABLE, re.M)
DAY = {what: {"not bound": plain, "bound": bound} for what, plain, bound in ROWS[2:]}


class Theft:
    def __init__(self, owner):
        self.owner = owner
        self.access = owner.refresh().json().get("access") or owner.cookies[ACCESS].value
        self.thief = stolen(owner)
        self.session = DeviceSession.objects.get()

    def send(self, path, data=None, **headers):
        return BoundApp.send(self.thief, path, data, **headers)

    def refresh(self):
        return "signed in" if self.send("/api/cookie/refresh").status_code == 200 else "refused"

    def elsewhere(self):
        held = {"refresh": self.thief.cookies[REFRESH].value}
        answer = self.send("/api/token/refresh", held)
        return "signed in" if answer.status_code == 200 else "refused"

    def call(self, *, by_header=True):
        headers = {"Authorization": f"Bearer {self.access}"} if by_header else {}
        if by_header:
            self.thief.cookies.pop(ACCESS, None)
        answer = self.thief.get("/own", secure=True, headers=headers)
        return "signed in" if answer.status_code == 200 else "refused"

    def later(self, act):
        with time_machine.travel(timezone.now() + LATER):
            return act()

    def prove(self, signed=""):
        headers = {"Sec-Secure-Session-Id": dbsc.identifier_of(self.session.pk)}
        if signed:
            headers["Secure-Session-Response"] = signed
        return self.send(f"/api/cookie/{self.session.pk}/prove", **headers)

    def own_key(self):
        asked = self.prove()
        challenge = asked.get("Secure-Session-Challenge", '"none"').split('"')[1]
        answer = self.prove(proof(new_key(), challenge))
        return "nothing there" if answer.status_code == 200 else "refused"

    def register(self):
        key = new_key()
        signed = proof(key, dbsc.challenge(self.session), jwk=public(key))
        answer = self.send("/api/cookie/bind", **{"Secure-Session-Response": signed})
        assert bound_cookie(answer) is None
        return "refused" if answer.status_code == 400 else "registered"

    def sign_out(self):
        self.send("/api/cookie/logout")
        return "signed out" if DeviceSession.objects.get().revoked_at else "refused"

    def afterwards(self):
        self.owner.send("/api/cookie/logout")
        return self.refresh()


PLAYED = {
    "refreshes at once": lambda t: t.refresh(),
    "refreshes a quarter of an hour later": lambda t: t.later(t.refresh),
    "sends the refresh token to `/api/token/refresh` at once": lambda t: t.elsewhere(),
    "sends the access token at once": lambda t: t.call(),
    "sends the access token a quarter of an hour later": lambda t: t.later(t.call),
    "has the access token in its cookie, good for an hour; sends that later": lambda t: t.later(
        lambda: t.call(by_header=False)
    ),
    "sends it in a header": lambda t: t.later(t.call),
    "signs the challenge with a key of their own": lambda t: t.own_key(),
    "registers a key of their own": lambda t: t.register(),
    "signs the owner out": lambda t: t.sign_out(),
    "comes back after the owner has signed out": lambda t: t.afterwards(),
}


def test_the_table_in_the_document_is_the_one_that_is_played():
    assert list(DAY) == list(PLAYED)


@pytest.mark.parametrize("binding", ["not bound", "bound"])
@pytest.mark.parametrize("what", PLAYED)
def test_10_3_5_what_a_thief_of_an_app_gets(request, alice, what, binding):
    if "cookie" in what or "header" in what:
        request.getfixturevalue("with_access")
    owner = BoundApp()
    offered = owner.sign_in(alice.email)
    if binding == "bound":
        owner.register(offered)
        owner.renew()
    theft = Theft(owner)
    outcome, *told = DAY[what][binding].split(", ")
    assert PLAYED[what](theft) == outcome.split(":")[0]
    mails = [notice.kind for notice in Notification.objects.all()]
    assert mails == ([NotificationKind.BINDING_FAILED] if told == ["mail"] else [])
    if "signed out" not in what and outcome != "signed out":
        if binding == "bound":
            owner.renew()
        assert owner.is_in()
