"""Your devices: what the page shows, what its forms do, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.core import sessions
from devices.core.caller.client import Client
from devices.core.log import activity
from devices.models import DeviceSession
from tests.client import CHROME, FIREFOX, IPHONE

LIST = "/devices/"


@pytest.fixture
def browser(alice):
    browser = Browser(HTTP_USER_AGENT=CHROME)
    browser.force_login(alice)
    return browser


@pytest.fixture
def start(alice):
    """start(agent=CHROME, **fields): a session of Alice's, with these fields as if long lived."""

    def start(agent=CHROME, ip="203.0.113.7", user=alice, **fields):
        session = sessions.start(user, Client(ip, agent))
        if fields:
            DeviceSession.objects.filter(pk=session.pk).update(**fields)
            session.refresh_from_db()
        return session

    return start


def all_others():
    """All that are active but the browser's own, which Django's test client signs in without an agent."""
    return DeviceSession.objects.active().exclude(user_agent="")


def text(answer):
    """What a person reads on a page, blanks collapsed."""
    html = re.sub(r"<(style|script|title)\b.*?</\1>", "", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub("[\u2068\u2069]", "", html)).split())


def days(n):
    return timezone.now() - timedelta(days=n)


# What is shown


def test_a_card_tells_all_of_a_session(browser, start):
    start(
        IPHONE,
        name="My phone",
        country="FR",
        city="Lyon",
        last_active=days(0.125),
        created_at=days(9),
        expires_at=timezone.now() + timedelta(days=21, minutes=1),
        last_ip="198.51.100.9",
        login_method="passkey",
        mfa_at=timezone.now(),
    )
    page = browser.get(LIST)
    shown = text(page)
    for words in (
        "My phone",
        "Safari on iOS",
        "Lyon, France approximate, from the address",
        "198.51.100.9 at sign-in 203.0.113.7",
        "Last active 3 hours ago",
        "Signed in 1 week ago",
        "Expires in 3 weeks",
        "Passkey 2nd factor",
    ):
        assert words in shown, words
    assert "icons.svg#mobile" in page.content.decode()


def test_it_is_now_for_five_minutes_and_exact_on_hover(browser, start, clock):
    start()
    clock.shift(299)
    assert "Last active now" in text(browser.get(LIST))
    clock.shift(1)
    page = browser.get(LIST)
    assert "Last active 5 minutes ago" in text(page)
    exact = '<time datetime="2026-03-01T12:00:00+00:00" title="March 1, 2026, noon UTC">'
    assert exact in page.content.decode()


def test_why_a_sign_in_was_unusual_is_said_in_words(browser, start):
    phone = start(IPHONE, risk_level="high", risk_score=70)
    reason = {"code": "new_country", "country": "BR", "known": ["DE"]}
    activity.record(phone, "login.suspicious", {"reasons": [reason]})
    shown = text(browser.get(LIST))
    assert "This sign-in was unusual The first sign-in in this country: Brazil." in shown
    question = f"/devices/{phone.pk}/review/"
    assert f'href="{question}"' in browser.get(LIST).content.decode()
    assert "Yes, it was me" in text(browser.get(question))
    browser.post(question, {"answer": "yes"})
    assert "you said that it was you" in text(browser.get(LIST))


def test_what_ended_in_the_last_30_days_is_below_with_the_reason(browser, start):
    start(FIREFOX, name="Lent", revoked_at=days(2), revoke_reason="user")
    start(FIREFOX, name="Forgotten", expires_at=days(3), last_active=days(33))
    start(FIREFOX, name="Ancient", revoked_at=days(31), revoke_reason="user")
    shown = text(browser.get(LIST))
    below = shown.split("Signed out in the last 30 days")[1]
    assert "Lent Signed out from another device 2 days ago" in below
    assert "Forgotten Expired 3 days ago" in below
    assert "Ancient" not in shown


def test_nobody_elses_are_shown(browser, start, mallory):
    start(user=mallory, name="Mallory's")
    ended = start(user=mallory, name="Mallory's", revoked_at=days(1), revoke_reason="user")
    page = browser.get(LIST)
    assert "Mallory" not in text(page)
    assert browser.get(f"/devices/{ended.pk}/").status_code == 404


@pytest.mark.parametrize(
    "path", ["", "sign-out-others/", "sign-out-inactive/", "{pk}/", "{pk}/sign-out/"]
)
def test_strangers_are_asked_to_sign_in_and_come_back(start, path):
    path = LIST + path.format(pk=start().pk)
    answer = Browser().get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")


def test_it_is_in_the_language_the_browser_asks_for(browser, start):
    start(country="FR", last_active=days(3))
    shown = text(browser.get(LIST, HTTP_ACCEPT_LANGUAGE="de"))
    assert "Deine Geräte" in shown and "vor 3 Tagen" in shown and "Frankreich" in shown


# Names


def rename(browser, session, name):
    return browser.post(f"/devices/{session.pk}/name/", {"name": name})


def test_a_device_gets_a_name_and_loses_it_again(browser, start):
    phone = start(IPHONE)
    for name, shown in (("  Phone ", "Phone"), ("x" * 64, "x" * 64), ("", "Safari on iOS")):
        assert rename(browser, phone, name)["Location"] == LIST
        phone.refresh_from_db()
        assert str(phone) == shown
        assert f"This device is now called {shown}." in text(browser.get(LIST))


@pytest.mark.parametrize("name", ["x" * 65, "a\u202eb", "a\x07b", "a\u2028b"])
def test_A27_a_name_that_would_not_be_taken_by_the_api_is_not_taken_here(browser, start, name):
    phone = start(name="Phone")
    answer = rename(browser, phone, name)
    assert answer.status_code == 400
    assert re.search(r"<details[^>]* open>", answer.content.decode())
    assert 'role="alert"' in answer.content.decode()
    phone.refresh_from_db()
    assert phone.name == "Phone"


def test_only_ones_own_active_devices_are_named(browser, start, mallory):
    others = start(user=mallory)
    ended = start(revoked_at=days(1), revoke_reason="user")
    for session in (others, ended):
        assert rename(browser, session, "Mine").status_code == 404
        session.refresh_from_db()
        assert session.name == ""


# Signing out


def test_one_is_asked_about_by_its_name_and_then_signed_out(browser, start):
    phone, laptop = start(IPHONE, name="My phone"), start()
    path = f"/devices/{phone.pk}/sign-out/"
    assert "Sign out My phone ?" in text(browser.get(path))
    assert all_others().count() == 2
    assert browser.post(path)["Location"] == LIST
    phone.refresh_from_db()
    assert (phone.revoke_reason, phone.revoked_by_id) == ("user", phone.user_id)
    assert "Signed out: My phone" in text(browser.get(LIST))
    # Sent twice, it says that there is nothing to do.
    assert browser.post(path)["Location"] == LIST
    assert "not signed in (any more)" in text(browser.get(LIST))
    assert list(all_others()) == [laptop]


def test_a_foreign_one_is_as_unknown_as_any(browser, start, mallory):
    others = start(user=mallory)
    for pk in (others.pk, "0" * 8 + "-0000-4000-8000-" + "0" * 12):
        for act in (browser.get, browser.post):
            assert act(f"/devices/{pk}/sign-out/")["Location"] == LIST
    assert all_others().count() == 1


def test_all_others_are_signed_out_and_the_number_is_said_before_and_after(browser, start):
    for _ in range(12):
        start()
    assert "Sign out all 12" in text(browser.get(LIST))
    asked = text(browser.get("/devices/sign-out-others/"))
    assert "Sign out 12" in asked and "and 2 more" in asked
    assert all_others().count() == 12
    browser.post("/devices/sign-out-others/")
    assert "Signed out 12 devices." in text(browser.get(LIST))
    assert all_others().count() == 0
    assert "Nothing to sign out" in text(browser.get("/devices/sign-out-others/"))


def test_those_not_used_for_90_days_can_be_signed_out_alone(browser, start):
    start(name="Used", last_active=days(89))
    assert "not used for" not in text(browser.get(LIST))
    old = start(name="Old", last_active=days(91))
    assert "Sign out 1 not used for 90 days" in text(browser.get(LIST))
    assert "Old" in text(browser.get("/devices/sign-out-inactive/"))
    browser.post("/devices/sign-out-inactive/")
    assert [session.name for session in all_others()] == ["Used"]
    old.refresh_from_db()
    assert old.revoke_reason == "user_all"


# Activity


def test_what_happened_is_told_newest_first_in_words(browser, start):
    phone = start(IPHONE)
    sessions.rename(phone, "Phone")
    activity.record(phone, "report.exported", {"rows": 3}, ip_address="198.51.100.9")
    shown = text(browser.get(f"/devices/{phone.pk}/")).split("What happened")[1]
    kinds = ("report.exported rows: 3", "198.51.100.9", "Named: Phone", "Signed in")
    places = [shown.index(words) for words in kinds]
    assert places == sorted(places)


def test_a_long_log_has_pages(browser, start):
    phone = start()
    for n in range(60):
        activity.record(phone, f"step.n{n}")
    first, last = (text(browser.get(f"/devices/{phone.pk}/?page={n}")) for n in (1, 3))
    assert "step.n59" in first and "step.n30" not in first and "Page 1 of 3" in first
    assert "step.n0" in last and "Signed in" in last
    assert "Page 3 of 3" in text(browser.get(f"/devices/{phone.pk}/?page=99"))
    assert "Page 1 of 3" in text(browser.get(f"/devices/{phone.pk}/?page=x"))


# Mails


def test_who_wants_fewer_mails_says_so(browser):
    page = browser.get("/devices/notifications/")
    assert page.content.decode().count(" checked") == 2
    browser.post("/devices/notifications/", {"new_device": "on"})
    page = browser.get("/devices/notifications/")
    assert "Saved." in text(page)
    assert re.findall(r'name="(\w+)"[^>]* checked', page.content.decode()) == ["new_device"]


# What it costs


@pytest.mark.parametrize("path", ["", "sign-out-others/", "sign-out-inactive/"])
def test_AA2_the_page_costs_the_same_for_one_and_for_a_hundred(
    browser, start, bystanders, alice, settings, path
):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    start(last_active=days(91))
    DeviceSession.objects.update(risk_level="high")
    with CaptureQueriesContext(connection) as one:
        browser.get(LIST + path)
    bystanders(alice, 120)
    DeviceSession.objects.update(risk_level="high")
    for session in DeviceSession.objects.all()[:5]:
        activity.record(session, "login.suspicious", {"reasons": []})
    with CaptureQueriesContext(connection) as many:
        answer = browser.get(LIST + path)
    assert len(many) == len(one) <= 9
    assert answer.content.count(b"devices-icon") < 1000
