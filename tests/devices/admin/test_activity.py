"""The log of all sessions, as staff read it; and that reading is all they can do."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.admin.read_only import BoundedPaginator
from devices.core import sessions
from devices.core.log import activity
from devices.models import Activity, DeviceSession, RevokeReason
from tests.plans import prefer_indexes

LOG = "/admin/devices/activity/"


def lines(staff, /, **query):
    answer = staff.get(LOG, query)
    assert answer.status_code == 200, answer.get("Location")
    return [(line.user.email, line.kind) for line in answer.context["cl"].result_list]


@pytest.fixture
def past(alice, mallory, start, clock, viewer):
    """Alice's session, named and ended; then Mallory's. The viewer's own sign-in is left out of it."""
    Activity.objects.all().delete()
    session = start(alice)
    clock.shift(1)
    sessions.rename(session, "phone")
    clock.shift(1)
    sessions.revoke(session, reason=RevokeReason.USER)
    clock.shift(1)
    Activity.objects.filter(kind="device.new").delete()
    start(mallory)
    Activity.objects.filter(kind="device.new").delete()
    return session


ALICES = [
    ("alice@example.org", "session.revoked"),
    ("alice@example.org", "session.renamed"),
    ("alice@example.org", "session.started"),
]
ALL = [("mallory@example.org", "session.started"), *ALICES]


def test_the_newest_lines_come_first(viewer, past):
    assert lines(viewer) == ALL


def test_by_person_session_and_kind(viewer, alice, past):
    assert lines(viewer, user=alice.pk) == ALICES
    assert lines(viewer, session=past.pk) == ALICES
    assert lines(viewer, kind="session.renamed") == ALICES[1:2]
    assert lines(viewer, user=alice.pk, kind="session.started") == ALICES[2:]
    assert lines(viewer, session=uuid.uuid4()) == []
    assert lines(viewer, kind="x.y") == []


def test_by_how_a_login_begins_or_the_id_of_a_session(viewer, past):
    assert lines(viewer, q="ALI") == ALICES
    assert lines(viewer, q=str(past.pk)) == ALICES
    assert lines(viewer, q="zz") == []
    assert lines(viewer, q=" ") == ALL


def test_the_log_of_a_session_that_was_deleted_is_still_there(viewer, past):
    DeviceSession.objects.filter(pk=past.pk).delete()
    assert lines(viewer, session=past.pk) == ALICES
    assert lines(viewer) == ALL


@pytest.mark.parametrize(
    "query",
    ["session=x", "user=x", "session=%00", "ip_address=203.0.113.7", "data__reason=user", "at__year=2026"],
)  # fmt: skip
def test_A45_a_filter_nobody_offered_is_refused(viewer, past, query):
    answer = viewer.get(f"{LOG}?{query}")
    assert answer.status_code in (302, 400), "nothing is listed"


def test_what_clients_and_host_projects_wrote_is_inert(viewer, past):
    sessions_of = DeviceSession.objects.filter(revoked_at__isnull=True).first()
    mark = "<script>alert(1)</script>\u202e"
    activity.record(sessions_of, "report.exported", {mark: {"deep": [mark]}, "long": "x" * 900})
    page = viewer.get(LOG).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "x" * 501 not in page


def test_what_was_strange_is_said_in_words(viewer, alice, start):
    start(alice)
    page = viewer.get(LOG, {"user": alice.pk, "kind": "device.new"}).content.decode()
    line = Activity.objects.filter(user=alice, kind="device.new")
    assert ("The first sign-in on a device of this kind." in page) == line.exists()
    session = DeviceSession.objects.filter(user=alice).first()
    reasons = [{"code": "new_device", "alike": False}]
    activity.record(session, "login.suspicious", {"level": "high", "score": 60, "reasons": reasons})
    activity.record(session, "host.said", {"reasons": 3})
    page = viewer.get(LOG, {"user": alice.pk}).content.decode()
    assert "The first sign-in on a device of this kind." in page
    assert "<bdi>reasons</bdi>: <bdi>3</bdi>" in page


def test_A45_neither_strangers_nor_customers_nor_staff_without_the_right_get_in(
    clerk, client, alice, past
):
    assert clerk.get(LOG).status_code == 403
    assert client.get(LOG).status_code == 302
    client.force_login(alice)
    assert client.get(LOG).status_code == 302


def test_16_4_2_nobody_writes_it_here_not_even_a_superuser(root, past):
    line = Activity.objects.order_by("id").first()
    before = list(Activity.objects.order_by("id").values())
    assert root.get(f"{LOG}add/").status_code == 403
    assert root.get(f"{LOG}{line.pk}/delete/").status_code == 403
    assert root.post(f"{LOG}{line.pk}/delete/", {"post": "yes"}).status_code == 403
    answer = root.post(f"{LOG}{line.pk}/change/", {"kind": "x.y"})
    assert (answer.status_code, answer["Location"]) == (302, "../../")
    root.post(LOG, {"action": "delete_selected", "_selected_action": [line.pk], "post": "yes"})
    assert list(Activity.objects.order_by("id").values()) == before
    assert "delete_selected" not in root.get(LOG).content.decode()


def test_it_costs_as_many_queries_for_a_long_log_and_counts_no_further_than_it_shows(
    viewer, past, monkeypatch
):
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 60)
    viewer.get(LOG)
    costs = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            page = " ".join(viewer.get(LOG).content.decode().split())
        assert costs or "4 lines" in page
        costs.append(len(queries))
        for _ in range(70):
            activity.record(past, "report.exported")
    assert costs[0] == costs[1] <= 9
    with CaptureQueriesContext(connection) as queries:
        page = " ".join(viewer.get(LOG).content.decode().split())
    assert "More than 60 lines" in page
    assert [query["sql"] for query in queries if "COUNT(*)" in query["sql"]]
    assert all("LIMIT 61" in query["sql"] for query in queries if "COUNT(*)" in query["sql"])


@pytest.mark.parametrize(
    ("query", "index"),
    [("user", "devices_act_user"), ("session", "devices_act_session")],
)
def test_a_person_and_a_session_are_found_by_an_index_in_its_order(
    viewer, alice, past, query, index
):
    value = alice.pk if query == "user" else past.pk
    found = viewer.get(LOG, {query: value}).context["cl"].queryset
    prefer_indexes()
    plan = found[:50].explain()
    assert index in plan


def test_the_page_of_a_session_leads_to_the_rest_of_a_long_log(viewer, past):
    for _ in range(110):
        activity.record(past, "report.exported")
    page = viewer.get(f"/admin/devices/devicesession/{past.pk}/change/").content.decode()
    assert f'href="{LOG}?session={past.pk}"' in page
