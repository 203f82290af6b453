"""Revoking from the admin: by whom, after which question, and what it leaves alone."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from devices.core import sessions
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import FIREFOX, PASSWORD

from .pages import LIST, page_of, revoke, told

NOTE = "Reported stolen, ticket 4711."


def unrevoked():
    return set(DeviceSession.objects.filter(revoked_at__isnull=True))


def test_a_revoked_session_is_out_at_the_next_request_with_actor_and_reason(
    revoker, alice, sign_in
):
    phone = sign_in(alice)
    session = DeviceSession.objects.get()
    answer = revoke(revoker, session, note=f"  {NOTE} ")
    entry = Activity.objects.get(kind="session.revoked")
    incident = entry.data["incident"]
    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/devices/activity/?incident={incident}"
    assert told(answer) == ["Revoked: 1 session of 1 person."]
    assert not phone.is_in()
    assert phone.refresh().status_code == 401
    session.refresh_from_db()
    assert session.revoke_reason == RevokeReason.ADMIN
    assert session.revoked_by == revoker.user
    by = str(revoker.user.pk)
    assert entry.data == {"reason": "admin", "by": by, "note": NOTE, "incident": incident}
    assert NOTE in revoker.get(page_of(session)).content.decode()


def test_the_first_post_asks_and_changes_nothing(revoker, alice, mallory, start):
    hers, his = start(alice), start(mallory)
    answer = revoke(revoker, hers, his, index="0")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<strong>2 sessions of 2 people</strong>" in page
    assert "<strong>Devices:</strong> \u2068Chrome on Windows\u2069 (2)" in page
    assert "everybody" not in page
    assert unrevoked() == {hers, his}


@pytest.mark.parametrize("note", ["", "   ", "\n", "x" * 501, "a\x00b"])
def test_a_reason_is_required(revoker, alice, start, note):
    session = start(alice)
    answer = revoke(revoker, session, note=note)
    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.content.decode()
    assert unrevoked() == {session}


def test_the_button_on_a_sessions_page_leads_to_the_same_question(revoker, alice, start):
    session = start(alice)
    page = revoker.get(page_of(session)).content.decode()
    form = page[page.index('<form method="post" id="devicesession_form"') :].split("</form>")[0]
    assert re.search(rf'<input type="submit" formaction="{LIST}"', form)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', form))
    fields.pop("csrfmiddlewaretoken")
    answer = revoker.post(LIST, fields)
    assert "<strong>1 session of 1 person</strong>" in answer.content.decode()


def test_the_question_itself_sends_what_it_asked_about(revoker, alice, start):
    session, other = start(alice), start(alice)
    page = revoke(revoker, session).content.decode()
    form = page[page.index('<form method="post">') :].split("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', form))
    assert revoker.post(LIST, fields | {"note": NOTE}).status_code == 302
    assert unrevoked() == {other}


def test_ended_sessions_are_skipped_and_counted(revoker, alice, start, clock):
    expired = start(alice)
    clock.shift(31 * 86400)
    revoker.force_login(revoker.user)
    active, revoked = start(alice), start(alice)
    sessions.revoke(revoked, reason=RevokeReason.USER)
    page = revoke(revoker, expired, active, revoked).content.decode()
    assert "<strong>1 session of 1 person</strong>" in page
    assert "2 sessions had ended already." in page
    answer = revoke(revoker, expired, active, revoked, note=NOTE)
    assert told(answer) == ["Revoked: 1 session of 1 person. 2 sessions had ended already."]
    reasons = dict(DeviceSession.objects.values_list("pk", "revoke_reason"))
    assert reasons == {expired.pk: "", active.pk: "admin", revoked.pk: "user"}


def test_with_nothing_left_to_revoke_there_is_no_button(revoker, alice, start):
    session = start(alice)
    sessions.revoke(session, reason=RevokeReason.USER)
    page = revoke(revoker, session).content.decode()
    assert "None of the chosen sessions can be revoked." in page
    assert '<input type="submit"' not in page
    assert told(revoke(revoker, session, note=NOTE)) == [
        "Revoked: 0 sessions of 0 people. 1 session had ended already."
    ]
    assert "Revoke…" not in revoker.get(page_of(session)).content.decode()


def test_the_question_says_what_the_chosen_ones_are(revoker, alice, start):
    chosen = [start(alice), start(alice, FIREFOX), start(alice, FIREFOX, ip="8.8.8.8")]
    page = revoke(revoker, *chosen).content.decode().replace("\u2068", "").replace("\u2069", "")
    assert "<strong>Devices:</strong> Firefox on Linux (2), Chrome on Windows (1)" in page
    assert "<strong>Countries:</strong> Unknown (2), United States (1)" in page


def test_select_across_revokes_all_that_the_filters_let_through(revoker, alice, start, settings):
    settings.DEVICES = {"MAX_SESSIONS": None}
    firefox = [start(alice, FIREFOX) for _ in range(60)]
    chrome = start(alice)
    query = "?browser=Firefox&q=ali"
    page = revoke(revoker, firefox[0], query=query, select_across="1", index="0").content.decode()
    assert "<strong>60 sessions of 1 person</strong>" in page
    assert "Page 1 of 6" in page
    assert '<input type="hidden" name="select_across" value="1">' in page
    assert "everybody" not in page
    answer = revoke(revoker, firefox[0], query=query, select_across="1", note=NOTE)
    assert answer["Location"].startswith("/admin/devices/activity/?incident=")
    assert told(answer) == ["Revoked: 60 sessions of 1 person."]
    assert unrevoked() == {chrome}


def test_the_preview_has_all_that_is_to_be_revoked_page_by_page(revoker, alice, start, bystanders):
    bystanders(alice, 21)
    first = DeviceSession.objects.filter(user=alice).first()
    turn = {"select_across": "1", "index": "0"}
    seen, asked_at = set(), ""
    for number in range(1, 4):
        # What is in the form by then stays there, and confirms nothing.
        fields = {"page": str(number), "note": NOTE, "asked_at": asked_at} if asked_at else {}
        page = revoke(revoker, first, query=f"?user={alice.pk}", **turn, **fields).content.decode()
        turn = {"select_across": "1"}
        assert f"Page {number} of 3" in page
        assert (NOTE in page) == bool(fields)
        seen |= set(re.findall(rf'href="{LIST}([0-9a-f-]{{36}})/change/"', page))
        before, asked_at = asked_at, re.search(r'name="asked_at" value="([^"]+)"', page)[1]
        assert before in ("", asked_at)
    assert seen == {str(session.pk) for session in DeviceSession.objects.filter(user=alice)}
    assert len(unrevoked()) == 21


@pytest.mark.parametrize("page", ["0", "x", "99", "-1", "\x00"])
def test_a_page_that_there_is_not_is_the_nearest(revoker, alice, bystanders, page):
    bystanders(alice, 12)
    some = DeviceSession.objects.first()
    answer = revoke(revoker, some, query=f"?user={alice.pk}", select_across="1", page=page)
    assert re.search(r"Page [12] of 2", answer.content.decode())


def test_the_preview_says_of_what_the_whole_set_consists(revoker, make_user, start):
    people = [make_user(f"user-{n}@example.org") for n in range(10)]
    for user in people:
        start(user, ip="41.58.3.1")
    some = [start(people[0], FIREFOX, "8.8.8.8") for _ in range(3)][0]
    page = revoke(revoker, some, query="?state=active", select_across="1").content.decode()
    page = page.translate({0x2068: "", 0x2069: ""})
    assert "<strong>Countries:</strong> Nigeria (10), United States (3)" in page
    assert "<strong>Devices:</strong> Chrome on Windows" in page
    assert "<strong>People:</strong> user-0@example.org (4), user-1@example.org (1)" in page
    assert "user-7@example.org (1), Others (2)" in page


def test_a_sorted_list_is_revoked_as_a_whole_too(revoker, alice, bystanders, monkeypatch, settings):
    """Sorted are the newest that the pages hold; found were all."""
    settings.DEVICES = {"MAX_SESSIONS": None}
    bystanders(alice, 12)
    monkeypatch.setattr("devices.admin.read_only.BoundedPaginator.LIMIT", 10)
    query = f"?user={alice.pk}&o=-7"
    listed = DeviceSession.objects.filter(user=alice).first()
    revoke(revoker, listed, query=query, select_across="1", note=NOTE)
    assert not DeviceSession.objects.filter(user=alice).active().exists()


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", "?p=1&o=2"])
def test_A45_select_across_without_a_filter_says_that_it_signs_out_everybody(
    revoker, alice, start, query
):
    page = revoke(revoker, start(alice), query=query, select_across="1").content.decode()
    assert "this signs out everybody, everywhere" in page


@pytest.mark.parametrize("query", ["?state=bogus", "?since=x", "?device_type=x", "?user=x"])
def test_A45_a_filter_nobody_offered_does_not_widen_what_is_revoked(revoker, alice, start, query):
    session = start(alice)
    revoke(revoker, session, query=query, select_across="1", note=NOTE)
    assert unrevoked() == {session}


def test_a_large_set_is_revoked_on_a_page_that_shows_how_far_it_is(
    revoker, alice, bystanders, start, monkeypatch, settings
):
    settings.DEVICES = {"MAX_SESSIONS": None}
    monkeypatch.setattr("devices.admin.revocation.MANY", 20)
    monkeypatch.setattr("devices.core.staff.bulk_revocation.BATCH", 8)
    bystanders(alice, 20)
    session = start(alice)
    page = revoke(revoker, session, select_across="1").content.decode()
    assert "<strong>21 sessions of 1 person</strong>" in page
    assert "step by step" in page
    answer = revoke(revoker, session, select_across="1", note=NOTE)
    assert answer.status_code == 200 and answer.streaming
    page = b"".join(answer.streaming_content).decode()
    steps = re.findall(r'<progress max="21" value="(\d+)"></progress> (.*?)<br>', page)
    assert steps == [("8", "8 of 21"), ("16", "16 of 21"), ("21", "21 of 21")]
    assert "<strong>Revoked: 21 sessions of 1 person.</strong>" in page
    assert "Go on" not in page
    assert page.rstrip().endswith("</html>")
    assert "<script" not in page.split("<main")[1]
    assert unrevoked() == set()


def test_under_asgi_the_page_shows_a_step_before_the_next_is_done(
    revoker, alice, bystanders, start, monkeypatch, settings, async_client
):
    settings.DEVICES = {"MAX_SESSIONS": None}
    monkeypatch.setattr("devices.admin.revocation.MANY", 20)
    monkeypatch.setattr("devices.core.staff.bulk_revocation.BATCH", 8)
    bystanders(alice, 20)
    fields = {"action": "revoke", "_selected_action": [start(alice).pk], "select_across": "1"}
    async_client.cookies = revoker.cookies

    @async_to_sync
    async def until_the_first_step():
        answer = await async_client.post(LIST, {**fields, "note": NOTE})
        parts = aiter(answer.streaming_content)
        head, step = await anext(parts), await anext(parts)
        await parts.aclose()  # They have left the page.
        return head + step

    assert 'value="8"' in until_the_first_step().decode()
    assert len(unrevoked()) == 13


def test_when_time_is_up_the_page_of_steps_has_a_button_to_go_on(
    revoker, alice, bystanders, start, monkeypatch, settings
):
    settings.DEVICES = {"MAX_SESSIONS": None}
    monkeypatch.setattr("devices.admin.revocation.MANY", 5)
    monkeypatch.setattr("devices.admin.revocation.PATIENCE", timedelta(0))
    monkeypatch.setattr("devices.core.staff.bulk_revocation.BATCH", 8)
    bystanders(alice, 30)
    some = DeviceSession.objects.first()
    answer = revoke(revoker, some, select_across="1", note='Ticket "4711" <b>')
    for left in (22, 14):
        page = b"".join(answer.streaming_content).decode()
        assert len(unrevoked()) == left
        form = page[page.index('<form method="post">') :].split("</form>")[0]
        assert 'value="Go on"' in form
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', form))
        answer = revoker.post(LIST, {name: unescape(value) for name, value in fields.items()})
    notes = Activity.objects.filter(kind="session.revoked").values_list("data__note", flat=True)
    assert set(notes) == {'Ticket "4711" <b>'}


def test_what_begins_after_the_question_was_no_part_of_it(revoker, alice, start, clock):
    revoker.force_login(revoker.user)
    first = start(alice)
    page = revoke(revoker, first, select_across="1").content.decode()
    asked_at = re.search(r'name="asked_at" value="([^"]+)"', page)[1]
    clock.shift(60)
    later = start(alice)
    revoke(revoker, first, select_across="1", note=NOTE, asked_at=asked_at)
    assert unrevoked() == {later}


@pytest.mark.parametrize("asked_at", ["yesterday", "0001-01-01 00:00", "9999-12-31 23:59"])
def test_a_time_of_the_question_that_is_none_is_asked_again(
    revoker, alice, start, settings, asked_at
):
    settings.TIME_ZONE = "Asia/Tokyo"
    page = revoke(revoker, start(alice), asked_at=asked_at).content.decode()
    assert "<strong>1 session of 1 person</strong>" in page


def test_A45_nobody_but_a_superuser_ends_a_superusers_session(revoker, root, alice, start):
    hers, roots = start(alice), start(root.user)
    page = revoke(revoker, hers, roots).content.decode()
    assert "<strong>1 session of 1 person</strong>" in page
    assert "1 session is of somebody with permissions that you do not have, and stays." in page
    answer = revoke(revoker, hers, roots, note=NOTE)
    assert told(answer)[0].startswith("Revoked: 1 session of 1 person. 1 session is of somebody")
    revoke(revoker, roots, note=NOTE)
    revoke(revoker, roots, select_across="1", note=NOTE)
    assert unrevoked() == {roots}
    assert "Revoke…" not in revoker.get(page_of(roots)).content.decode()
    assert "Revoke…" in root.get(page_of(roots)).content.decode()
    revoke(root, roots, note=NOTE)
    assert unrevoked() == set()


def test_A45_staff_cannot_revoke_without_the_permission_to(viewer, alice, start):
    session = start(alice)
    page = viewer.get(LIST).content.decode()
    assert 'name="action"' not in page
    assert "Revoke…" not in viewer.get(page_of(session)).content.decode()
    revoke(viewer, session, note=NOTE)
    revoke(viewer, session, select_across="1", note=NOTE, index="0")
    assert unrevoked() == {session}


def test_A45_the_permission_to_revoke_alone_opens_no_endpoint(make_staff, alice, start):
    session = start(alice)
    blind = make_staff("blind", "revoke_devicesession", "change_devicesession")
    assert blind.get(LIST).status_code == 403
    assert blind.get(page_of(session)).status_code == 403
    assert revoke(blind, session, note=NOTE).status_code == 403
    assert unrevoked() == {session}


def test_A45_rights_taken_between_question_and_answer_are_gone(revoker, alice, start):
    session = start(alice)
    assert revoke(revoker, session).status_code == 200
    revoker.user.user_permissions.clear()
    assert revoke(revoker, session, note=NOTE).status_code == 403
    assert unrevoked() == {session}


def test_A45_neither_strangers_nor_customers_get_in(alice, mallory, start):
    session = start(alice)
    stranger, customer = Browser(), Browser()
    customer.force_login(mallory)
    for browser in (stranger, customer):
        for answer in (
            browser.get(LIST),
            browser.get(page_of(session)),
            revoke(browser, session, note=NOTE),
        ):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/admin/login/")
    assert unrevoked() == {session}


def test_A45_a_get_revokes_nothing(root, alice, start):
    session = start(alice)
    fields = {"action": "revoke", "_selected_action": str(session.pk), "note": NOTE}
    for method in (root.get, root.head):
        assert method(LIST, fields).status_code == 400
        assert method(LIST, fields | {"select_across": "1", "index": "0"}).status_code == 400
    for method in (root.options, root.put, root.patch, root.delete):
        method(f"{LIST}?{urlencode(fields)}")
        method(LIST, fields, content_type="application/json")
    assert unrevoked() == {session}


def test_A28_a_form_of_another_site_revokes_nothing(revoker, alice, start):
    session = start(alice)
    forged = Browser(enforce_csrf_checks=True)
    forged.force_login(revoker.user)
    assert revoke(forged, session, note=NOTE).status_code == 403
    assert unrevoked() == {session}


@pytest.mark.parametrize("pk", ["x", "1", "", "\x00", "' OR 1=1--", "<script>", "9" * 5000])
def test_A45_a_forged_id_is_refused(revoker, alice, start, pk):
    session = start(alice)
    data = {"action": "revoke", "_selected_action": [str(session.pk), pk], "note": NOTE}
    assert revoker.post(LIST, data).status_code == 400
    assert unrevoked() == {session}


def test_an_unknown_id_is_nobodys(revoker, alice, start):
    session = start(alice)
    data = {"_selected_action": "00000000-0000-4000-8000-000000000000", "note": NOTE}
    answer = revoker.post(LIST, {"action": "revoke", **data})
    assert told(answer) == ["Revoked: 0 sessions of 0 people."]
    assert unrevoked() == {session}


def test_nothing_selected_revokes_nothing(revoker, alice, start):
    session = start(alice)
    for fields in (
        {},
        {"index": "0"},
        {"select_across": "1"},
        {"select_across": "1", "index": "0"},
    ):
        revoker.post(LIST, {"action": "revoke", "note": NOTE, **fields})
    assert unrevoked() == {session}


@pytest.mark.django_db(transaction=True)
def test_A46_what_was_revoked_before_an_error_stays_revoked_under_atomic_requests(
    make_staff, make_user, start, monkeypatch, settings
):
    revoker = make_staff("revoker", is_superuser=True)
    revoker.raise_request_exception = False
    first, second = start(make_user("a@example.org")), start(make_user("b@example.org"))
    really = sessions.revoke_batch

    def fails_at_the_first_one(batch, **kwargs):
        if first in batch:
            raise RuntimeError
        return really(batch, **kwargs)

    monkeypatch.setattr("devices.core.staff.bulk_revocation.BATCH", 1)
    monkeypatch.setattr(sessions, "revoke_batch", fails_at_the_first_one)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert revoke(revoker, first, second, note=NOTE).status_code == 500
    assert unrevoked() == {first}


def test_the_question_costs_as_many_queries_for_many_as_for_one(revoker, alice, start, bystanders):
    session = start(alice)
    with CaptureQueriesContext(connection) as for_one:
        revoke(revoker, session, select_across="1")
    bystanders(alice, 200)
    with CaptureQueriesContext(connection) as for_many:
        revoke(revoker, session, select_across="1")
    assert len(for_many) == len(for_one)


def test_people_are_signed_out_and_can_sign_in_again(revoker, alice, sign_in):
    phone = sign_in(alice)
    revoke(revoker, DeviceSession.objects.get(), note=NOTE)
    assert not phone.is_in()
    assert sign_in(alice, password=PASSWORD).is_in()
    assert User.objects.get(pk=alice.pk).is_active


def test_A45_the_session_one_is_in_stays_unless_one_says_so(revoker, alice, start, monkeypatch):
    start(alice)
    mine = start(revoker.user)
    monkeypatch.setattr("devices.admin.revocation._current", lambda request: mine.pk)
    page = revoke(revoker, mine, select_across="1").content.decode()
    assert "<strong>1 session of 1 person</strong>" in page
    assert "The session you are in just now stays." in page
    assert 'name="own"' in page
    answer = revoke(revoker, mine, select_across="1", note=NOTE)
    assert told(answer) == [
        "Revoked: 1 session of 1 person. The session you are in just now stays."
    ]
    assert unrevoked() == {mine}
    page = revoke(revoker, mine).content.decode()
    assert "None of the chosen sessions can be revoked." in page
    revoke(revoker, mine, note=NOTE, own="on")
    assert unrevoked() == set()
