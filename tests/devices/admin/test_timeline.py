"""The page of a session: what became of it, in words, newest first."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.admin import timeline
from devices.core import sessions
from devices.core.binding import keys
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.core.staff import bulk_revocation
from devices.core.tokens import Claims
from devices.exceptions import RefreshReused
from devices.models import Activity, Binding, DeviceSession, RevokeReason
from tests.client import IPHONE
from tests.dbsc import new_key, public

from .pages import page_of


def told(browser, session):
    """The moments of the page, as text."""
    html = browser.get(page_of(session)).content.decode()
    part = html.split('<section class="module timeline"')[1].split("</section>")[0]
    moments = re.findall(r"<li.*?</li>", part, re.S)
    return [
        re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", each))).strip() for each in moments
    ]


def whats(session):
    fresh = DeviceSession.objects.get(pk=session.pk)
    return [moment.what for moment in timeline.timeline(fresh).moments]


def test_a_life_in_words_newest_first(clock, revoker, alice, start):
    session = start(alice, IPHONE, "8.8.8.8")
    clock.shift(60)
    sessions.rename(session, "My phone")
    clock.shift(60)
    activity.record(session, "report.exported", {"pages": 3}, ip_address="192.0.2.9")
    clock.shift(60)
    bulk_revocation.revoke(
        DeviceSession.objects.filter(pk=session.pk), by=revoker.user, note="Ticket 4711"
    )
    lines = told(revoker, session)
    assert [re.split(r"(?:[ap]\.m\.|noon) ", line)[1] for line in lines] == [
        "Ended: Revoked by staff By : revoker@staff.example Reason : Ticket 4711",
        "report.exported from 192.0.2.9 pages : 3",
        "Named My phone",
        "Signed in from 8.8.8.8 By : password Device : Safari on iOS Place : United States",
    ]


def test_an_active_session_tells_when_it_was_used_and_when_it_will_end(
    clock, viewer, alice, sign_in
):
    phone = sign_in(alice)
    clock.shift(120)
    phone.rotate()
    clock.shift(120)
    assert phone.is_in()
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert whats(session) == [
        "Will expire, unless it is used before",
        "Last active",
        "Tokens refreshed",
        "Signed in",
    ]
    assert told(viewer, session)[2].endswith("Tokens refreshed 1 time so far")
    clock.shift(31 * 86400)
    assert whats(session)[0] == "Expired, because it was not used"


def test_who_ended_it_and_why(alice, mallory, start):
    own, by_staff, by_itself = start(alice), start(alice), start(alice)
    sessions.logout(own)
    sessions.revoke(by_staff, reason=RevokeReason.ADMIN, by=mallory, note="x")
    sessions.revoke(by_itself, reason=RevokeReason.LIMIT)

    def end_of(session):
        fresh = DeviceSession.objects.get(pk=session.pk)
        moment, *_ = timeline.timeline(fresh).moments
        return moment.what, moment.details

    assert end_of(own) == ("Ended: Signed out", (("By", "the owner"),))
    assert end_of(by_staff) == (
        "Ended: Revoked by staff",
        (("By", mallory.email), ("Reason", "x")),
    )
    assert end_of(by_itself) == ("Ended: Too many sessions", ())
    mallory.delete()
    # Whoever is erased is named nowhere; if only their row went, it says so.
    assert end_of(by_staff)[1] == (("Reason", "x"),)
    Activity.objects.filter(kind="session.revoked", data__note="x").update(
        data={"reason": "admin", "by": "77"}
    )
    assert end_of(by_staff)[1] == (("By", "a deleted user (77)"),)


def test_a_replay_and_a_strange_login_stand_out_with_their_reasons(clock, viewer, alice, start):
    session = start(alice)
    reasons = [
        {"code": "new_country", "points": 40, "country": "FR"},
        {"code": "impossible_travel", "points": 20, "kilometres": 900, "hours": 1},
        {"code": "our_own", "text": "On a list of ours."},
    ]
    activity.record(session, "login.suspicious", {"score": 60, "reasons": reasons})
    for generation in range(3):
        clock.shift(60)
        session = sessions.rotate(Claims(str(alice.pk), session.pk, generation), Client(None))
    with pytest.raises(RefreshReused):
        sessions.rotate(Claims(str(alice.pk), session.pk, 0), Client("198.51.100.66"))
    html = viewer.get(page_of(session)).content.decode()
    assert html.count('<li class="alarming">') == 2
    lines = " ".join(told(viewer, session))
    for text in (
        "The first sign-in in this country: France.",
        "On a list of ours.",
        "Score : 60",
        "A used refresh token was sent again from 198.51.100.66",
        "Ended: Refresh token used twice",
    ):
        assert text in lines


def test_renewals_of_a_bound_cookie_are_counted_apart_from_refreshes(clock, viewer, alice, start):
    session = start(alice)
    key = keys.parse(public(new_key()), "ES256")
    sessions.bind(session, Binding.DBSC, key, at=timezone.now())
    for _renewal in range(2):
        clock.shift(60)
        assert sessions.renew(session)
    lines = " ".join(told(viewer, session))
    assert "Key proved" in lines and "2 times so far" in lines
    assert "Tokens refreshed" not in lines


def test_what_the_owner_answered(alice, start):
    session = start(alice)
    sessions.review(session.pk, is_mine=False)
    assert {"The owner said that it was not them", "Ended: Reported as not me"} <= set(
        whats(session)
    )


def test_without_its_log_the_row_tells_the_beginning_and_the_end(alice, start, mallory):
    session = start(alice, ip="8.8.8.8")
    sessions.revoke(session, reason=RevokeReason.ADMIN, by=mallory)
    Activity.objects.all().delete()
    assert whats(session) == ["Ended: Revoked by staff", "Signed in"]


def test_a_long_log_is_cut_and_says_so(clock, viewer, alice, start, monkeypatch):
    monkeypatch.setattr(timeline, "LENGTH", 3)
    session = start(alice)
    for n in range(3):
        clock.shift(1)
        activity.record(session, f"report.n{n}")
    assert [what for what in whats(session) if "." in what] == [
        "report.n2",
        "report.n1",
        "report.n0",
    ]
    assert (
        "Of its log the newest 3 lines are shown." in viewer.get(page_of(session)).content.decode()
    )
    other = start(alice)
    assert "Of its log" not in viewer.get(page_of(other)).content.decode()


def test_what_the_host_records_is_bounded_and_may_be_anything(viewer, alice, start):
    session = start(alice)
    activity.record(session, "report.x", {"long": "x" * 5000, "nested": {"a": [1]}, "none": None})
    Activity.objects.create(
        session=session, user=alice, kind="session.revoked", at=session.created_at, data=["odd"]
    )
    Activity.objects.create(
        session=session, user=alice, kind="login.suspicious", at=session.created_at, data={}
    )
    html = viewer.get(page_of(session)).content.decode()
    assert "x" * 500 in html and "x" * 501 not in html
    assert "Ended: None" in html


def test_the_page_costs_as_many_queries_for_a_long_log_as_for_a_short_one(viewer, alice, start):
    session = start(alice)
    viewer.get(page_of(session))
    with CaptureQueriesContext(connection) as short:
        viewer.get(page_of(session))
    for _ in range(60):
        activity.record(session, "report.exported", {"x": 1}, by=viewer.user)
    with CaptureQueriesContext(connection) as long:
        viewer.get(page_of(session))
    assert len(long) == len(short) <= 8
