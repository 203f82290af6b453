"""What binding cookie sessions costs the database: nothing on a page."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.dbsc import BoundBrowser


def statements(act):
    with CaptureQueriesContext(connection) as sent:
        act()
    return [
        query["sql"]
        for query in sent
        if not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    ]


def test_a_page_costs_no_statement_more_for_a_bound_session_than_for_one_that_is_not(
    alice, mallory
):
    plain = BoundBrowser()
    plain.sign_in(alice.email)
    bound = BoundBrowser().bind(mallory.email)
    bound.renew()
    costs = []
    for browser in (plain, bound):
        browser.get("/devices/confirm/")
        costs.append(len(statements(lambda browser=browser: browser.get("/devices/confirm/"))))
    assert costs[0] == costs[1], costs


def test_a_page_costs_the_same_whether_it_is_on_or_off(alice, settings):
    browser = BoundBrowser()
    browser.sign_in(alice.email)
    browser.get("/devices/confirm/")
    on = len(statements(lambda: browser.get("/devices/confirm/")))
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    assert len(statements(lambda: browser.get("/devices/confirm/"))) == on


def test_a_login_costs_the_same_whether_it_is_on_or_off(alice, mallory, make_user, settings):
    BoundBrowser().sign_in(make_user("first@example.org").email)
    on = len(statements(lambda: BoundBrowser().sign_in(alice.email)))
    settings.DEVICES = {**settings.DEVICES, "DBSC": False}
    assert len(statements(lambda: BoundBrowser().sign_in(mallory.email))) == on


def test_a_renewal_writes_one_row_once(browser):
    challenge = browser.challenge()
    asked = statements(lambda: browser.challenge())
    assert len(asked) == 2
    assert all("SELECT" in sql for sql in asked)
    renewed = statements(lambda: browser.ask(browser.sign(challenge)))
    assert len(renewed) == 4
    assert sum(sql.startswith("UPDATE") for sql in renewed) == 1
