"""Everybody's sessions over REST: for whom, by which filters, and what revoking leaves alone."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.staff import bulk_revocation
from devices.core.staff.filters import _READ as FILTERS
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE, Device, refusal

LIST, REVOKE, STATS = "/api/admin/sessions", "/api/admin/sessions/revoke", "/api/admin/stats"
NOTE = "Reported stolen, ticket 4711."


@pytest.fixture
def staff_member(make_user, sign_in):
    """staff_member("name", *codenames, **fields): a device on which this member of staff is signed in."""

    def staff_member(name, *codenames, **fields):
        user = make_user(f"{name}@staff.example", **{"is_staff": True, **fields})
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        device = sign_in(user)
        device.user = user
        return device

    return staff_member


@pytest.fixture
def viewer(staff_member):
    return staff_member("viewer", "view_devicesession")


@pytest.fixture
def revoker(staff_member):
    return staff_member("revoker", "view_devicesession", "revoke_devicesession")


@pytest.fixture
def start(db):
    def start(user, agent=CHROME, ip="203.0.113.7"):
        return sessions.start(user, Client(ip, agent))

    return start


def unrevoked():
    return set(DeviceSession.objects.filter(revoked_at__isnull=True))


def found(device, **query):
    answer = device.get(LIST, query)
    assert answer.status_code == 200, answer.json()
    rows = answer.json()["results"]
    return [uuid.UUID(each["id"]) for each in rows if not each["is_current"]]


# Who may


WHO = {
    "nobody": ((), {}, (403, 403, 403)),
    "a customer": ((), {"is_staff": False}, (403, 403, 403)),
    "staff who may change": (("change_devicesession", "view_user"), {}, (403, 403, 403)),
    "a viewer": (("view_devicesession",), {}, (200, 403, 200)),
    "a revoker": (("revoke_devicesession",), {}, (403, 200, 403)),
    "both": (("view_devicesession", "revoke_devicesession"), {}, (200, 200, 200)),
    "no staff, with both": (
        ("view_devicesession", "revoke_devicesession"),
        {"is_staff": False},
        (200, 200, 200),
    ),
    "a superuser": ((), {"is_superuser": True}, (200, 200, 200)),
}


@pytest.mark.parametrize("who", WHO)
def test_A45_each_endpoint_is_for_those_with_its_permission(staff_member, alice, start, who):
    codenames, fields, expected = WHO[who]
    device = staff_member("somebody", *codenames, **fields)
    session = start(alice)
    order = {"user": alice.pk, "reason": NOTE}
    answers = [device.get(LIST), device.post(REVOKE, order), device.get(STATS)]
    assert tuple(answer.status_code for answer in answers) == expected
    for answer in answers:
        if answer.status_code == 403:
            assert refusal(answer) == (403, "permission_denied")
    assert (session in unrevoked()) == (expected[1] == 403)


def test_A45_a_dry_run_is_a_look_and_asks_for_the_right_to(staff_member, alice, start):
    blind = staff_member("blind", "revoke_devicesession")
    start(alice, ip="198.51.100.9")
    for_root = staff_member("root", is_superuser=True).user
    start(for_root, ip="198.51.100.9")
    look = {"ip": "198.51.100.9", "dry_run": True}
    assert refusal(blind.post(REVOKE, look)) == (403, "permission_denied")
    # Nor do the figures of what was ended tell of what was not: whose address this is besides.
    answer = blind.post(REVOKE, {"ip": "198.51.100.9", "reason": NOTE})
    assert answer.status_code == 200
    assert answer.json() == {
        "matched": 1, "users": 1, "revoked": 1, "more": False, "protected": 0, "current_kept": False,
    }  # fmt: skip


def test_A45_neither_strangers_nor_the_cookie_of_the_admin_get_in(root_browser, alice, start):
    session = start(alice)
    for client in (Device(), root_browser):
        for answer in (client.get(LIST), client.get(STATS), client.post(REVOKE, {"all": True})):
            assert refusal(answer) == (401, "not_authenticated")
    assert session in unrevoked()


@pytest.fixture
def root_browser(make_user):
    browser = Device()
    browser.force_login(make_user("root@staff.example", is_staff=True, is_superuser=True))
    return browser


def test_V8_3_2_rights_that_were_taken_are_gone_at_the_next_request(revoker, alice, start):
    session = start(alice)
    assert revoker.get(LIST).status_code == 200
    revoker.user.user_permissions.clear()
    assert refusal(revoker.get(LIST)) == (403, "permission_denied")
    assert refusal(revoker.post(REVOKE, {"all": True, "reason": NOTE}))[0] == 403
    assert session in unrevoked()


def test_permissions_come_through_groups(make_user, sign_in, alice, start):
    from django.contrib.auth.models import Group
    from django.core.management import call_command

    call_command("session_groups", verbosity=0)
    user = make_user("clerk@staff.example", is_staff=True)
    device = sign_in(user)
    assert device.get(LIST).status_code == 403
    user.groups.add(Group.objects.get(name="Session viewers"))
    assert device.get(LIST).status_code == 200
    assert device.post(REVOKE, {"all": True, "reason": NOTE}).status_code == 403
    user.groups.add(Group.objects.get(name="Session managers"))
    assert device.post(REVOKE, {"all": True, "reason": NOTE}).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
@pytest.mark.parametrize("path", [LIST, REVOKE, STATS, LIST + "/", REVOKE + "/"])
def test_nothing_else_is_taken(staff_member, path, method):
    device = staff_member("root", is_superuser=True)
    assert getattr(device, method)(path).status_code == 405


# What is listed


def test_a_row_is_a_session_and_whose_it_is_and_holds_no_secret(viewer, alice, start):
    session = start(alice)
    DeviceSession.objects.filter(pk=session.pk).update(device_key="a-device-key")
    [row] = viewer.get(LIST, {"user": alice.pk}).json()["results"]
    assert row["user"] == {"id": str(alice.pk), "name": alice.email}
    assert set(row) == {
        *("id", "user", "name", "device", "device_type", "browser", "os", "is_mobile"),
        *("ip_address", "last_ip", "country", "city", "user_agent", "login_method"),
        *("binding", "is_place_uncertain"),
        *("created_at", "last_active", "expires_at", "is_current", "status", "ended_at"),
        *("revoke_reason", "revoked_by", "authenticated_at", "mfa_at"),
        *("risk_level", "risk_score", "reviewed_at", "impersonator"),
    }
    answer = viewer.get(LIST)
    for secret in ("a-device-key", session.password_stamp, alice.password, "eyJ"):
        assert secret not in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]


def test_pages_go_on_by_cursor_newest_first(clock, viewer, alice, bystanders):
    bystanders(alice, 5)
    for n, session in enumerate(DeviceSession.objects.filter(user=alice)):
        DeviceSession.objects.filter(pk=session.pk).update(
            created_at=session.created_at.replace(hour=n)
        )
    first = viewer.get(LIST, {"email": alice.email, "page_size": 3}).json()
    second = viewer.get(first["next"]).json()
    times = [row["created_at"] for row in first["results"] + second["results"]]
    assert times == sorted(times, reverse=True) and len(set(times)) == 5
    assert second["next"] is None


def test_ended_ones_are_listed_by_their_end(clock, viewer, alice, start):
    early, late = start(alice), start(alice)
    for session in (late, early):
        clock.shift(1)
        sessions.revoke(session, reason=RevokeReason.USER)
    assert found(viewer, status="revoked") == [early.pk, late.pk]
    first = viewer.get(LIST, {"status": "revoked", "page_size": 1}).json()
    [second] = viewer.get(first["next"]).json()["results"]
    assert second["id"] == str(late.pk)


def test_each_filter_lets_through_what_it_says(clock, viewer, alice, mallory, start):
    hers = start(alice, IPHONE, "8.8.8.8")
    clock.shift(3600)
    his = start(mallory, FIREFOX, "81.2.69.142")
    sessions.revoke(his, reason=RevokeReason.USER)
    DeviceSession.objects.filter(pk=his.pk).update(risk_level="high")
    viewer.rotate()
    noon = "2026-03-01T12:30:00Z"
    hers_by = {
        "user": alice.pk,
        "email": "Alice@example.org",
        "ip": "8.8.0.0/16",
        "last_ip": "8.8.8.8",
        "country": "us",
        "os": "iOS",
        "browser": "Safari",
        "device_type": "mobile",
        "user_agent": "iphone",
        "active_before": noon,
        "issued_before": noon,
    }
    for name, value in hers_by.items():
        assert found(viewer, **{name: value}) == [hers.pk], name
    his_by = {
        "ip": "81.2.69.142",
        "status": "revoked",
        "suspicious": "true",
        "active_after": noon,
        "issued_after": noon,
    }
    for name, value in his_by.items():
        assert found(viewer, **{name: value}) == [his.pk], name
    # That one needs a database of networks: tests/devices/core/clients/test_operators.py.
    assert set(hers_by) | set(his_by) | {"asn"} == set(FILTERS)
    assert found(viewer, os="iOS", browser="Firefox") == []


INVALID = {
    "user": ["", "x", "1.5", "9" * 40, "1 or 1=1"],
    "email": [""],
    "ip": ["", "x", "1.2.3", "1.2.3.4/33", "::1%eth0", "1.2.3.4-5"],
    "last_ip": ["", "x"],
    "asn": ["", "64496", "AS64496"],
    "country": ["", "D", "DEU", "1;", "*"],
    "os": [""],
    "browser": ["", "x" * 513],
    "device_type": ["", "phone", "MOBILE"],
    "user_agent": ["", "a\0b"],
    "status": ["", "alive", "Active", "active,revoked"],
    "suspicious": ["", "1", "True", "yes"],
    "active_before": ["", "yesterday", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T00:00:00Z"],
    "active_after": ["", "0", "99999-01-01T00:00:00Z"],
    "issued_before": ["", "now"],
    "issued_after": ["", "-1"],
    "page_size": ["", "0", "101", "x"],
    "userr": ["1"],
    "user__password": ["x"],
    "all": ["true"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in INVALID.items() for value in values]
)
def test_A26_a_filter_that_is_none_is_refused_and_never_ignored(revoker, alice, start, name, value):
    assert FILTERS.keys() <= INVALID.keys()
    session = start(alice)
    answer = revoker.get(LIST, {name: value})
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    if name in ("page_size", "all"):
        return
    for extra in ({}, {"all": True}, {"user": alice.pk}):
        answer = revoker.post(REVOKE, {**extra, name: value, "reason": NOTE})
        assert answer.status_code == 400
        assert list(answer.json()) == [name]
    assert session in unrevoked()


@pytest.mark.parametrize("mode", ["database", "cached"])
def test_nobody_is_refused_also_where_nobody_is_no_user(db, client, settings, mode):
    """DRF's way for projects whose anonymous requests have no user: UNAUTHENTICATED_USER."""
    settings.DEVICES = {**settings.DEVICES, "LIVENESS": mode, "BUS": ""}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "UNAUTHENTICATED_USER": None}
    for path in (LIST, STATS, "/api/sessions", "/api/me"):
        assert refusal(client.get(path)) == (401, "not_authenticated")


def test_A26_a_filter_given_twice_is_refused(viewer, alice):
    answer = viewer.get(f"{LIST}?user={alice.pk}&user=2")
    assert (answer.status_code, list(answer.json())) == (400, ["user"])


def test_a_page_costs_as_many_queries_for_a_thousand_sessions_as_for_one(viewer, alice, bystanders):
    with CaptureQueriesContext(connection) as for_one:
        viewer.get(LIST)
    bystanders(alice, 200)
    with CaptureQueriesContext(connection) as for_many:
        assert len(viewer.get(LIST, {"page_size": 100}).json()["results"]) == 100
    # Who asks, their two kinds of permissions, and the page.
    assert len(for_many) == len(for_one) == 4


# Revoking


def test_revoking_ends_what_the_filters_let_through_with_actor_and_reason(
    revoker, alice, mallory, sign_in
):
    phone, other = sign_in(alice), sign_in(mallory, FIREFOX)
    answer = revoker.post(REVOKE, {"email": alice.email, "reason": f" {NOTE} "})
    assert answer.json() == {
        "matched": 1,
        "users": 1,
        "revoked": 1,
        "more": False,
        "protected": 0,
        "current_kept": False,
    }
    assert not phone.is_in() and phone.refresh().status_code == 401
    assert other.is_in()
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert (session.revoke_reason, session.revoked_by) == (RevokeReason.ADMIN, revoker.user)
    entry = Activity.objects.get(kind="session.revoked")
    incident = entry.data.pop("incident")
    assert len(incident) == 12
    assert entry.data == {"reason": "admin", "by": str(revoker.user.pk), "note": NOTE}
    assert revoker.post(REVOKE, {"email": alice.email, "reason": NOTE}).json()["revoked"] == 0


def test_a_dry_run_says_what_would_be_and_does_nothing(revoker, alice, mallory, start):
    start(alice), start(alice), start(mallory)
    before = unrevoked()
    answer = revoker.post(REVOKE, {"browser": "Chrome", "dry_run": True}).json()
    assert (answer["matched"], answer["users"], answer["revoked"]) == (3, 2, 0)
    assert answer["current_kept"] is True
    assert unrevoked() == before
    assert not Activity.objects.filter(kind="session.revoked").exists()


@pytest.mark.parametrize("order", [{}, {"all": False}, {"dry_run": True}, {"all": None}])
def test_A45_no_filter_at_all_is_refused_unless_it_says_all(revoker, alice, start, order):
    session = start(alice)
    answer = revoker.post(REVOKE, {"reason": NOTE, **order})
    assert (answer.status_code, list(answer.json())) == (400, ["all"])
    assert session in unrevoked()


def test_A45_all_ends_everybodys_but_the_one_that_asks(revoker, alice, mallory, start):
    start(alice), start(mallory)
    answer = revoker.post(REVOKE, {"all": True, "reason": NOTE}).json()
    assert (answer["matched"], answer["revoked"], answer["current_kept"]) == (2, 2, True)
    assert revoker.is_in()
    answer = revoker.post(REVOKE, {"all": True, "reason": NOTE, "include_current": True}).json()
    assert (answer["revoked"], answer["current_kept"]) == (1, False)
    assert not revoker.is_in()


def test_A45_all_and_a_filter_is_refused(revoker, alice, start):
    session = start(alice)
    answer = revoker.post(REVOKE, {"all": True, "user": alice.pk, "reason": NOTE})
    assert (answer.status_code, list(answer.json())) == (400, ["all"])
    assert session in unrevoked()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("reason", value) for value in ("", "  ", "x" * 501, "a\0b", 5, None, ["x"], {})],
        *[("dry_run", value) for value in ("true", 1, "yes", [], {})],
        *[("all", value) for value in ("true", 1)],
        *[("include_current", value) for value in ("true", 0)],
        *[("user", value) for value in ([1], {"a": 1}, None, 1.5, True)],
    ],
)
def test_A26_a_field_of_the_wrong_kind_is_refused(revoker, alice, start, field, value):
    session = start(alice)
    order = {"email": alice.email, "reason": NOTE, field: value}
    answer = revoker.post(REVOKE, order)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert session in unrevoked()


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "null", "{", ""])
def test_A26_a_body_that_is_no_object_is_refused(revoker, alice, start, body):
    session = start(alice)
    answer = revoker.post(REVOKE, body, content_type="application/json")
    assert answer.status_code == 400
    assert session in unrevoked()


def test_a_reason_is_required(revoker, alice, start):
    session = start(alice)
    answer = revoker.post(REVOKE, {"user": alice.pk})
    assert (answer.status_code, list(answer.json())) == (400, ["reason"])
    assert session in unrevoked()


def test_V7_5_3_revoking_needs_a_recent_proof_and_looking_does_not(clock, revoker, alice, start):
    session = start(alice)
    clock.shift(901)
    revoker.rotate()
    order = {"user": alice.pk, "reason": NOTE}
    assert refusal(revoker.post(REVOKE, order)) == (401, "insufficient_user_authentication")
    assert session in unrevoked()
    assert revoker.get(LIST).status_code == 200
    assert revoker.post(REVOKE, {**order, "dry_run": True}).json()["matched"] == 1


def test_A45_nobody_ends_sessions_of_people_with_higher_rights(revoker, staff_member, alice, start):
    root = staff_member("root", is_superuser=True)
    editor = staff_member("editor", "change_user")
    hers = start(alice)
    answer = revoker.post(REVOKE, {"all": True, "reason": NOTE}).json()
    assert (answer["matched"], answer["revoked"], answer["protected"]) == (1, 1, 2)
    assert root.is_in() and editor.is_in() and hers not in unrevoked()
    for device in (root, editor):
        answer = revoker.post(REVOKE, {"user": device.user.pk, "reason": NOTE}).json()
        assert (answer["revoked"], answer["protected"]) == (0, 1)
    answer = root.post(REVOKE, {"all": True, "reason": NOTE}).json()
    assert (answer["revoked"], answer["protected"]) == (2, 0)


def test_a_large_set_says_that_there_is_more(revoker, alice, bystanders, monkeypatch):
    monkeypatch.setattr(bulk_revocation, "BATCH", 4)
    monkeypatch.setattr(
        bulk_revocation.revoke, "__kwdefaults__", {"spare": None, "patience": timedelta(0)}
    )
    bystanders(alice, 10)
    left = []
    for _ in range(3):
        answer = revoker.post(REVOKE, {"user": alice.pk, "reason": NOTE}).json()
        left.append((answer["matched"], answer["revoked"], answer["more"]))
    assert left == [(10, 4, True), (6, 4, True), (2, 2, False)]


# Statistics


def test_the_figures_are_those_of_the_dashboard(viewer, alice, start):
    start(alice, IPHONE, "8.8.8.8")
    figures = viewer.get(STATS).json()
    assert figures["live"] == {"sessions": 2, "people": 2}
    assert figures["top"]["users"][0]["user"] == {
        "id": str(viewer.user.pk),
        "name": viewer.user.email,
    }
    assert {"value": "iOS", "sessions": 1} in figures["by"]["os"]
    assert figures["days"][-1]["logins"] == 2
    assert figures["counted_at"].endswith("Z")


def test_somebody_who_is_gone_is_no_longer_among_the_top(viewer, alice, start):
    start(alice)
    assert len(viewer.get(STATS).json()["top"]["users"]) == 2
    alice.delete()
    assert len(viewer.get(STATS).json()["top"]["users"]) == 1


def test_where_nobody_could_count_them_yet_it_says_so(viewer, monkeypatch):
    from devices.core.staff import statistics
    from devices.models import StatsSnapshot

    monkeypatch.setattr(statistics, "current", StatsSnapshot)
    assert refusal(viewer.get(STATS)) == (503, "not_counted")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no time limit")
@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_is_answered_with_advice(viewer):
    def be_slow(execute, sql, params, many, context):
        if 'FROM "devices_devicesession" INNER JOIN' in sql and "iOS" in str(params):
            context["cursor"].execute("SET statement_timeout = 10; SELECT pg_sleep(1)")
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(be_slow):
            assert refusal(viewer.get(LIST, {"os": "iOS"})) == (400, "too_broad")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def test_V8_3_2_rights_taken_by_sql_are_gone_at_the_next_request_in_any_mode(
    staff_member, alice, start, settings, monkeypatch
):
    root = staff_member("root", is_superuser=True)
    settings.DEVICES = {**settings.DEVICES, "LIVENESS": "cached"}
    remembered = DeviceSession.objects.select_related("user").get(pk=root.session_id)
    monkeypatch.setattr(sessions, "authenticate", lambda token, get_client: remembered)
    assert root.get(LIST).status_code == 200
    type(alice).objects.filter(pk=root.user.pk).update(is_superuser=False)
    assert refusal(root.get(LIST)) == (403, "permission_denied")
