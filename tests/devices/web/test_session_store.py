"""Cookie sessions, read by those who know nothing of ours: signed in while the DeviceSession is active."""

from datetime import timedelta
from importlib import import_module

import pytest
from allauth.headless.contrib.rest_framework.authentication import (
    JWTTokenAuthentication,
    XSessionTokenAuthentication,
)
from asgiref.sync import async_to_sync
from django.conf import settings as project
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core.cache import caches
from django.db import connection
from django.http import JsonResponse
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from devices.core import sessions
from devices.models import DeviceSession, RevokeReason
from devices.web.session_store import ID
from project import urls as site
from tests.client import CHROME, PASSWORD, Device
from tests.devices.web.test_cookie import Browser

ENGINES = ("db", "cache", "cached_db")
STRATEGIES = "allauth.headless.tokens.strategies"
APP = "/_allauth/app/v1"


class Mine(APIView):
    """A view of a host's, opened by what allauth gives apps."""

    authentication_classes = (XSessionTokenAuthentication, JWTTokenAuthentication)

    def get(self, request):
        return Response({"user": request.user.pk})


def cart(request):
    request.session["cart"] = ["book"]
    return JsonResponse({})


def nothing_of_the_user(request):
    return JsonResponse({"cart": request.session.get("cart")})


pytestmark = pytest.mark.urls(__name__)
urlpatterns = [
    path("mine", Mine.as_view()),
    path("cart", cart),
    path("seen", nothing_of_the_user),
    *site.urlpatterns,
]


@pytest.fixture(params=ENGINES)
def engine(request, settings):
    settings.SESSION_ENGINE = f"devices.web.session_engines.{request.param}"
    settings.CACHES = {
        **settings.CACHES,
        "sessions": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    settings.SESSION_CACHE_ALIAS = "sessions"
    yield import_module(settings.SESSION_ENGINE)
    caches["sessions"].clear()


def revoke(session):
    sessions.revoke(session, reason=RevokeReason.USER)


def expire(session):
    DeviceSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def change_password(session):
    session.user.set_password("another horse battery 8")
    session.user.save()


def deactivate_by_sql(session):
    User.objects.filter(pk=session.user_id).update(is_active=False)


def delete_user(session):
    User.objects.get(pk=session.user_id).delete()


def delete_by_sql(session):
    DeviceSession.objects.all().delete()


ENDS = (revoke, expire, change_password, deactivate_by_sql, delete_user, delete_by_sql)


def is_read_as_signed_in(engine, key):
    """As code without our middleware reads it."""
    return engine.SessionStore(key).get(SESSION_KEY) is not None


@pytest.mark.parametrize("end", ENDS)
def test_who_reads_the_cookie_session_finds_nobody_once_it_has_ended(alice, engine, end):
    browser = Browser().sign_in(alice.email)
    key = browser.session.session_key
    assert is_read_as_signed_in(engine, key)
    end(DeviceSession.objects.get())
    store = engine.SessionStore(key)
    # Nothing is left that another package may take for a login, nor the key.
    assert dict(store.items()) == {}
    assert store.session_key is None
    assert not engine.SessionStore(key).exists(key)


def of_channels(engine, key, user):
    """Whether the session goes on by Django's digest, as Channels compares it."""
    user = User.objects.get(pk=user.pk)
    return engine.SessionStore(key)[HASH_SESSION_KEY] == user.get_session_auth_hash()


def rotate_the_key(alice, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the tests, of no use elsewhere"


def hash_anew(alice, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    alice.refresh_from_db()
    before = alice.password
    assert alice.check_password(PASSWORD)
    assert alice.password != before


@pytest.mark.parametrize("change", [rotate_the_key, hash_anew])
def test_who_compares_djangos_digest_finds_that_it_goes_on(alice, engine, settings, change):
    browser = Browser().sign_in(alice.email)
    key = browser.session.session_key
    change(alice, settings)
    assert of_channels(engine, key, alice)
    assert browser.is_in()
    assert of_channels(engine, key, alice)


def test_a_digest_of_the_hosts_own_is_left_as_it_is(alice, engine, monkeypatch):
    monkeypatch.setattr(User, "get_session_auth_hash", lambda self: "the first")
    monkeypatch.setattr(User, "get_session_auth_fallback_hash", lambda self: iter(()))
    browser = Browser().sign_in(alice.email)
    key = browser.session.session_key
    assert of_channels(engine, key, alice)
    monkeypatch.setattr(User, "get_session_auth_hash", lambda self: "the second")
    assert not of_channels(engine, key, alice)
    assert not browser.is_in()


@pytest.mark.parametrize("end", ENDS)
def test_who_reads_it_asynchronously_finds_nobody_either(alice, engine, end):
    browser = Browser().sign_in(alice.email)
    key = browser.session.session_key
    assert async_to_sync(engine.SessionStore(key).aget)(SESSION_KEY) == str(alice.pk)
    end(DeviceSession.objects.get())
    assert async_to_sync(engine.SessionStore(key).aget)(SESSION_KEY) is None


def test_a_login_that_has_no_session_of_ours_signs_nobody_in(alice, engine):
    browser = Browser().sign_in(alice.email)
    other = DeviceSession.objects.get()
    store = engine.SessionStore()
    for named in (None, "", "no id", str(other.pk)):
        store = engine.SessionStore()
        store[SESSION_KEY] = str(alice.pk + 1)
        if named is not None:
            store[ID] = named
        store.save()
        assert not is_read_as_signed_in(engine, store.session_key)
    assert browser.is_in()


def test_what_nobody_is_signed_in_to_is_left_alone(engine, db):
    browser = Browser()
    browser.get("/cart")
    with CaptureQueriesContext(connection) as sent:
        assert browser.get("/seen").json() == {"cart": ["book"]}
    assert not [query for query in sent if "devices_devicesession" in query["sql"]]


def test_the_next_page_says_why(alice, engine):
    browser = Browser().sign_in(alice.email)
    revoke(DeviceSession.objects.get())
    answer = browser.get("/devices/", follow=True)
    assert answer.redirect_chain[0][0].startswith("/accounts/login/")
    assert "This session was signed out." in answer.content.decode()
    assert not browser.cookies[project.SESSION_COOKIE_NAME].value


def test_a_page_that_asks_for_nobody_drops_what_has_ended(alice, engine):
    """Middleware ahead of ours may be the first that reads the cookie session."""
    browser = Browser().sign_in(alice.email)
    browser.get("/cart")
    revoke(DeviceSession.objects.get())
    assert browser.get("/seen").json() == {"cart": None}
    assert Browser.is_in(browser) is False


def test_a_page_costs_no_statement_more_than_with_djangos_engine(alice, engine, settings):
    ours = settings.SESSION_ENGINE
    djangos = ours.replace("devices.web.session_engines", "django.contrib.sessions.backends")
    browsers = {}
    for settings.SESSION_ENGINE in (ours, djangos):
        browsers[settings.SESSION_ENGINE] = Browser().sign_in(alice.email)
    counts = {}
    for settings.SESSION_ENGINE, browser in browsers.items():
        browser.get("/devices/")
        for page in ("/devices/", "/seen", "/devices/sign-out-others/"):
            with CaptureQueriesContext(connection) as sent:
                assert browser.get(page).status_code == 200
            counts.setdefault(page, []).append(len(sent))
    assert all(mine == theirs for mine, theirs in counts.values()), counts


def test_the_rows_of_djangos_engine_are_read_on(alice, settings):
    for name in ("db", "cached_db"):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{name}"
        browser = Browser().sign_in(alice.email)
        settings.SESSION_ENGINE = f"devices.web.session_engines.{name}"
        assert browser.is_in()


# allauth's own strategies for apps, in place of ours


def sign_in_by(strategy, settings, user):
    settings.HEADLESS_TOKEN_STRATEGY = f"{STRATEGIES}.{strategy}"
    body = {"email": user.email, "password": PASSWORD}
    answer = Device(CHROME).post(f"{APP}/auth/login", body)
    assert answer.status_code == 200, answer.content
    return answer.json()["meta"]


@pytest.mark.parametrize("end", ENDS)
def test_an_x_session_token_opens_nothing_once_the_session_has_ended(alice, engine, settings, end):
    token = sign_in_by("sessions.SessionTokenStrategy", settings, alice)["session_token"]
    app = Device()
    app.credentials(HTTP_X_SESSION_TOKEN=token)
    assert app.get("/mine").json() == {"user": alice.pk}
    end(DeviceSession.objects.get())
    assert app.get("/mine").status_code in (401, 403)
    assert app.get(f"{APP}/auth/session").status_code in (401, 410)


@pytest.mark.parametrize("end", ENDS)
def test_a_jwt_of_allauths_opens_nothing_once_the_session_has_ended(alice, engine, settings, end):
    settings.HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
    settings.HEADLESS_JWT_ALGORITHM = "HS256"
    settings.HEADLESS_JWT_PRIVATE_KEY = "a key of allauth's for the tests, of no use elsewhere"
    tokens = sign_in_by("jwt.JWTTokenStrategy", settings, alice)
    app = Device()
    app.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    assert app.get("/mine").json() == {"user": alice.pk}
    end(DeviceSession.objects.get())
    assert app.get("/mine").status_code in (401, 403)
    refreshed = Device().post(f"{APP}/tokens/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code in (400, 401)
