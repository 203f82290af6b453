"""Whatever ends a session, racing browsers that renew its bound cookie (DBSC). Nothing survives it."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from devices.core import sessions
from devices.models import DeviceSession, RevokeReason
from tests.dbsc import BoundBrowser, bound_cookie, stolen

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

RENEWALS = 5


@pytest.fixture(autouse=True)
def postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")


def at_once(*acts):
    """What each returns, begun together, each in a thread with a connection of its own."""
    barrier = Barrier(len(acts))

    def run(act):
        try:
            barrier.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def twin(browser):
    """The same browser, in another thread."""
    other = BoundBrowser()
    other.key, other.identifier, other.bound = browser.key, browser.identifier, browser.bound
    other.refresh_url = browser.refresh_url
    return other


def revoke(session):
    sessions.revoke(session, reason=RevokeReason.USER)


def deactivate(session):
    type(session.user)._default_manager.filter(pk=session.user_id).update(is_active=False)


def change_password(session):
    session.user.set_password("another horse, another battery")
    session.user.save()


@pytest.mark.parametrize("end", [revoke, deactivate, change_password])
def test_A19_no_bound_cookie_survives_what_ends_the_session(make_user, rounds, tally, end):
    for i in rounds(200):
        browser = BoundBrowser(f"203.0.113.{i}").bind(make_user(f"alice{i}@example.org").email)
        browser.renew()
        session = DeviceSession.objects.select_related("user").get(pk=browser.session_id)

        def ending(session=session):
            # A renewal takes longer, being asked for twice.
            time.sleep(random.uniform(0, 0.15))
            end(session)

        def renewing(browser=browser):
            time.sleep(random.uniform(0, 0.05))
            return twin(browser).renew()

        answers = at_once(ending, *[renewing] * RENEWALS)[1:]
        cookies = [found.value for each in answers if (found := bound_cookie(each))]
        # Each of them, and beside the session cookie as the browser has it.
        survived = 0
        for value in [browser.cookies[browser.bound].value, *cookies]:
            thief = stolen(browser)
            thief.cookies[browser.bound] = value
            survived += thief.get("/devices/", secure=True).status_code == 200
        assert browser.ask().json()["continue"] is False
        tally(rounds=1, renewed=len(cookies), survived=survived)
        assert survived == 0


def test_one_challenge_is_answered_once_by_twenty(make_user, rounds, tally):
    for i in rounds(20):
        browser = BoundBrowser().bind(make_user(f"alice{i}@example.org").email)
        signed = browser.sign(browser.challenge())
        answers = at_once(*[lambda browser=browser: twin(browser).ask(signed)] * 20)
        outcome = Counter(answer.status_code for answer in answers)
        tally(rounds=1, renewed=outcome[200], asked_anew=outcome[403])
        assert outcome == {200: 1, 403: 19}


def test_one_login_is_bound_to_one_key_by_twenty(make_user, rounds, tally):
    for i in rounds(20):
        browser = BoundBrowser()
        offered = browser.sign_in(make_user(f"alice{i}@example.org").email)
        browsers = [BoundBrowser() for _ in range(20)]
        answers = at_once(*[lambda each=each: each.register(offered) for each in browsers])
        outcome = Counter(answer.status_code for answer in answers)
        tally(rounds=1, bound=outcome[200], refused=outcome[403])
        assert outcome == {200: 1, 403: 19}
        [bound] = [
            each
            for each, answer in zip(browsers, answers, strict=True)
            if answer.status_code == 200
        ]
        assert twin(bound).renew().status_code == 200
