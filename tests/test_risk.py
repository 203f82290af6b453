"""Unusual sign-ins through the doors: what is written, told, doubted, refused, and undone from the mail."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core import mail, signing
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from devices import signals
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log.security_log import Event
from devices.core.notifications import outbox, review_links
from devices.core.risk import login_history
from devices.core.risk.rules import Reason
from devices.models import (
    Activity,
    DeviceSession,
    LoginHistory,
    Notification,
    RevokeReason,
    RiskLevel,
)
from tests.client import CHROME, FIREFOX, IPHONE, PASSWORD, Device, refusal
from tests.forge import A_TOKEN

# Public addresses, as iptocc knows them.
BERLIN, PARIS, TOKYO = "141.20.1.1", "193.48.0.1", "133.11.0.1"
SAO_PAULO = "143.107.1.1"

EVERY_MAIL = {"new_device": True, "suspicious_login": True}


@pytest.fixture
def heard():
    """What strangers hear: (signal's name, arguments)."""
    heard = []
    receivers = []
    for name in (
        "session_started",
        "session_revoked",
        "refresh_reused",
        "suspicious_login",
        "device_first_seen",
    ):

        def receive(sender, name=name, signal=None, **arguments):
            heard.append((name, arguments))

        getattr(signals, name).connect(receive)
        receivers.append((name, receive))
    yield heard
    for name, receive in receivers:
        getattr(signals, name).disconnect(receive)


@pytest.fixture
def at_home(alice, clock):
    """Alice's phone, known by an id of its app, and a clock that has moved on for a week."""
    phone = Device(IPHONE, BERLIN)
    phone.credentials(HTTP_X_DEVICE_ID="alices-phone")
    phone.sign_in(alice.email)
    clock.shift(timedelta(days=7))
    return phone.rotate()


def attempt(alice, agent=FIREFOX, ip=TOKYO, **headers):
    return Device(agent, ip).post(
        "/api/login", {"email": alice.email, "password": PASSWORD}, **headers
    )


def guess(alice, times=6):
    for _ in range(times):
        Device(FIREFOX, TOKYO).post("/api/login", {"email": alice.email, "password": "no"})


def stranger(alice, **kwargs) -> DeviceSession:
    answer = attempt(alice, **kwargs)
    assert answer.status_code == 200, answer.json()
    return DeviceSession.objects.get(pk=answer.json()["session_id"])


def lines(session) -> dict:
    return {line.kind: line.data for line in Activity.objects.filter(session_id=session.pk)}


def mails() -> list:
    outbox.send_due()
    return mail.outbox


# Levels


def test_6_3_5_the_first_device_is_silent_and_a_new_one_is_told_once(alice, at_home):
    assert not Notification.objects.exists()
    session = stranger(alice, ip=BERLIN)
    assert session.risk_level == RiskLevel.LOW
    assert lines(session)["device.new"]["reasons"][0]["code"] == "new_device"
    [told] = mails()
    assert told.to == [alice.email] and "New sign-in" in told.subject
    # The same device again.
    stranger(alice, ip=BERLIN)
    assert len(mails()) == 1


def test_a_strange_login_is_told_with_its_reasons_and_doubted(alice, at_home):
    session = stranger(alice)
    assert (session.risk_level, session.risk_score) == (RiskLevel.HIGH, 65)
    suspicious = lines(session)["login.suspicious"]
    assert {reason["code"] for reason in suspicious["reasons"]} == {"new_device", "new_country"}
    assert suspicious["reasons"][1]["country"] == "JP"
    [told] = mails()
    assert "Was this you?" in told.subject
    assert "The first sign-in in this country: Japan." in told.body


def test_the_lines_are_written_in_the_statement_of_the_start(
    alice, at_home, django_assert_num_queries
):
    stranger(alice)
    assert (
        Activity.objects.values("at", "session_id")
        .filter(kind__in=("session.started", "login.suspicious", "device.new"))
        .distinct()
        .count()
        == 2
    )


def test_ten_failures_then_success_is_one_mail(alice, at_home):
    guess(alice)
    session = stranger(alice, ip=BERLIN)
    assert {r["code"] for r in lines(session)["login.suspicious"]["reasons"]} == {
        "new_device",
        "failures",
    }
    assert len(mails()) == 1


def test_V8_2_4_a_doubted_session_proves_itself_before_it_ends_others(alice, at_home):
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    assert device.is_in()
    refused = device.post("/api/sessions/revoke-all")
    assert refusal(refused) == (401, "insufficient_user_authentication")
    assert device.delete(f"/api/sessions/{at_home.session_id}").status_code == 401
    # It knows the password already, so that proves nothing.
    confirmed = device.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert refusal(confirmed) == (401, "session_doubted")
    assert device.post("/api/sessions/revoke-all").status_code == 401
    assert at_home.is_in()


def test_V8_2_4_a_doubted_browser_is_told_that_the_password_is_not_enough(alice, at_home):
    browser = Browser(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR=TOKYO)
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    others = "/devices/sign-out-others/"
    sent_to = browser.post(others)
    assert sent_to.status_code == 302 and "/devices/confirm/" in sent_to["Location"]
    page = browser.get("/devices/confirm/")
    assert "your password is not enough here" in page.content.decode()
    assert "password" not in page.context["form"].fields
    browser.post("/devices/confirm/", {"password": PASSWORD})
    assert browser.post(others).status_code == 302
    assert at_home.is_in()


def test_V8_2_4_a_reauthentication_by_password_ends_no_doubt(alice, at_home):
    browser = Browser(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR=TOKYO)
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert browser.post("/devices/sign-out-others/").status_code == 302
    assert at_home.is_in()


def test_V8_2_4_a_second_factor_ends_the_doubt(alice, at_home, codes):
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    codes.codes[alice.pk] = ["100000"]
    # The factor came later, so the session has not shown it.
    confirmed = device.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert refusal(confirmed) == (401, "otp_required")
    assert device.post("/api/sessions/current/confirm", {"otp": "100000"}).status_code == 200
    assert device.post("/api/sessions/revoke-all").status_code == 200


def test_V8_2_4_a_doubt_holds_where_step_up_is_off(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": None}
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    refused = device.post("/api/sessions/revoke-all")
    assert refusal(refused) == (401, "insufficient_user_authentication")
    assert "max_age" not in refused["WWW-Authenticate"]
    assert at_home.post("/api/sessions/revoke-all").status_code == 200


def test_the_owner_s_yes_ends_the_doubt(alice, at_home):
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    sessions.review(DeviceSession.objects.get(pk=device.session_id).pk, is_mine=True)
    assert device.post("/api/sessions/revoke-all").status_code == 200


def test_one_that_was_too_strange_is_not_let_in_and_ends_nothing(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 1}
    guess(alice)
    answer = attempt(alice)
    assert refusal(answer) == (401, "login_suspicious")
    session = DeviceSession.objects.get(risk_level=RiskLevel.CRITICAL)
    assert (session.revoke_reason, session.reauth_required_since is None) == (
        RevokeReason.RISK,
        False,
    )
    assert at_home.is_in()
    assert lines(session).keys() == {
        "session.started",
        "device.new",
        "login.suspicious",
        "session.revoked",
    }
    [told] = mails()
    assert "was refused" in told.body
    # Nor the next time: nothing was learned from it.
    guess(alice)
    assert attempt(alice).status_code == 401
    # The owner says yes, and gets in.
    sessions.review(session.pk, is_mine=True)
    assert attempt(alice).status_code == 200


def test_a_level_is_switched_off_by_the_settings(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "RISK_LEVELS": {"critical": None}}
    guess(alice)
    assert attempt(alice).status_code == 200


def test_what_is_high_is_not_learned_and_what_is_medium_is(alice, at_home, settings):
    stranger(alice)
    assert stranger(alice).risk_level == RiskLevel.HIGH
    settings.DEVICES = {**settings.DEVICES, "RISK_LEVELS": {"high": 80}}
    assert stranger(alice).risk_level == RiskLevel.MEDIUM
    assert stranger(alice).risk_level == RiskLevel.NONE


def test_the_known_phone_may_travel(alice, at_home, clock):
    at_home.defaults["REMOTE_ADDR"] = TOKYO
    at_home.credentials(HTTP_X_DEVICE_ID="alices-phone")
    at_home.sign_in(alice.email)
    assert not Notification.objects.exists()
    assert DeviceSession.objects.get(pk=at_home.session_id).risk_level == RiskLevel.LOW


# At a refresh


def test_8_1_3_another_kind_of_device_with_my_refresh_token_is_noticed(alice, at_home, heard):
    thief = Device(FIREFOX, TOKYO)
    thief.refresh_token = at_home.refresh_token
    assert thief.refresh().status_code == 200
    session = DeviceSession.objects.get(pk=at_home.session_id)
    assert session.risk_level == RiskLevel.HIGH and session.reauth_required_since
    codes = [reason["code"] for reason in lines(session)["refresh.suspicious"]["reasons"]]
    assert codes == ["refresh_device_class", "refresh_country"]
    assert "may be using a device of yours" in mails()[0].body


def test_a_refresh_from_abroad_stands_in_the_log_once(alice, at_home, clock):
    at_home.defaults["REMOTE_ADDR"] = PARIS
    for _ in range(3):
        at_home.rotate()
        clock.shift(300)
    session = DeviceSession.objects.get(pk=at_home.session_id)
    noted = Activity.objects.filter(session_id=session.pk, kind="refresh.noted")
    assert noted.count() == 1 and noted[0].data["reasons"][0]["now"] == "FR"
    assert session.reauth_required_since is None and not Notification.objects.exists()


def test_a_refresh_that_is_too_strange_ends_the_session(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "RISK_LEVELS": {"critical": 60}}
    thief = Device(FIREFOX, TOKYO)
    thief.refresh_token = at_home.refresh_token
    assert refusal(thief.refresh()) == (401, "session_revoked")
    assert not at_home.is_in()
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.RISK


def test_8_1_3_an_approved_session_is_judged_again(alice, at_home):
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    [told] = mails()
    Browser().post(link_of(told), {"answer": "yes"})
    mail.outbox.clear()
    outbox.withdraw()
    # Whoever takes it over afterwards is no less unusual than that sign-in was.
    thief = Device(IPHONE, PARIS)
    thief.refresh_token = device.refresh_token
    thief.rotate()
    session = DeviceSession.objects.get(pk=device.session_id)
    assert session.reauth_required_since and session.reviewed_at is None
    [told] = mails()
    assert "may be using a device of yours" in told.body
    Browser().post(link_of(told), {"answer": "yes"})
    mail.outbox.clear()
    outbox.withdraw()
    # What was approved is not told again, what is new is.
    thief.rotate()
    assert not mails()
    thief.defaults["REMOTE_ADDR"] = SAO_PAULO
    thief.rotate()
    assert len(mails()) == 1
    session.refresh_from_db()
    assert session.reauth_required_since


def test_8_1_3_a_repeat_from_elsewhere_shares_no_lineage(alice, at_home):
    for elsewhere in (Device(FIREFOX, BERLIN), Device(IPHONE, TOKYO)):
        used = at_home.refresh_token
        at_home.rotate()
        # Within the grace, and as long as the successor was not used.
        assert refusal(elsewhere.refresh(used)) == (401, "refresh_reused")
        assert not at_home.is_in()
        at_home.sign_in(alice.email)
    assert [told.subject for told in mails()] == [
        "A session at devices was copied, and signed out"
    ] * 2


def test_8_1_3_a_successor_that_was_not_used_is_not_handed_out_anywhere(alice, at_home, clock):
    used = at_home.refresh_token
    at_home.rotate()
    clock.shift(timedelta(days=14))
    assert refusal(Device(IPHONE, TOKYO).refresh(used)) == (401, "refresh_reused")


def test_8_1_3_a_repeat_on_the_device_itself_is_logged(
    alice, at_home, security_lines, django_capture_on_commit_callbacks
):
    used = at_home.refresh_token
    at_home.rotate()
    with django_capture_on_commit_callbacks(execute=True):
        assert at_home.refresh(used).json()["refresh"] == at_home.refresh_token
    assert security_lines.of(Event.REFRESH_REPEATED)


@pytest.mark.parametrize("later", [1, 61])
def test_8_1_3_a_cookie_that_comes_from_elsewhere_is_doubted_and_told(alice, clock, later):
    browser = enter(alice.email, IPHONE, BERLIN)
    # Also where the session was touched a second ago.
    clock.shift(later)
    thief = Browser(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR=TOKYO)
    thief.cookies = browser.cookies
    assert thief.get("/devices/").status_code == 200
    [told] = mails()
    assert "may be using a device of yours" in told.body
    session = DeviceSession.objects.get()
    assert session.reauth_required_since and "session.suspicious" in lines(session)
    assert "/devices/confirm/" in thief.post("/devices/sign-out-others/")["Location"]
    clock.shift(61)
    thief.get("/devices/")
    assert len(mails()) == 1


def test_8_1_3_a_cookie_that_is_too_strange_ends_the_session(alice, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "RISK_LEVELS": {"critical": 60}}
    browser = enter(alice.email, IPHONE, BERLIN)
    clock.shift(61)
    thief = Browser(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR=TOKYO)
    thief.cookies = browser.cookies
    assert thief.get("/devices/").status_code == 302
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.RISK


def test_8_1_3_an_access_token_from_elsewhere_is_noted_and_told_to_nobody(
    alice,
    at_home,
    clock,
    security_lines,
    django_capture_on_commit_callbacks,
    django_assert_num_queries,
):
    server = Device(FIREFOX, TOKYO)
    for noted in (1, 1):
        server.credentials(HTTP_AUTHORIZATION=f"Bearer {at_home.rotate().access}")
        clock.shift(61)
        # Who is it? Note that they were active, and from where. How many sessions do they have?
        with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(3):
            assert server.get("/api/me").status_code == 200
        assert len(security_lines.of(Event.SESSION_USED_ELSEWHERE)) == noted
    session = DeviceSession.objects.get()
    assert not session.reauth_required_since and not Notification.objects.exists()
    # It can still be found where it is told.
    server.refresh_token = at_home.refresh_token
    server.rotate()
    session.refresh_from_db()
    assert session.reauth_required_since and len(mails()) == 1


def test_8_1_3_noting_an_access_token_from_elsewhere_costs_no_query(
    alice,
    at_home,
    clock,
    security_lines,
    django_capture_on_commit_callbacks,
    django_assert_num_queries,
):
    server = Device(FIREFOX, TOKYO)
    server.credentials(HTTP_AUTHORIZATION=f"Bearer {at_home.access}")
    clock.shift(61)
    with CaptureQueriesContext(connection) as at_its_own:
        assert at_home.is_in()
    clock.shift(61)
    with (
        django_capture_on_commit_callbacks(execute=True),
        django_assert_num_queries(len(at_its_own)),
    ):
        assert server.is_in()
    assert security_lines.of(Event.SESSION_USED_ELSEWHERE)


# What a doubted session must not end


def test_A23_doubted_logins_evict_none_that_is_not_doubted(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 3}
    laptop = Device(IPHONE, BERLIN).sign_in(alice.email)
    first = Device(FIREFOX, TOKYO).sign_in(alice.email)
    second = Device(FIREFOX, TOKYO).sign_in(alice.email)
    assert at_home.is_in() and laptop.is_in() and second.is_in() and not first.is_in()
    # One that is not doubted finds the doubted one in its way first.
    tablet = Device(IPHONE, BERLIN).sign_in(alice.email)
    assert at_home.is_in() and laptop.is_in() and tablet.is_in() and not second.is_in()
    # And where there is no room, a doubted one does not get in.
    assert refusal(attempt(alice)) == (401, "login_suspicious")
    assert at_home.is_in() and laptop.is_in() and tablet.is_in()
    assert "was refused" in mails()[-1].body


def test_A37_a_doubted_login_does_not_end_the_session_of_the_device_it_says_it_is(
    alice, at_home, settings
):
    settings.DEVICES = {**settings.DEVICES, "RISK_POINTS": {"failures": 100, "new_country": 140}}
    thief = Device(IPHONE, TOKYO)
    thief.credentials(HTTP_X_DEVICE_ID="alices-phone")
    guess(alice)
    thief.sign_in(alice.email)
    assert DeviceSession.objects.get(pk=thief.session_id).reauth_required_since
    assert at_home.is_in()


# The id of a device is a claim


def test_8_1_3_the_id_of_a_phone_on_a_laptop_proves_nothing(alice, at_home):
    at_home.patch(f"/api/sessions/{at_home.session_id}", {"name": "My phone"})
    thief = Device(FIREFOX, TOKYO)
    thief.credentials(HTTP_X_DEVICE_ID="alices-phone")
    thief.sign_in(alice.email)
    session = DeviceSession.objects.get(pk=thief.session_id)
    assert (session.name, session.risk_level) == ("", RiskLevel.HIGH)
    assert at_home.is_in()


def test_A33_who_knows_the_id_of_an_app_does_not_lock_it_out_at_home(alice, at_home):
    thief = Device(IPHONE, PARIS)
    thief.credentials(HTTP_X_DEVICE_ID="alices-phone")
    for _ in range(25):
        thief.post("/api/login", {"email": alice.email, "password": "no"})
    at_home.credentials(HTTP_X_DEVICE_ID="alices-phone")
    at_home.sign_in(alice.email)


def test_A33_a_no_to_who_had_the_id_of_my_phone_makes_it_no_stranger_s(alice, at_home, clock):
    thief = Device(IPHONE, TOKYO)
    thief.credentials(HTTP_X_DEVICE_ID="alices-phone")
    thief.sign_in(alice.email)
    sessions.review(DeviceSession.objects.get(pk=thief.session_id).pk, is_mine=False)
    # The id proves nothing any more, and is not held against the phone that it was given to.
    at_home.credentials(HTTP_X_DEVICE_ID="alices-phone")
    at_home.sign_in(alice.email)
    assert DeviceSession.objects.get(pk=at_home.session_id).risk_level == RiskLevel.LOW
    thief.credentials(HTTP_X_DEVICE_ID="alices-phone")
    thief.sign_in(alice.email)
    assert DeviceSession.objects.get(pk=thief.session_id).risk_level >= RiskLevel.HIGH


# Other mails


def test_JN3_a_copied_refresh_token_is_told_to_the_owner_once(alice, at_home, clock):
    used_up = at_home.refresh_token
    at_home.rotate()
    assert at_home.is_in()
    clock.shift(60)
    for _ in range(2):
        assert at_home.refresh(used_up).status_code == 401
    assert [told.subject for told in mails()] == ["A session at devices was copied, and signed out"]


def test_a_new_password_is_told_by_whatever_way_it_came(alice, at_home):
    alice.set_password("another horse 9 battery")
    alice.save()
    [told] = mails()
    assert "password" in told.subject and "/accounts/password/reset" in told.body
    # A login is no new password.
    assert (
        Device(IPHONE, BERLIN)
        .post("/api/login", {"email": alice.email, "password": "another horse 9 battery"})
        .status_code
        == 200
    )
    assert not Notification.objects.filter(done_at__isnull=True, kind="password_changed").exists()


# Preferences


def test_what_is_not_critical_can_be_switched_off(alice, at_home):
    path = "/api/me/notifications"
    assert at_home.get(path).json() == {**EVERY_MAIL, "time_zone": ""}
    at_home.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert at_home.patch(path, {"new_device": False}).json()["new_device"] is False
    assert at_home.patch(path, {}).json() == {**EVERY_MAIL, "new_device": False, "time_zone": ""}
    [told] = mails()
    assert "were switched off" in told.subject and told.to == [alice.email]
    mail.outbox.clear()
    stranger(alice, ip=BERLIN)
    assert mails() == []
    at_home.patch(path, {"suspicious_login": False})
    mails().clear()
    # High is told all the same.
    stranger(alice, agent=CHROME)
    assert len(mails()) == 1


def test_switching_off_asks_for_a_proof_and_switching_on_for_none(alice, at_home, clock):
    path, page = "/api/me/notifications", "/devices/notifications/"
    refused = at_home.patch(path, {"new_device": False})
    assert refusal(refused) == (401, "insufficient_user_authentication")
    browser = Browser(HTTP_USER_AGENT=IPHONE, REMOTE_ADDR=BERLIN)
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    clock.shift(timedelta(minutes=16))
    assert "/devices/confirm/" in browser.post(page, {"new_device": "on"})["Location"]
    assert outbox.preferences_of(alice) == {**EVERY_MAIL, "time_zone": ""}
    browser.post("/devices/confirm/", {"password": PASSWORD})
    assert browser.post(page, {"new_device": "on"})["Location"] == page
    clock.shift(timedelta(minutes=16))
    assert browser.post(page, {"new_device": "on", "suspicious_login": "on"})["Location"] == page
    assert at_home.rotate().patch(path, {"suspicious_login": True}).status_code == 200
    assert [told.subject for told in mails()] == [
        "Mails of devices about sign-ins were switched off"
    ]


@pytest.mark.parametrize(
    "body", [{"new_device": "yes"}, {"new_device": None}, {"new_device": 1}, []]
)
def test_a_preference_is_true_or_false(alice, at_home, body):
    assert at_home.patch("/api/me/notifications", body).status_code == 400


# Signals


@pytest.mark.django_db(transaction=True)
def test_strangers_hear_of_it_after_the_commit_with_what_is_documented(make_user, heard, clock):
    alice = make_user()
    phone = Device(IPHONE, BERLIN).sign_in(alice.email)
    clock.shift(timedelta(days=1))
    session = stranger(alice)
    names = [name for name, _ in heard]
    assert names == ["session_started", "session_started", "device_first_seen", "suspicious_login"]
    assert heard[-1][1]["session"] == session
    assert (heard[-1][1]["level"], heard[-1][1]["score"]) == ("high", 65)
    assert [reason["code"] for reason in heard[-1][1]["reasons"]] == ["new_device", "new_country"]
    sessions.review(session.pk, is_mine=False)
    assert heard[-1][0] == "session_revoked" and heard[-1][1]["reason"] == "not_me"
    assert phone.refresh().status_code == 200


# Was this you?


def link_of(told) -> str:
    [link] = set(re.findall(r"https://devices\.test(/devices/review/\S+)", told.body))
    return link


def token_of(link) -> str:
    [token] = parse_qs(urlsplit(link).query)["token"]
    return token


@pytest.fixture
def link(alice, at_home):
    stranger(alice)
    return link_of(mails()[0])


@pytest.fixture
def suspect(link):
    return DeviceSession.objects.get(risk_level=RiskLevel.HIGH)


def state():
    sessions_ = DeviceSession.objects.order_by("pk").values_list()
    return (
        list(sessions_),
        list(Activity.objects.values_list("pk")),
        list(LoginHistory.objects.values_list()),
    )


def test_A40_a_scanner_that_follows_the_link_ten_times_changes_nothing(link, suspect):
    before = state()
    for _ in range(10):
        page = Browser().get(link)
        assert page.status_code == 200 and "no-store" in page["Cache-Control"]
        Browser().head(link)
    assert state() == before
    assert "Firefox on Linux" in page.content.decode() and "Japan" in page.content.decode()


def test_A40_no_signs_that_device_out_and_leads_to_another_password(alice, link, suspect, at_home):
    page = Browser().post(link, {"answer": "no"})
    assert page.status_code == 200 and "/accounts/password/reset/" in page.content.decode()
    suspect.refresh_from_db()
    assert (suspect.revoke_reason, suspect.reviewed_at is None) == ("not_me", False)
    assert at_home.is_in()
    assert lines(suspect)["session.reviewed"] == {"mine": False}
    # What came with it is not known from now on.
    assert stranger(alice).risk_level == RiskLevel.HIGH


def test_A40_yes_makes_the_device_and_the_place_known(alice, link, suspect):
    assert Browser().post(link, {"answer": "yes"}).status_code == 200
    suspect.refresh_from_db()
    assert suspect.reviewed_at and not suspect.revoked_at and not suspect.reauth_required_since
    assert stranger(alice).risk_level == RiskLevel.NONE


def test_A40_the_link_needs_no_login_where_all_other_pages_do(settings, link, suspect):
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, required]
    assert Browser().get("/devices/").status_code == 302
    assert Browser().get(link).status_code == 200
    assert Browser().post(link, {"answer": "no"}).status_code == 200
    suspect.refresh_from_db()
    assert suspect.revoke_reason == "not_me"


@pytest.mark.parametrize("second", ["yes", "no"])
def test_A40_after_a_no_nothing_counts(link, suspect, second):
    Browser().post(link, {"answer": "no"})
    before = state()
    for answer in (Browser().post(link, {"answer": second}), Browser().get(link)):
        assert answer.status_code == 410
        assert "answered already" in answer.content.decode()
    assert state() == before


def test_A40_a_yes_counts_once_and_is_told_to_the_owner(alice, link, suspect):
    mail.outbox.clear()
    Browser().post(link, {"answer": "yes"})
    before = state()
    assert Browser().post(link, {"answer": "yes"}).status_code == 410
    assert state() == before
    [told] = mails()
    assert told.to == [alice.email] and "You approved a sign-in" in told.subject
    assert link_of(told).startswith("/devices/review/?token=")


def test_A40_a_later_no_beats_a_yes(alice, link, suspect):
    device = Device(FIREFOX, TOKYO)
    Browser().post(link, {"answer": "yes"})
    page = Browser().get(link).content.decode()
    assert 'value="no"' in page and 'value="yes"' not in page
    assert Browser().post(link, {"answer": "no"}).status_code == 200
    suspect.refresh_from_db()
    assert suspect.revoke_reason == "not_me"
    # What the yes had made known is a stranger's again.
    answer = device.post("/api/login", {"email": alice.email, "password": PASSWORD})
    session = DeviceSession.objects.get(pk=answer.json()["session_id"])
    assert session.risk_level == RiskLevel.HIGH


def enter(email, agent, ip) -> Browser:
    browser = Browser(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
    browser.post("/accounts/login/", {"login": email, "password": PASSWORD})
    return browser


def test_A40_the_suspect_does_not_answer_for_the_owner(alice, at_home):
    suspect, another = enter(alice.email, FIREFOX, TOKYO), enter(alice.email, CHROME, PARIS)
    doubted = DeviceSession.objects.filter(reauth_required_since__isnull=False)
    mine, others = (browser.session["device_session"] for browser in (suspect, another))
    page = suspect.get("/devices/").content.decode()
    assert "Was this you?" in page and "token=" not in page
    assert f"/devices/{mine}/review/" not in page
    for browser, pk in ((suspect, mine), (suspect, others), (another, mine)):
        for answer in ("yes", "no"):
            assert browser.post(f"/devices/{pk}/review/", {"answer": answer}).status_code == 302
    assert not DeviceSession.objects.filter(reviewed_at__isnull=False).exists()
    assert doubted.active().count() == 2


def test_A40_another_session_answers_that_owes_no_proof(alice, at_home, clock):
    home = Browser(HTTP_USER_AGENT=IPHONE, REMOTE_ADDR=BERLIN)
    home.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    here = DeviceSession.objects.latest("created_at")
    assert here.reauth_required_since is None
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    question = f"/devices/{device.session_id}/review/"
    assert f'action="{question}"' in home.get("/devices/").content.decode()
    assert home.get(f"/devices/{here.pk}/review/").status_code == 410
    # A proof too old to sign that device out is too old to say no, too.
    clock.shift(timedelta(minutes=16))
    for asked in (home.post(question, {"answer": "no"}), home.get(question)):
        assert asked["Location"].startswith("/devices/confirm/")
    home.post("/devices/confirm/", {"password": PASSWORD})
    assert "Yes, it was me" in home.get(question).content.decode()
    assert home.post(question, {"answer": "yes"})["Location"] == "/devices/"
    assert DeviceSession.objects.get(pk=device.session_id).reauth_required_since is None


def test_A40_nobody_answers_for_somebody_else(alice, mallory, at_home):
    device = Device(FIREFOX, TOKYO).sign_in(alice.email)
    browser = enter(mallory.email, CHROME, BERLIN)
    answer = browser.post(f"/devices/{device.session_id}/review/", {"answer": "no"})
    assert answer.status_code == 410
    assert DeviceSession.objects.get(pk=device.session_id).revoked_at is None


def test_A40_no_token_of_a_link_stands_in_the_log(link, suspect, caplog):
    with caplog.at_level("INFO"):
        Browser().post(link, {"answer": "maybe"})
        Browser(enforce_csrf_checks=True).post(link, {"answer": "no"})
        Browser().post(link, {"answer": "yes"})
        Browser().post(link, {"answer": "yes"})
        Browser().put(link)
    refused = [line for line in caplog.text.splitlines() if "/devices/review/" in line]
    assert len(refused) == 4
    assert suspect.pk.hex not in caplog.text


def test_A40_it_works_for_seven_days(link, suspect, clock):
    clock.shift(timedelta(days=7, seconds=-1))
    assert Browser().get(link).status_code == 200
    clock.shift(2)
    for answer in (Browser().get(link), Browser().post(link, {"answer": "no"})):
        assert answer.status_code == 410 and "seven days" in answer.content.decode()
    suspect.refresh_from_db()
    assert suspect.reviewed_at is None


def test_A40_a_forged_or_foreign_link_is_none(link, suspect, at_home):
    token = token_of(link)
    head, rest = token.split(":", 1)
    home = DeviceSession.objects.get(pk=at_home.session_id)
    forged = [
        f"{home.pk.hex}:{rest}",
        token[:-1],
        token + "x",
        head,
        "x" * 5000,
        "\u202e",
        signing.TimestampSigner(salt="another").sign(suspect.pk.hex),
        signing.TimestampSigner(key="k" * 50, salt="devices.review").sign(suspect.pk.hex),
        review_links._signer().sign("no-uuid"),
    ]
    for each in forged:
        path = f"/devices/review/?{urlencode({'token': each})}"
        for answer in (Browser().get(path), Browser().post(path, {"answer": "no"})):
            assert answer.status_code == 404, each
    home.refresh_from_db(), suspect.refresh_from_db()
    assert not home.revoked_at and not suspect.revoked_at


def test_A40_the_link_is_no_session_and_opens_nothing_else(link, alice):
    token = token_of(link)
    browser = Browser()
    browser.get(link)
    assert "_auth_user_id" not in browser.session
    assert browser.get("/devices/").status_code == 302
    assert refusal(Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {token}"))[0] == 401


def test_A28_another_site_cannot_answer(link, suspect):
    browser = Browser(enforce_csrf_checks=True)
    assert browser.post(link, {"answer": "no"}).status_code == 403
    suspect.refresh_from_db()
    assert not suspect.revoked_at


@pytest.mark.parametrize("answer", ["", "maybe", "YES"])
def test_anything_but_yes_and_no_is_asked_again(link, suspect, answer):
    assert Browser().post(link, {"answer": answer}).status_code == 400
    suspect.refresh_from_db()
    assert suspect.reviewed_at is None


def test_a_session_that_is_not_kept_any_more_is_not_asked_about(link, suspect):
    DeviceSession.objects.filter(pk=suspect.pk).delete()
    assert Browser().get(link).status_code == 410


def test_it_is_asked_in_the_language_of_the_reader_and_never_stored(link):
    page = Browser().get(link)
    assert page["X-Robots-Tag"] == "noindex"


# Hostile text


HOSTILE = "<script>x</script> <img src=https://evil.test onerror=x> www.evil.test {{ 7|add:7 }}"


def test_A22_A27_what_a_client_calls_itself_is_inert_in_mail_and_page(alice, at_home):
    session = stranger(alice)
    DeviceSession.objects.filter(pk=session.pk).update(device=HOSTILE[:64], city=HOSTILE)
    data = {**Notification.objects.get().data, "device": HOSTILE, "city": HOSTILE}
    data["reasons"] = [
        {"code": "own", "text": HOSTILE},
        {"code": "new_country", "country": HOSTILE},
    ]
    Notification.objects.update(data=data)
    [told] = mails()
    html = told.alternatives[0][0]
    page = Browser().get(link_of(told)).content.decode()
    for text in (html, page):
        assert "<script>x" not in text
        assert "<img src=https" not in text
        assert "&lt;script&gt;x" in text
    # Nothing for a mail program to make a link of, and one line of each header.
    assert "https://evil" not in told.body + html and "www.evil" not in told.body + html
    message = told.message()
    assert "Bcc" not in message and "\n" not in message["Subject"]


def test_A22_a_subject_is_one_line(alice):
    notice = outbox.write(alice.pk, "new_device", {"device": "x\r\nBcc: everybody@example.org"})
    outbox.send_due()
    notice.refresh_from_db()
    [told] = mail.outbox
    assert notice.outcome == "sent" and told.recipients() == [alice.email]
    assert "Bcc" not in told.message()


def test_A22_links_come_from_the_settings_whatever_the_host_says(alice, at_home):
    stranger(alice)
    Device(FIREFOX, TOKYO).post(
        "/api/login", {"email": alice.email, "password": PASSWORD}, HTTP_HOST="evil.test"
    )
    for told in mails():
        assert "evil.test" not in told.message().as_string()


def test_without_an_address_of_the_site_mails_have_no_links(alice, at_home, settings):
    settings.DEVICES = {**settings.DEVICES, "SITE_URL": "", "SITE_NAME": ""}
    stranger(alice)
    [told] = mails()
    assert "http" not in told.body and "our site" in told.subject


def test_no_token_stands_in_a_mail(alice, at_home):
    stranger(alice)
    text = mails()[0].message().as_string()
    assert not A_TOKEN.search(text) and TOKYO in text


# What is remembered


def test_the_past_forgets_after_180_days(alice, at_home, clock):
    clock.shift(timedelta(days=181))
    assert stranger(alice).risk_level == RiskLevel.NONE
    assert login_history.purge(10) == 0
    clock.shift(timedelta(days=181))
    assert login_history.purge(10) == 1 and not LoginHistory.objects.exists()


def test_the_past_outlives_the_sessions_and_goes_with_the_account(alice, at_home):
    DeviceSession.objects.all().delete()
    assert stranger(alice).risk_level == RiskLevel.HIGH
    assert BERLIN not in str(LoginHistory.objects.get().data)
    alice.delete()
    assert not LoginHistory.objects.exists() and not Notification.objects.exists()


def test_the_past_of_somebody_with_many_devices_stays_small(alice, clock):
    for n in range(60):
        sessions.start(alice, Client(f"10.{n}.1.1", CHROME, app_id=f"app {n}"))
        clock.shift(60)
    data = LoginHistory.objects.get().data
    assert len(data["devices"]) == len(data["networks"]) == login_history.MOST
    assert len(str(data)) < 8000


def test_an_ordinary_login_writes_the_past_once_an_hour(alice, at_home, clock):
    def seen():
        at_home.sign_in(alice.email)
        return LoginHistory.objects.get().seen_at

    first = seen()
    clock.shift(3599)
    assert seen() == first
    clock.shift(2)
    assert seen() > first


class Raising:
    def locate(self, address):
        raise OSError(address)


def out_of_order(login, past):
    raise ZeroDivisionError


class Junk:
    def locate(self, address):
        return "FI"


def a_number(login, past):
    return 5


def points_in_words(login, past):
    return Reason("odd", "five", {})


def no_json(login, past):
    return Reason("odd", 5, {"at": login.at})


def test_a_login_does_without_what_rules_and_places_return_that_they_must_not(
    alice, at_home, settings
):
    rules = [f"{__name__}.{rule}" for rule in ("a_number", "points_in_words", "no_json")]
    settings.DEVICES = {
        **settings.DEVICES,
        "GEO_BACKEND": f"{__name__}.Junk",
        "RISK_RULES": rules,
    }
    session = stranger(alice)
    assert (session.country, session.risk_level) == ("", RiskLevel.LOW)
    assert at_home.refresh().status_code == 200


def test_a_login_does_without_a_place_and_without_a_rule_that_fails(alice, at_home, settings):
    settings.DEVICES = {
        **settings.DEVICES,
        "GEO_BACKEND": f"{__name__}.Raising",
        "RISK_RULES": [f"{__name__}.out_of_order"],
    }
    session = stranger(alice)
    assert (session.country, session.risk_level) == ("", RiskLevel.LOW)
    assert at_home.refresh().status_code == 200
