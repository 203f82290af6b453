"""While the cache of the cookie sessions does not answer, nobody is signed out."""

import pickle
from copy import copy

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as project
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import OperationalError
from django.test import Client
from django.utils.module_loading import import_string

from devices.models import DeviceSession
from tests.client import PASSWORD


class Outage(Exception):
    """As a package for Redis or memcached has one of its own."""


def _unless_away(name):
    """A method that fails while the cache is away: with an error, or with nothing."""

    def method(self, key, *args, **kwargs):
        if self.is_away and self.is_silent:
            # django-redis with IGNORE_EXCEPTIONS has None for all of these, pymemcache False.
            return args[0] if name == "get" and args else None
        if self.is_away:
            self.is_silent = self.is_silent_after_an_error
            raise Outage("connection refused")
        if self.lost and self.lost in key:
            raise Outage("one of several servers does not answer")
        if name in self.refused:
            raise Outage("You can't write against a read only replica.")
        if name == "get" and self.unreadable and self.unreadable in key:
            raise AttributeError("no such class in this release")
        return getattr(super(FailingCache, self), name)(key, *args, **kwargs)

    return method


class FailingCache(LocMemCache):
    """A cache that may be switched off, hold what it cannot read, or refuse what is to be written."""

    is_away = is_silent = is_silent_after_an_error = False
    unreadable = lost = ""
    refused = ()

    get, set, add, delete, has_key, incr, touch = map(
        _unless_away, ("get", "set", "add", "delete", "has_key", "incr", "touch")
    )


@pytest.fixture
def failing(settings):
    cache = {"BACKEND": f"{__name__}.FailingCache", "LOCATION": __name__}
    settings.CACHES = {**project.CACHES, "sessions": cache}
    settings.SESSION_CACHE_ALIAS = "sessions"
    yield caches["sessions"]
    caches["sessions"].is_away = caches["sessions"].is_silent = False
    caches["sessions"].refused, caches["sessions"].lost = (), ""
    caches["sessions"].clear()


@pytest.fixture
def use(settings, failing):
    def use(engine):
        settings.SESSION_ENGINE = f"devices.web.session_engines.{engine}"
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")

    return use


@pytest.fixture
def browser(alice):
    def browser():
        browser = Client(raise_request_exception=False)
        sign_in(browser, alice)
        return browser

    return browser


def sign_in(browser, user):
    return browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})


@pytest.fixture(params=["errors", "silence", "an error, then silence"])
def outage(request, failing):
    failing.is_silent = request.param == "silence"
    failing.is_silent_after_an_error = request.param == "an error, then silence"


@pytest.mark.usefixtures("outage")
def test_where_it_is_all_there_is_pages_answer_503_and_cookies_stay(use, failing, browser, alice):
    store = use("cache")
    browser = browser()
    key = browser.cookies["__Host-sessionid"].value
    failing.is_away = True
    for page in (browser.get("/devices/"), sign_in(browser, alice)):
        assert page.status_code == 503
        assert page["Retry-After"]
        assert "__Host-sessionid" not in page.cookies
    with pytest.raises(OperationalError):
        async_to_sync(store(key).aget)(SESSION_KEY)
    failing.is_away = False
    assert browser.get("/devices/").status_code == 200
    assert async_to_sync(store(key).aget)(SESSION_KEY) == str(alice.pk)
    assert DeviceSession.objects.get().revoked_at is None


@pytest.mark.parametrize("how", ["is_silent", "is_silent_after_an_error"])
def test_a_login_fails_at_once_while_a_cache_hides_that_it_is_away(use, failing, how):
    """Django tries 10,000 keys where a cache adds none of them."""
    store = use("cache")
    setattr(failing, how, True)
    failing.is_away = True
    with pytest.raises(OperationalError):
        store().create()
    failing.is_away = failing.is_silent = False
    store().create()


@pytest.mark.usefixtures("outage")
def test_where_the_database_has_them_too_people_sign_in(use, failing, alice):
    """Here the first question is whether there is such a key, and not what it holds."""
    use("cached_db")
    failing.is_away = True
    assert sign_in(browser := Client(raise_request_exception=False), alice).status_code == 302
    assert browser.get("/devices/").status_code == 200


def test_a_session_without_data_is_there(use, failing, monkeypatch):
    """Also for pymemcache with `ignore_exc`, which has no error where something is no number."""
    store = use("cache")()
    store.save()
    monkeypatch.setattr(FailingCache, "incr", lambda self, key: False)
    assert store.load() == {}


def test_a_key_that_is_taken_is_no_outage(use, failing):
    """Of two sessions with one key the second gets another."""
    store = use("cache")
    taken, other = store(), store()
    taken.create()
    other._session_key = taken.session_key
    with pytest.raises(CreateError):
        other.save(must_create=True)


def test_where_the_database_has_them_too_pages_go_on(use, failing, browser, alice, caplog):
    store = use("cached_db")
    browser = browser()
    failing.is_away = True
    assert browser.get("/devices/").status_code == 200
    assert "does not answer: connection refused" in caplog.text
    key = browser.cookies["__Host-sessionid"].value
    assert async_to_sync(store(key).aget)(SESSION_KEY) == str(alice.pk)
    assert browser.post("/accounts/logout/").status_code == 302
    assert sign_in(browser, alice).status_code == 302
    assert browser.get("/devices/").status_code == 200
    failing.is_away = False
    assert browser.get("/devices/").status_code == 200


# As a Redis without memory, and a master that a failover has made a replica.
FULL, READ_ONLY = ("set", "add", "incr"), ("set", "add", "incr", "delete", "touch")


@pytest.mark.parametrize("refused", [FULL, READ_ONLY])
def test_where_it_is_all_there_is_and_takes_nothing_logins_answer_503(
    use, failing, browser, alice, refused
):
    use("cache")
    browser = browser()
    failing.refused = refused
    assert browser.get("/devices/").status_code == 200
    page = sign_in(Client(raise_request_exception=False), alice)
    assert page.status_code == 503
    assert page["Retry-After"]
    failing.refused = ()
    assert browser.get("/devices/").status_code == 200


@pytest.mark.parametrize("refused", [FULL, READ_ONLY])
def test_where_the_database_has_them_too_pages_go_on_while_it_takes_nothing(
    use, failing, browser, alice, refused
):
    use("cached_db")
    browser = browser()
    failing.refused = refused
    assert browser.get("/devices/").status_code == 200
    held = browser.cookies["__Host-sessionid"].value
    assert browser.post("/accounts/logout/").status_code == 302
    assert sign_in(browser, alice).status_code == 302
    assert browser.get("/devices/").status_code == 200
    browser.cookies["__Host-sessionid"] = held
    assert browser.get("/devices/").status_code == 302


def test_where_one_of_its_servers_is_away_its_sessions_wait(use, failing, browser):
    """As in a Cluster. Others are asked, and answer."""
    use("cache")
    lost, other = browser(), browser()
    failing.lost = lost.cookies["__Host-sessionid"].value
    page = lost.get("/devices/")
    assert page.status_code == 503
    assert "__Host-sessionid" not in page.cookies
    assert other.get("/devices/").status_code == 200
    failing.lost = ""
    assert lost.get("/devices/").status_code == 200


def test_where_one_of_its_servers_is_away_the_database_has_its_sessions(use, failing, browser):
    use("cached_db")
    browser = browser()
    failing.lost = browser.cookies["__Host-sessionid"].value
    assert browser.get("/devices/").status_code == 200
    assert browser.post("/accounts/logout/").status_code == 302


def test_who_signs_out_meanwhile_is_out_although_the_cache_still_has_the_session(
    use, failing, browser
):
    use("cached_db")
    browser = browser()
    held = browser.cookies["__Host-sessionid"].value
    failing.is_away = True
    browser.post("/accounts/logout/")
    failing.is_away = False
    browser.cookies["__Host-sessionid"] = held
    assert browser.get("/devices/").status_code == 302


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_a_session_that_cannot_be_read_is_one_that_is_not_there(use, failing, browser, engine):
    """As after a release without the class of something that was kept in it."""
    use(engine)
    browser = browser()
    failing.unreadable = browser.cookies["__Host-sessionid"].value
    assert browser.get("/devices/").status_code < 500
    failing.unreadable = ""


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_what_cannot_be_stored_is_an_error_and_no_outage(use, engine, db):
    store = use(engine)()
    store["view"] = lambda: None
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        store.save()


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_a_key_that_no_cache_takes_names_no_session(use, engine, db):
    assert use(engine)("a key with blanks\n" * 40).get(SESSION_KEY) is None


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_it_may_be_copied(use, engine, db):
    """As by what notes a request for later."""
    store = use(engine)()
    store.save()
    assert store.cache_key in copy(store._cache)
