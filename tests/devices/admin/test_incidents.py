"""What was revoked at one go, and by whom: found again, taken along, and kept from the owner."""

import csv
import io

import pytest
from django.test import Client as Browser

from devices import admin_site
from devices.core.staff import accounts
from devices.models import Activity, DeviceSession, Notification, NotificationKind
from tests.client import FIREFOX, PASSWORD

from .pages import LIST, page_of, revoke, told

LOG = "/admin/devices/activity/"
NOTE = "Stolen tokens, ticket 4711."


def lines(staff, /, **query):
    answer = staff.get(LOG, query)
    assert answer.status_code == 200, answer.get("Location")
    return list(answer.context["cl"].result_list)


@pytest.fixture
def incident(revoker, alice, mallory, start):
    """The id of one: two sessions of two people. Another of Mallory's goes on."""
    chosen = [start(alice), start(mallory, FIREFOX)]
    start(mallory)
    return revoke(revoker, *chosen, note=NOTE)["Location"].partition("incident=")[2]


def test_after_a_revocation_stands_what_was_ended_by_whom_and_why(revoker, incident):
    page = revoker.get(LOG, {"incident": incident})
    ended = page.context["cl"].result_list
    assert {line.user.email for line in ended} == {"alice@example.org", "mallory@example.org"}
    html = page.content.decode()
    for words in (NOTE, str(revoker.user), incident, f"incident.csv?incident={incident}"):
        assert words in html


def test_an_incident_is_a_file_that_no_spreadsheet_obeys(revoker, alice, start, incident):
    DeviceSession.objects.filter(user=alice).update(name="=1+1")
    answer = revoker.get(f"{LOG}incident.csv", {"incident": incident})
    assert f"incident-{incident}.csv" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 2
    assert {row["by"] for row in rows} == {str(revoker.user)}
    assert {row["note"] for row in rows} == {NOTE}
    assert "'=1+1" in {row["device"] for row in rows}


def test_the_file_is_for_who_may_see_sessions(clerk, viewer, incident):
    path = f"{LOG}incident.csv?incident={incident}"
    assert clerk.get(path).status_code == 403
    assert viewer.get(path).status_code == 200
    assert viewer.get(f"{LOG}incident.csv?incident=../x").status_code == 404


def test_what_staff_revoked_and_what_one_of_them_did(revoker, root, alice, start, incident):
    session = start(alice)
    revoke(root, session, note="Another.")
    assert len(lines(revoker, by="staff")) == 3
    assert [line.session_id for line in lines(revoker, by=root.user.pk)] == [session.pk]
    assert revoker.get(LOG, {"by": "x"})["Location"].endswith("?e=1")


def test_the_owner_reads_of_no_incident(alice, incident, sign_in):
    browser = Browser()
    browser.force_login(alice)
    session = DeviceSession.objects.get(user=alice, revoked_at__isnull=False)
    page = browser.get(f"/devices/{session.pk}/")
    answer = sign_in(alice).get(f"/api/sessions/{session.pk}/activity")
    assert "session.revoked" in answer.content.decode()
    for read in (page, answer):
        assert read.status_code == 200
        assert incident not in read.content.decode()


# Revoking where the eye is


def test_all_that_was_found_is_revoked_by_one_button_above_it(revoker, alice, mallory, start):
    found, other = [start(alice, ip=f"41.58.3.{n}") for n in range(3)], start(mallory)
    page = revoker.get(LIST, {"q": "41.58.0.0/16"}).content.decode()
    assert "Revoke all that were found…" in page
    query = "?q=41.58.0.0/16"
    asked = revoke(revoker, found[0], query=query, select_across="1", index="0")
    assert "3 sessions of 1 person" in asked.content.decode()
    revoke(revoker, found[0], query=query, select_across="1", note=NOTE)
    assert list(DeviceSession.objects.active()) == [other]


def test_there_is_no_such_button_without_a_filter_or_the_right(revoker, viewer, alice, start):
    start(alice)
    button = "Revoke all that were found"
    assert button not in revoker.get(LIST).content.decode()
    assert button not in revoker.get(LIST, {"from": "", "zone": "UTC"}).content.decode()
    assert button in revoker.get(LIST, {"state": "active"}).content.decode()
    assert button not in viewer.get(LIST, {"state": "active"}).content.decode()


def test_what_was_ticked_survives_the_proof(revoker, alice, start, monkeypatch):
    monkeypatch.setattr(admin_site, "is_confirmed", lambda request: False)
    chosen, other = [start(alice) for _ in range(3)], start(alice)
    query = f"?user={alice.pk}"
    assert "/confirm/" in revoke(revoker, *chosen, query=query, index="0")["Location"]
    monkeypatch.setattr(admin_site, "is_confirmed", lambda request: True)
    asked = revoker.get(LIST + query).content.decode()
    assert "3 sessions of 1 person" in asked and 'name="note"' in asked
    assert DeviceSession.objects.active().filter(user=alice).count() == 4
    assert str(other.pk) not in asked.split("_selected_action")[1]
    # Once.
    assert "3 sessions of 1 person" not in revoker.get(LIST + query).content.decode()


# A new password


def ask(staff, user, **fields):
    path = f"{LIST}new-password/{user.pk}/"
    return staff.post(path, fields) if fields else staff.get(path)


def test_a_person_is_signed_out_everywhere_and_needs_a_new_password(
    revoker, alice, mallory, start, sign_in
):
    phone, his = sign_in(alice), start(mallory)
    start(alice, FIREFOX)
    for page in (revoker.get(LIST, {"q": "alice"}), revoker.get(page_of(start(alice)))):
        assert f"new-password/{alice.pk}/" in page.content.decode()
    assert "all <strong>3</strong> sessions" in ask(revoker, alice).content.decode()
    answer = ask(revoker, alice, note=NOTE)
    assert answer["Location"].startswith(f"{LOG}?incident=")
    assert told(answer) == ["Revoked: 3 sessions of 1 person. A new password is required."]
    assert not phone.is_in()
    assert list(DeviceSession.objects.active()) == [his]
    assert set(
        DeviceSession.objects.filter(user=alice).values_list("revoke_reason", "revoked_by")
    ) == {("admin", revoker.user.pk)}
    alice.refresh_from_db()
    assert not alice.check_password(PASSWORD)
    # Django's page for a new password would send none to who has an unusable one.
    assert alice.has_usable_password()
    kinds = set(Notification.objects.filter(user=alice).values_list("kind", flat=True))
    assert NotificationKind.STAFF_CHANGED in kinds


@pytest.mark.parametrize("password", ["", "!unusable"])
def test_who_has_no_password_here_is_given_none(revoker, viewer, alice, start, password):
    """As where LDAP or a provider has it: a new one would be another way in, by "Forgot your password?"."""
    alice.password = password
    alice.save()
    session = start(alice)
    for page in (revoker.get(LIST, {"q": "alice"}), revoker.get(page_of(session))):
        assert "new-password/" not in page.content.decode()
    for fields in ({}, {"note": NOTE}):
        assert ask(revoker, alice, **fields).status_code == 404
        # Who may not do it learns no more than before.
        assert ask(viewer, alice, **fields).status_code == 403
    accounts.require_new_password(alice, by=revoker.user, note=NOTE)
    alice.refresh_from_db()
    assert alice.password == password
    session.refresh_from_db()
    assert session.revoke_reason == "admin"
    assert not Notification.objects.filter(kind=NotificationKind.STAFF_CHANGED).exists()


def test_a_reason_is_asked_for(revoker, alice, start):
    start(alice)
    assert "errorlist" in ask(revoker, alice, note=" ").content.decode()
    assert DeviceSession.objects.active().exists()


def test_nobody_reaches_above_themselves_or_without_the_right(revoker, viewer, root, alice, start):
    session = start(root.user)
    for staff, user in ((revoker, root.user), (viewer, alice)):
        for fields in ({}, {"note": NOTE}):
            assert ask(staff, user, **fields).status_code == 403
    session.refresh_from_db()
    assert session.revoked_at is None
    root.user.refresh_from_db()
    assert root.user.check_password(PASSWORD)
    assert revoker.get(f"{LIST}new-password/x/").status_code == 404


def test_it_needs_a_recent_proof(revoker, alice, monkeypatch):
    monkeypatch.setattr(admin_site, "is_confirmed", lambda request: False)
    for fields in ({}, {"note": NOTE}):
        assert "/confirm/" in ask(revoker, alice, **fields)["Location"]
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_only_lines_of_revocations_have_an_incident(incident):
    kinds = Activity.objects.filter(data__incident=incident).values_list("kind", flat=True)
    assert set(kinds) == {"session.revoked"}
