"""The list of sessions and the page of one: what they show, and that nothing there can be changed."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.admin.read_only import BoundedPaginator
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.models import DeviceSession, RevokeReason
from tests.client import IPHONE

from .pages import LIST, listed, page_of


def test_the_list_shows_risk_user_device_address_place_times_state_and_binding(
    viewer, alice, start, clock
):
    start(alice, IPHONE, "8.8.8.8")
    clock.shift(5 * 3600)
    DeviceSession.objects.update(last_active=timezone.now() - timedelta(hours=3))
    row = re.search(r"<tbody>(.*?)</tbody>", viewer.get(LIST).content.decode(), re.S)[1]
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
    assert cells == [
        "-",
        "alice@example.org",
        "Safari on iOS",
        "8.8.8.8",
        "United States",
        "5\xa0hours ago",
        "3\xa0hours ago",
        "Active",
        "-",
    ]


def test_the_newest_come_first_unless_an_order_is_asked_for(viewer, alice, start, clock):
    first = start(alice)
    clock.shift(1)
    second = start(alice)
    for order in ("", "1", "-1", "3.4", "-8", "99", "-99", "x", "user__password", "-5.1"):
        assert listed(viewer, o=order) == [second.pk, first.pk], order


@pytest.mark.parametrize(
    ("column", "order"),
    [("0", [3, 2, 1]), ("-0", [1, 2, 3]), ("5", [1, 2, 3]), ("-6", [1, 3, 2]), ("6", [2, 3, 1])],
)
def test_risk_sign_in_and_last_use_sort_the_list(viewer, alice, start, clock, column, order):
    made = {}
    for number, (score, used) in enumerate([(70, 3), (20, 1), (0, 2)], start=1):
        clock.shift(1)
        made[number] = start(alice).pk
        used_at = timezone.now() + timedelta(hours=used)
        DeviceSession.objects.filter(pk=made[number]).update(risk_score=score, last_active=used_at)
    assert listed(viewer, o=column) == [made[number] for number in order]
    assert listed(viewer, o=column, q=alice.email) == [made[number] for number in order]
    assert viewer.get(LIST).content.decode().count('class="sortable') == 3


def test_what_is_sorted_are_the_newest_that_the_pages_hold(
    viewer, alice, start, bystanders, clock, monkeypatch
):
    oldest = start(alice)
    clock.shift(1)
    bystanders(alice, 12)
    DeviceSession.objects.filter(pk=oldest.pk).update(risk_score=90)
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 10)
    answer = viewer.get(LIST, {"o": "-0"})
    assert oldest.pk not in {session.pk for session in answer.context["cl"].result_list}
    assert "More than 10 device sessions; these pages hold the newest 10." in (
        answer.content.decode()
    )


def test_ended_sessions_are_listed_by_their_end(viewer, alice, start, clock):
    early, late = start(alice), start(alice)
    for session in (late, early):
        clock.shift(1)
        sessions.revoke(session, reason=RevokeReason.USER)
    assert listed(viewer, state="revoked") == [early.pk, late.pk]


def test_a_page_of_the_list_costs_as_many_queries_for_a_thousand_sessions_as_for_one(
    viewer, alice, start, bystanders
):
    start(alice)
    with CaptureQueriesContext(connection) as for_one:
        assert len(listed(viewer)) == 1
    bystanders(alice, 1000)
    with CaptureQueriesContext(connection) as for_many:
        assert len(listed(viewer)) == 50
    assert len(for_many) == len(for_one) <= 9
    with CaptureQueriesContext(connection) as for_sorted:
        assert len(listed(viewer, o="-0")) == 50
    assert len(for_sorted) == len(for_one)


def test_no_query_of_the_list_counts_or_sorts_the_whole_table(viewer, alice, bystanders):
    bystanders(alice, 60)
    with CaptureQueriesContext(connection) as queries:
        viewer.get(LIST, {"_facets": "True"}, follow=True)
        viewer.get(LIST)
    ours = [query["sql"] for query in queries if "devices_devicesession" in query["sql"]]
    assert ours
    assert [sql for sql in ours if "LIMIT" not in sql] == []
    assert [sql for sql in ours if "DISTINCT" in sql] == []


def test_the_list_counts_to_a_bound_and_says_so(viewer, alice, bystanders, monkeypatch):
    monkeypatch.setattr("devices.admin.read_only.BoundedPaginator.LIMIT", 100)
    bystanders(alice, 100)
    assert "100 device sessions" in viewer.get(LIST).content.decode()
    bystanders(alice, 1)
    page = viewer.get(LIST)
    assert "More than 100 device sessions" in page.content.decode()
    assert list(page.context["cl"].paginator.page_range) == [1, 2]
    assert len(listed(viewer, p="2")) == 50
    assert viewer.get(LIST, {"p": "3"}).status_code == 302


def test_the_page_of_a_session_shows_every_column_but_the_secret_ones(viewer, alice, start):
    session = start(alice, IPHONE, "8.8.8.8")
    DeviceSession.objects.filter(pk=session.pk).update(device_key="a-device-key")
    page = viewer.get(page_of(session)).content.decode()
    shown = {
        name
        for _title, options in admin.site.get_model_admin(DeviceSession).fieldsets
        for names in options["fields"]
        for name in ([names] if isinstance(names, str) else names)
    }
    columns = {field.name for field in DeviceSession._meta.concrete_fields}
    secret = {"password_stamp", "provider_sid", "binding_jwk", "device_key", "unusual_uses"}
    assert columns - shown == secret
    assert session.password_stamp not in page
    assert "a-device-key" not in page
    for fact in (str(session.pk), alice.email, IPHONE, "8.8.8.8", "US", "Safari", "iOS", "Active"):
        assert fact in page


def test_the_page_of_a_session_has_no_control_but_the_button_to_revoke_it(root, alice, start):
    page = root.get(page_of(start(alice))).content.decode()
    form = page[page.index('<form method="post" id="devicesession_form"') :].split("</form>")[0]
    controls = re.findall(r'<(?:input|select|textarea|button)[^>]*?(?:name|value)="([^"]+)"', form)
    assert controls == ["csrfmiddlewaretoken", "action", "_selected_action", "Revoke…"]
    assert page.count("mallory@example.org") == 0


def test_the_page_of_a_session_costs_as_many_queries_for_a_long_log_as_for_a_short_one(
    viewer, alice, start
):
    session = start(alice)
    # Once before, since the admin looks its content type up once in a process.
    viewer.get(page_of(session))
    with CaptureQueriesContext(connection) as short:
        viewer.get(page_of(session))
    for _ in range(60):
        activity.record(session, "report.exported")
    with CaptureQueriesContext(connection) as long:
        viewer.get(page_of(session))
    assert len(long) == len(short) <= 7


@pytest.mark.parametrize("path", ["add/", "{pk}/delete/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_A45_there_is_no_page_to_add_or_delete_a_session(root, alice, start, path, method):
    session = start(alice)
    url = LIST + path.format(pk=session.pk)
    assert getattr(root, method)(url, {"post": "yes"}).status_code == 403
    assert DeviceSession.objects.count() == 1


def test_A45_a_forged_form_changes_nothing_of_a_session(root, alice, mallory, start):
    session = start(alice)
    before = DeviceSession.objects.values().get()
    forged = {"user": mallory.pk, "name": "mine", "revoked_at": "", "device": "x", "_save": "Save"}
    assert root.post(page_of(session), forged).status_code == 403
    forged |= {"_save": "Save", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}
    forged |= {"form-0-id": str(session.pk), "form-0-name": "mine"}
    root.post(LIST, forged)
    assert DeviceSession.objects.values().get() == before


@pytest.mark.parametrize("action", ["delete_selected", "nonsense", "", "changelist_view"])
def test_A45_no_other_action_than_revoking_is_taken(root, alice, start, action):
    session = start(alice)
    data = {"action": action, "_selected_action": str(session.pk), "index": "0", "post": "yes"}
    assert root.post(LIST, data).status_code == 302
    assert DeviceSession.objects.get().revoked_at is None


def test_deleting_a_user_in_the_admin_takes_their_sessions_along(root, alice, start):
    start(alice)
    url = f"/admin/accounts/user/{alice.pk}/delete/"
    assert "Yes, I’m sure" in root.get(url).content.decode()
    assert root.post(url, {"post": "yes"}).status_code == 302
    assert not DeviceSession.objects.exists()


def test_deleting_a_user_needs_the_permission_to_delete_sessions_as_with_any_related_model(
    make_staff, alice, start
):
    session = start(alice)
    url = f"/admin/accounts/user/{alice.pk}/delete/"
    clerk = make_staff("clerk", "view_user", "delete_user")
    assert "Yes, I’m sure" not in clerk.get(url).content.decode()
    assert clerk.post(url, {"post": "yes"}).status_code == 403
    assert DeviceSession.objects.get() == session


MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)//",
    "{{7*7}}{% now 'Y' %}",
    "</title><svg onload=alert(1)>",
]


@pytest.mark.parametrize("text", MARKUP)
def test_A27_markup_from_a_client_is_text_on_every_page(root, alice, start, text):
    session = start(alice, f"{text[:40]}/1.0 (X11; Linux x86_64)")
    DeviceSession.objects.filter(pk=session.pk).update(
        name=text[:64], device=text[:64], browser=text[:32], os=text[:32], city=text, country="<b"
    )
    activity.record(session, "x.y", {text: text, "nested": {text: [text]}})
    pages = [
        root.get(LIST),
        root.get(LIST, {"os": text[:32], "browser": text[:32], "country": "<b"}),
        root.get(LIST, {"q": text}),
        root.get(page_of(session)),
        root.get(f"/admin/accounts/user/{alice.pk}/change/"),
        root.post(LIST, {"action": "revoke", "_selected_action": str(session.pk), "note": ""}),
        root.post(
            LIST,
            {"action": "revoke", "_selected_action": str(session.pk), "note": text},
            follow=True,
        ),
        root.get(page_of(session)),
    ]
    for page in pages:
        html = page.content.decode()
        assert page.status_code == 200
        for tag in ("<script>alert", "<img src=x", "<svg onload", 'href="javascript:', "<b\n"):
            assert tag not in html
        assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", html)


def test_A27_text_that_runs_from_right_to_left_turns_nothing_around_it(root, alice, start):
    session = start(alice)
    override = "\u202egnp.exe"
    DeviceSession.objects.filter(pk=session.pk).update(name=override, city=override)
    # In <bdi> or Unicode's isolates beside other text; else alone in a block, or at the end of one.
    blocks = '<div class="readonly">|&rsaquo; |<li aria-current="page">'
    isolated = rf'(?:<bdi>|\u2068|{blocks}|aria-label="[^"]*)'
    for url in (LIST, page_of(session), f"/admin/accounts/user/{alice.pk}/change/"):
        html = root.get(url).content.decode()
        assert len(re.findall(isolated + override, html)) == html.count(override) > 0


@pytest.mark.parametrize(
    "lookup",
    [
        {"password_stamp__startswith": "a"},
        {"device_key": "x"},
        {"user__password__startswith": "pbkdf2"},
        {"user__email__contains": "a"},
        {"user_agent__regex": "(a+)+$"},
        {"revoked_by__is_superuser": "1"},
        {"id__in": "x"},
        {"action": "revoke"},
        {"_to_field": "password_stamp"},
    ],
)
def test_no_column_can_be_felt_out_through_the_address_of_the_list(viewer, alice, start, lookup):
    start(alice)
    assert viewer.get(LIST, lookup).status_code == 400


def test_anonymous_sessions_of_unknown_address_and_agent_are_shown_too(viewer, alice):
    session = sessions.start(alice, Client(None, ""))
    assert listed(viewer) == [session.pk]
    assert viewer.get(page_of(session)).status_code == 200


@pytest.mark.parametrize("pk", ["x", "00000000-0000-4000-8000-000000000000", "%00", "1"])
def test_a_page_of_no_session_leads_back(viewer, db, pk):
    assert viewer.get(f"{LIST}{pk}/change/").status_code == 302


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no time limit")
@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_is_answered_with_advice(viewer):
    def be_slow(execute, sql, params, many, context):
        if 'FROM "devices_devicesession" INNER JOIN' in sql:
            context["cursor"].execute("SET statement_timeout = 10; SELECT pg_sleep(1)")
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(be_slow):
            answer = viewer.get(LIST, {"os": "iOS", "device_type": "desktop"})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    assert "That took too long" in viewer.get(LIST).content.decode()
