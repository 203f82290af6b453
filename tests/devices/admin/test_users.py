"""The sessions of a user, on the user's page."""

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.core import sessions
from devices.models import DeviceSession, RevokeReason
from tests.client import IPHONE

from .pages import LIST, page_of


def url(user):
    return f"/admin/accounts/user/{user.pk}/change/"


def test_a_users_page_shows_their_newest_sessions_and_leads_to_all(
    root, alice, mallory, start, clock
):
    mine = []
    for _ in range(12):
        clock.shift(1)
        mine.insert(0, start(alice, IPHONE))
    start(mallory)
    sessions.revoke(mine[0], reason=RevokeReason.USER)
    page = root.get(url(alice)).content.decode()
    links = re.findall(rf'href="{LIST}([^/"]+)/change/"', page)
    assert links == [str(session.pk) for session in mine[:10]]
    assert 'title="Signed out from another device">Revoked' in page
    assert f'<a href="{LIST}?user={alice.pk}">All sessions of this user</a>' in page
    assert root.get(f"{LIST}?user={alice.pk}").context["cl"].result_count == 12


def test_a_user_without_sessions_has_none(root, alice):
    assert "There are none." in root.get(url(alice)).content.decode()


def test_who_may_not_see_sessions_does_not_see_them_there(clerk, alice, start):
    session = start(alice)
    page = clerk.get(url(alice)).content.decode()
    assert "Newest sessions" not in page
    assert str(session.pk) not in page


def test_a_users_page_costs_as_many_queries_for_many_sessions_as_for_one(
    root, alice, start, bystanders
):
    start(alice)
    root.get(url(alice))  # Django looks the content types up once
    with CaptureQueriesContext(connection) as for_one:
        root.get(url(alice))
    bystanders(alice, 100)
    with CaptureQueriesContext(connection) as for_many:
        root.get(url(alice))
    assert len(for_many) == len(for_one)


def test_A45_saving_a_user_with_forged_fields_changes_no_session(root, alice, start):
    session = start(alice)
    before = DeviceSession.objects.values().get()
    forged = {
        "email": alice.email, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00",
        "device_sessions-TOTAL_FORMS": "1", "device_sessions-INITIAL_FORMS": "1",
        "device_sessions-0-id": str(session.pk), "device_sessions-0-name": "forged",
        "device_sessions-0-DELETE": "on", "_save": "Save",
    }  # fmt: skip
    assert root.post(url(alice), forged).status_code == 302
    assert DeviceSession.objects.values().get() == before
    assert root.get(page_of(session)).status_code == 200


def test_the_page_to_add_a_user_works(root):
    assert root.get("/admin/accounts/user/add/").status_code == 200
