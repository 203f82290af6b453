"""Your devices: what the page shows, what its forms do, and what it costs."""

import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from csp.constants import NONCE, STRICT_DYNAMIC
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import devices
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.models import DeviceSession, DeviceType, RevokeReason
from devices.web import wording
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


def test_its_page_tells_all_of_a_session_and_its_line_the_most_of_it(browser, start):
    phone = start(
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
    page = browser.get(f"/devices/{phone.pk}/")
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
    page = browser.get(LIST)
    assert "My phone Lyon, France 3 hours ago Safari on iOS · Last active" in text(page)
    assert "198.51.100.9 · Signed in 1 week ago · Passkey" in text(page)
    assert "icons.svg#mobile-ios" in page.content.decode()


def test_it_is_now_for_five_minutes_and_exact_once_opened(browser, start, clock):
    start()
    clock.shift(299)
    assert "now" in lines(browser.get(LIST))[0]
    clock.shift(1)
    page = browser.get(LIST)
    assert "5 minutes ago" in lines(page)[0]
    exact = (
        '<time class="devices-exact" datetime="2026-03-01T12:00:00+00:00">'
        "March 1, 2026, noon UTC</time>"
    )
    assert exact in page.content.decode()


def unusual(start, **fields):
    phone = start(IPHONE, **{"risk_level": "high", "risk_score": 70} | fields)
    reason = {"code": "new_country", "country": "BR", "known": ["DE"]}
    activity.record(phone, "login.suspicious", {"reasons": [reason]})
    return phone


def test_what_needs_an_answer_stands_on_top_with_its_reason_and_two_equal_buttons(browser, start):
    phone = unusual(start, name="Who?")
    page = browser.get(LIST)
    shown = text(page)
    assert "The first sign-in in this country: Brazil. Yes, it was me No, sign it out" in shown
    assert shown.index("Was this you?") < shown.index("Here") < shown.index("Other devices 1")
    # Among the others it does not stand once more.
    assert lines(page) == []
    html = page.content.decode()
    buttons = re.findall(r'<button class="([^"]*)" name="answer"', html)
    assert len(buttons) == 2 and len(set(buttons)) == 1
    question = f"/devices/{phone.pk}/review/"
    assert f'action="{question}"' in html
    assert "Yes, it was me" in text(browser.get(question))
    assert browser.post(question, {"answer": "yes"})["Location"] == LIST
    shown = text(browser.get(LIST))
    assert "We know Who? as yours from now on." in shown and "Was this you?" not in shown
    assert "you said that it was you" in text(browser.get(f"/devices/{phone.pk}/"))


def test_a_stranger_who_is_signed_out_leads_to_another_password(browser, start):
    password = "/accounts/password/change/"
    phone = unusual(start)
    assert browser.post(f"/devices/{phone.pk}/review/", {"answer": "no"})["Location"] == password
    assert "Now choose another password" in text(browser.get(password))
    phone.refresh_from_db()
    assert phone.revoke_reason == "not_me"
    # Also where it is signed out without an answer, and where it is known by its owner alone.
    assert browser.post(f"/devices/{unusual(start).pk}/sign-out/")["Location"] == password
    usual = f"/devices/{start().pk}/sign-out/"
    assert browser.post(usual, {"stranger": "on"})["Location"] == password


def test_an_answer_that_needs_a_proof_comes_back_to_its_question(browser, start):
    phone = unusual(start)
    DeviceSession.objects.update(authenticated_at=days(1))
    asked = browser.post(f"/devices/{phone.pk}/review/", {"answer": "no"}, HTTP_REFERER=LIST)
    assert asked["Location"] == f"/devices/confirm/?next=/devices/{phone.pk}/review/".replace(
        "/devices/" + str(phone.pk), f"%2Fdevices%2F{phone.pk}"
    ).replace("/review/", "%2Freview%2F")
    phone.refresh_from_db()
    assert phone.revoked_at is None


# The list


def lines(page):
    """The lines of the list of others, as they are read while none is opened."""
    html = page.content.decode()
    return [
        " ".join(re.sub(r"<[^>]+>", " ", line).split())
        for line in re.findall(
            r"<li class=\"devices-row\"><details><summary>(.*?)</summary>", html, re.DOTALL
        )
    ]


def test_many_are_grouped_can_be_narrowed_and_the_unused_ones_are_folded(browser, start):
    for n in range(15):
        start(name=f"Laptop {n}", last_active=days(n / 10))
    assert "Find" not in text(browser.get(LIST))
    start(IPHONE, name="My phone", city="Lyon", country="FR", last_active=days(2))
    old = start(name="Old one", last_active=days(15), last_ip="198.51.100.77")
    page = browser.get(LIST)
    shown = text(page)
    assert shown.index("Computers 15") < shown.index("Phones and tablets 1")
    assert "Not used for 14 days 1 Sign out 1 not used for 14 days Old one" in shown
    assert len(lines(page)) == 17
    for sought, name in (
        ("phone", "My phone"),
        ("LYO", "My phone"),
        ("franc", "My phone"),
        ("safari", "My phone"),
        ("100.77", old.name),
    ):
        [line] = lines(browser.get(LIST, {"q": sought}))
        assert name in line
    assert "None of your other devices" in text(browser.get(LIST, {"q": "nowhere"}))
    # What is no text narrows nothing.
    assert len(lines(browser.get(LIST, {"q": "\x00"}))) == 17
    for odd in ("%", "_", "x" * 5000, "\ud800"):
        assert browser.get(LIST, {"q": odd.encode(errors="surrogatepass")}).status_code == 200


def test_two_that_are_called_the_same_are_told_apart(browser, start):
    for ago in (3, 4, 4.1):
        start(created_at=days(ago), last_active=days(1))
    start(IPHONE, last_active=days(1))
    shown = lines(browser.get(LIST))
    assert len(set(shown)) == 4
    assert [line for line in shown if "since" not in line] == ["Safari on iOS 1 day ago"]


def test_only_what_is_unusual_is_red(browser, start):
    usual, odd = start(), unusual(start)
    assert "devices-danger" not in browser.get(LIST).content.decode()
    for session, is_red in ((usual, False), (odd, True)):
        for path in ("", "sign-out/"):
            page = browser.get(f"/devices/{session.pk}/{path}").content.decode()
            assert ("devices-danger" in page) == is_red


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
        assert rename(browser, phone, name)["Location"] == f"/devices/{phone.pk}/"
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


def test_those_not_used_for_14_days_can_be_signed_out_alone(browser, start):
    start(name="Used", last_active=days(13))
    assert "not used for" not in text(browser.get(LIST))
    old = start(name="Old", last_active=days(15))
    assert "Sign out 1 not used for 14 days" in text(browser.get(LIST))
    assert "Old" in text(browser.get("/devices/sign-out-inactive/"))
    browser.post("/devices/sign-out-inactive/")
    assert [session.name for session in all_others()] == ["Used"]
    old.refresh_from_db()
    assert old.revoke_reason == "user_all"


# Activity


def test_one_sign_in_is_one_line_with_all_that_is_known_of_it(browser, start):
    phone = unusual(start)
    activity.record(phone, "device.new", {})
    shown = browser.get(f"/devices/{phone.pk}/").content.decode()
    assert len(re.findall(r"<li>", shown.split("devices-log")[1])) == 1
    for words in ("Signed in", "The sign-in was unusual", "Brazil", "for the first time"):
        assert words in shown


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
    # More than stand at the top.
    for _ in range(7):
        start(last_active=days(15))
    DeviceSession.objects.update(risk_level="high")
    with CaptureQueriesContext(connection) as one:
        browser.get(LIST + path)
    bystanders(alice, 90)
    DeviceSession.objects.update(risk_level="high")
    for session in DeviceSession.objects.all()[:5]:
        activity.record(session, "login.suspicious", {"reasons": []})
    with CaptureQueriesContext(connection) as many:
        answer = browser.get(LIST + path)
    assert len(many) == len(one) <= 9
    assert answer.content.count(b"devices-icon") < 1000
    # Of more than one page, or of a part of it, the whole is counted.
    bystanders(alice, 60)
    with CaptureQueriesContext(connection) as pages:
        browser.get(LIST + path)
    assert len(pages) <= len(one) + 2


@pytest.mark.parametrize(
    ("device_type", "os", "icon"),
    [
        ("desktop", "Windows 11", "desktop-windows"),
        ("desktop", "Windows", "desktop-windows"),
        ("desktop", "macOS", "desktop-macos"),
        ("desktop", "Linux", "desktop-linux"),
        ("desktop", "ChromeOS", "desktop-chromeos"),
        ("desktop", "FreeBSD", "desktop"),
        ("mobile", "iOS", "mobile-ios"),
        ("mobile", "Android", "mobile-android"),
        ("tablet", "iPadOS", "tablet-ipados"),
        ("tablet", "Android", "tablet-android"),
        ("tv", "Android", "tv"),
        ("cli", "Linux", "cli"),
        ("unknown", "", "unknown"),
    ],
)
def test_icons_tell_systems_apart_on_cards_and_among_the_past(
    browser, start, device_type, os, icon
):
    session = start()
    DeviceSession.objects.filter(pk=session.pk).update(device_type=device_type, os=os)
    assert f'icons.svg#{icon}"' in browser.get(LIST).content.decode()
    sessions.revoke(session, reason=RevokeReason.USER)
    assert f'icons.svg#{icon}"' in browser.get(LIST).content.decode()


def test_each_icon_is_drawn_and_no_two_alike():
    drawn = ElementTree.parse(Path(devices.__file__).parent / "static/devices/icons.svg").getroot()
    pictures = {
        symbol.get("id"): "".join(ElementTree.tostring(line, "unicode") for line in symbol)
        for symbol in drawn
        if symbol.get("id")
    }
    assert {*DeviceType, *wording._MARKED.values()} <= pictures.keys()
    assert len(set(pictures.values())) == len(pictures)


def test_its_script_and_style_have_the_nonce_of_a_strict_policy(browser, settings):
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": [NONCE, STRICT_DYNAMIC]}}
    answer = browser.get(LIST)
    [nonce] = re.findall(r"'nonce-([^']+)'", answer["Content-Security-Policy"])
    page = answer.content.decode()
    for ours in ("devices.css", "devices.js"):
        assert re.search(rf'devices/{ours}"[^>]* nonce="{re.escape(nonce)}"', page), ours


def test_all_scripts_and_styles_have_a_nonce():
    templates = Path(devices.__file__).parent / "templates"
    for path in templates.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link rel=.stylesheet)[^>]*>", path.read_text()):
            assert ' nonce="{{ csp_nonce }}{{ request.csp_nonce }}"' in tag, path
