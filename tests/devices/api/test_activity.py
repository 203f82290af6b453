"""What happened in a session, told to its owner."""

import uuid

from devices.core import sessions
from devices.core.log import activity
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import refusal
from tests.devices.api.test_history import path_of

KEYS = {"id", "kind", "at", "ip_address", "data"}


def kinds(device, session_id="current"):
    page = device.get(f"/api/sessions/{session_id}/activity").json()
    assert all(set(row) == KEYS for row in page["results"])
    return [row["kind"] for row in page["results"]]


def test_the_log_of_a_session_is_told_newest_first(alice, sign_in, clock):
    phone = sign_in(alice, ip="198.51.100.4")
    clock.shift(1)
    phone.patch("/api/sessions/current", {"name": "mine"})
    page = phone.get("/api/sessions/current/activity").json()
    assert (page["next"], page["previous"]) == (None, None)
    renamed, started = page["results"]
    assert renamed == {
        "id": renamed["id"],
        "kind": "session.renamed",
        "at": "2026-03-01T12:00:01Z",
        "ip_address": renamed["ip_address"],
        "data": {"from": "", "to": "mine"},
    }
    assert started == {
        "id": started["id"],
        "kind": "session.started",
        "at": "2026-03-01T12:00:00Z",
        "ip_address": "198.51.100.4",
        "data": {"method": "password"},
    }


def test_the_log_stays_when_the_session_has_ended(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    phone.delete(f"/api/sessions/{laptop.session_id}")
    assert kinds(phone, laptop.session_id) == ["session.revoked", "session.started"]
    assert kinds(phone) == ["session.started"]


def test_A17_a_replay_is_in_the_log(alice, sign_in, clock):
    phone, laptop = sign_in(alice), sign_in(alice)
    stolen = phone.refresh_token
    for _ in range(3):
        phone.rotate()
    assert refusal(phone.refresh(stolen)) == (401, "refresh_reused")
    assert sorted(kinds(laptop, phone.session_id)) == [
        "refresh.reused",
        "session.revoked",
        "session.started",
    ]


def test_the_host_project_writes_lines_of_its_own(alice, sign_in):
    phone = sign_in(alice)
    session = DeviceSession.objects.get(pk=phone.session_id)
    activity.record(session, "report.exported", {"rows": 3}, ip_address="2001:db8::7")
    newest = phone.get("/api/sessions/current/activity").json()["results"][0]
    assert (newest["kind"], newest["data"]) == ("report.exported", {"rows": 3})
    assert newest["ip_address"] == "2001:db8::7"


def test_A01_a_foreign_log_is_as_unknown_as_any(alice, mallory, sign_in):
    phone, intruder = sign_in(alice), sign_in(mallory)
    foreign = intruder.get(f"/api/sessions/{phone.session_id}/activity")
    unknown = intruder.get(f"/api/sessions/{uuid.uuid4()}/activity")
    assert refusal(foreign) == (404, "not_found")
    assert foreign.content == unknown.content


def test_the_log_comes_in_pages(alice, sign_in, clock):
    phone = sign_in(alice)
    for n in range(4):
        clock.shift(1)
        phone.patch("/api/sessions/current", {"name": f"name {n}"})
    seen, path = [], "/api/sessions/current/activity?page_size=2"
    while path:
        page = phone.get(path).json()
        seen += [row["data"].get("to") for row in page["results"]]
        path = page["next"] and path_of(page["next"])
    assert seen == ["name 3", "name 2", "name 1", "name 0", None]


def test_what_staff_note_is_for_staff_only(alice, mallory, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    note = "INC-4711: stuffing from 41.58.0.0/16"
    ended = DeviceSession.objects.get(pk=laptop.session_id)
    sessions.revoke(ended, reason=RevokeReason.ADMIN, by=mallory, note=note)
    told = [
        phone.get(f"/api/sessions/{ended.pk}/activity"),
        phone.get("/api/sessions/history"),
        phone.get("/api/sessions/history?format=csv"),
    ]
    assert [answer.status_code for answer in told] == [200, 200, 200]
    assert not [answer for answer in told if b"INC-4711" in answer.content]
    data = told[0].json()["results"][0]["data"]
    assert data == {"reason": "admin", "by": str(mallory.pk)}
    # It is kept, for staff.
    assert Activity.objects.get(kind="session.revoked").data["note"] == note


def test_a_note_of_the_host_project_is_its_own(alice, sign_in):
    phone = sign_in(alice)
    session = DeviceSession.objects.get(pk=phone.session_id)
    activity.record(session, "report.exported", {"note": "for you"})
    newest = phone.get("/api/sessions/current/activity").json()["results"][0]
    assert newest["data"] == {"note": "for you"}
