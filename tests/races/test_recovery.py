"""The owner takes the account back while the stranger's requests are answered: nothing of theirs stays."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.db import connection, connections
from django.db.models.signals import pre_save
from django.test import Client as Browser

from accounts import recovery
from accounts.models import User
from devices.models import Notification, NotificationKind
from tests import authenticator
from tests.client import CHROME, PASSWORD

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
OWNER, THIEF, THIRD = "alice@example.org", "thief@example.org", "third@example.org"


@pytest.fixture(autouse=True)
def real_locks(settings):
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    settings.ACCOUNT_RATE_LIMITS = False


def elsewhere(act):
    """Do something in another connection, and wait for it."""

    def run():
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def browser(page=None):
    browser = Browser(
        HTTP_USER_AGENT=CHROME, REMOTE_ADDR="141.20.1.1", raise_request_exception=False
    )
    if page is not None:
        name = django_settings.SESSION_COOKIE_NAME
        browser.cookies[name] = page.cookies[name].value
    return browser


def take_over(alice):
    """The stranger is signed in, and the account has their addresses; the link of the owner's mail."""
    EmailAddress.objects.create(user=alice, email=OWNER, verified=True, primary=True)
    page = browser()
    page.post("/accounts/login/", {"login": OWNER, "password": PASSWORD})
    EmailAddress.objects.create(user=alice, email=THIEF, verified=True)
    EmailAddress.objects.create(user=alice, email=THIRD, verified=True)
    page.post("/accounts/email/", {"email": THIEF, "action_primary": ""})
    assert User.objects.get(pk=alice.pk).email == THIEF
    return page, recovery.url_for(alice.pk, OWNER).partition("devices.test")[2]


def assert_is_the_owners(alice):
    user = User.objects.get(pk=alice.pk)
    assert user.email == OWNER and not user.has_usable_password()
    mine = EmailAddress.objects.filter(user=user).values_list("email", "verified", "primary")
    assert list(mine) == [(OWNER, True, True)]
    assert not Authenticator.objects.filter(user=user).exists()


def test_a_factor_enrolled_at_that_moment_is_gone(alice):
    page, link = take_over(alice)
    page.get("/accounts/2fa/totp/activate/")
    code = authenticator.App(page.session["mfa.totp.secret"], []).code()
    done = []

    def once(**kwargs):
        pre_save.disconnect(once, sender=Authenticator)
        done.append(elsewhere(lambda: browser().post(link).status_code))

    pre_save.connect(once, sender=Authenticator)
    assert page.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 403
    assert done == [302]
    assert_is_the_owners(alice)


def test_nothing_that_a_stranger_sends_in_a_volley_stays(make_user, rounds, tally):
    for _ in rounds(20):
        alice = make_user(OWNER)
        page, link = take_over(alice)
        is_over = threading.Event()

        def flood(emails, page=page, is_over=is_over):
            statuses = []
            try:
                thief = browser(page)
                while not is_over.is_set():
                    for email in emails:
                        form = {"email": email, "action_primary": ""}
                        statuses.append(thief.post("/accounts/email/", form).status_code)
                for email in emails:
                    form = {"email": email, "action_primary": ""}
                    statuses.append(thief.post("/accounts/email/", form).status_code)
                return statuses
            finally:
                connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            floods = [
                pool.submit(flood, each)
                for each in ([THIEF, THIRD], [THIRD, OWNER], [OWNER, THIEF])
            ]
            for _wait in range(3):
                browser(page).get("/accounts/email/")
            try:
                assert elsewhere(lambda link=link: browser().post(link).status_code) == 302
            finally:
                is_over.set()
            statuses = [status for each in floods for status in each.result()]
        tally(rounds=1, requests=len(statuses), late=statuses.count(403))
        assert 500 not in statuses, statuses
        assert_is_the_owners(alice)
        alice.delete()


def test_of_many_clicks_at_once_one_takes_the_account_back(alice):
    _page, link = take_over(alice)

    def click(_):
        try:
            return browser().post(link).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(click, range(4)))
    assert 302 in statuses and set(statuses) <= {200, 302}
    assert_is_the_owners(alice)
    told = Notification.objects.filter(user=alice, kind=NotificationKind.ACCOUNT_RECOVERED)
    assert told.count() == 1
