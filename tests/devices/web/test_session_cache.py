"""While the cache of the cookie sessions does not answer, nobody is signed out."""

import pickle
from copy import copy

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as project
from django.contrib.auth import SESSION_KEY
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import OperationalError
from django.test import Client
from django.utils.module_loading import import_string

from devices.models import DeviceSession
from tests.client import PASSWORD


class Outage(Exception):
    """As a package for Redis or memcached has one of its own."""


class FailingCache(LocMemCache):
    """A cache that may be switched off, or hold what it cannot read."""

    is_away = False
    unreadable = ""

    def _look(self, key):
        if self.is_away:
            raise Outage("connection refused")

    def get(self, key, *args, **kwargs):
        self._look(key)
        if self.unreadable and self.unreadable in key:
            raise AttributeError("no such class in this release")
        return super().get(key, *args, **kwargs)

    def set(self, key, *args, **kwargs):
        self._look(key)
        super().set(key, *args, **kwargs)

    def add(self, key, *args, **kwargs):
        self._look(key)
        return super().add(key, *args, **kwargs)

    def delete(self, key, *args, **kwargs):
        self._look(key)
        return super().delete(key, *args, **kwargs)

    def has_key(self, key, *args, **kwargs):
        self._look(key)
        return super().has_key(key, *args, **kwargs)


@pytest.fixture
def failing(settings):
    cache = {"BACKEND": f"{__name__}.FailingCache", "LOCATION": __name__}
    settings.CACHES = {**project.CACHES, "sessions": cache}
    settings.SESSION_CACHE_ALIAS = "sessions"
    yield caches["sessions"]
    caches["sessions"].is_away = False
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
