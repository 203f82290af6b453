"""A page that is open learns that its session was signed out elsewhere, at next to no cost."""

import re
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.core import clocks, sessions
from devices.core.clients.client import Client
from devices.core.liveness import polling
from devices.models import DeviceSession, RevokeReason
from devices.web import watch
from tests.client import CHROME, FIREFOX


@pytest.fixture(autouse=True)
def tick(monkeypatch):
    """tick(seconds): let time pass for whoever asks; nobody has asked before."""
    now = SimpleNamespace(at=1000.0)
    monkeypatch.setattr(
        clocks, "time", SimpleNamespace(monotonic=lambda: now.at, time=lambda: now.at)
    )
    monkeypatch.setattr(polling, "_polls", type(polling._polls)(polling.Polls))

    def tick(seconds):
        now.at += seconds

    return tick


@pytest.fixture
def session(alice):
    return sessions.start(alice, Client("203.0.113.7", CHROME))


def asked(session, **headers):
    """The answer to a page in this session: without cookies, as the page asks."""
    answer = Browser().get(watch.url_of(session), **headers)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


def test_a_page_names_where_it_asks_and_its_session_is_active(alice):
    browser = Browser(HTTP_USER_AGENT=CHROME)
    browser.force_login(alice)
    for path in ("/devices/", "/devices/notifications/", "/devices/sign-out-others/"):
        page = browser.get(path).content.decode()
        url = re.search('data-watch="([^"]+)"', page)[1]
        assert "devices.js" in page
        assert Browser().get(url).json() == {"active": True}
    assert "data-watch" not in Browser().get("/devices/review/?token=x").content.decode()


def test_one_that_was_signed_out_is_told_when_and_why(session, tick):
    assert asked(session) == {"active": True}
    sessions.revoke(session, reason=RevokeReason.USER)
    tick(polling.PAUSE)
    told = asked(session)
    assert told["active"] is False
    assert told["why"] == "Signed out from another device"
    assert told["ended_at"] == session.revoked_at.isoformat()


def test_it_is_told_within_a_pause_of_the_end_also_if_another_page_asked_first(
    session, tick, alice
):
    other = sessions.start(alice, Client("203.0.113.8", FIREFOX))
    assert asked(session)["active"] and asked(other)["active"]
    tick(polling.PAUSE)
    sessions.revoke(session, reason=RevokeReason.USER)
    # The other page's question is the one that finds it.
    assert asked(other)["active"]
    assert not asked(session)["active"]


@pytest.mark.parametrize("reason", [RevokeReason.NOT_ME, RevokeReason.RISK])
def test_a_stranger_is_not_told_what_the_owner_said_of_them(session, tick, reason):
    sessions.revoke(session, reason=reason)
    tick(polling.PAUSE)
    assert asked(session)["why"] == "Signed out from another device"


def test_one_that_expired_and_one_that_is_gone_have_ended_too(session, tick, alice):
    past = timezone.now() - timedelta(seconds=1)
    DeviceSession.objects.update(expires_at=past)
    assert asked(session)["why"] == "You were not active for too long."
    tick(polling.PAUSE)
    DeviceSession.objects.all().delete()
    told = asked(session)
    assert (told["active"], told["ended_at"]) == (False, None)


def test_it_is_told_in_the_language_of_the_page(session, tick):
    sessions.revoke(session, reason=RevokeReason.USER)
    with watch.translation.override("de"):
        told = asked(session, HTTP_ACCEPT_LANGUAGE="en")
    assert told["title"] == "Du bist hier abgemeldet"


@pytest.mark.parametrize("token", ["", "x", "WyJ4Il0:1:2", "\x00", "\udcff"])
def test_a_token_that_is_not_ours_is_refused(db, token):
    answer = Browser().get("/devices/watch/", {"of": token.encode(errors="surrogatepass")})
    assert (answer.status_code, answer.json()["code"]) == (400, "token_not_valid")


def test_the_token_opens_nothing(session):
    browser = Browser()
    browser.get(watch.url_of(session))
    assert browser.get("/devices/").status_code == 302


def test_AA2_a_thousand_pages_cost_one_query_a_second(alice, bystanders, tick, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    bystanders(alice, 1000)
    pks = list(DeviceSession.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as sent:
        # Each every four seconds, spread over them.
        for second in range(8):
            for pk in pks[second % 4 :: 4]:
                assert not polling.has_ended(pk)
            tick(1)
    assert len(sent) <= 8
    # Of those that were closed, none is asked about any more.
    tick(polling.CLOSED_AFTER)
    polling.has_ended(pks[0])
    assert len(polling._polls[polling.database.place()]._asked) == 1


def test_AA2_an_answer_costs_no_query_but_that_one(session, tick):
    asked(session)
    with CaptureQueriesContext(connection) as sent:
        for _ in range(5):
            asked(session)
    assert len(sent) == 0


def test_of_those_who_come_at_once_one_asks_the_database(monkeypatch):
    polls, checks, gate = polling.Polls(), [], threading.Barrier(8)
    monkeypatch.setattr(polls, "_check", lambda: checks.append(1))

    def ask():
        gate.wait()
        polls.has_ended(None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(checks) == 1
