"""Acting on somebody's behalf in a bound browser (DBSC): with the key of the session it was begun in."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from devices.models import Activity, DeviceSession
from tests.client import PASSWORD
from tests.dbsc import BoundBrowser, stolen
from tests.devices.web import test_impersonation as views

pytestmark = pytest.mark.urls(views.__name__)


@pytest.fixture
def staff(make_user):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    browser = BoundBrowser().bind(root.email)
    browser.renew()
    return browser


def test_who_acts_on_somebodys_behalf_shows_their_own_key(staff, alice):
    answer = staff.get(f"/act/{alice.pk}", {"why": views.WHY})
    assert answer.content.decode() == alice.email
    assert "Secure-Session-Registration" not in answer
    assert staff.is_in()
    thief = stolen(staff)
    with time_machine.travel(timezone.now() + timedelta(minutes=15)):
        assert thief.get("/devices/", secure=True).status_code == 302
        assert not staff.is_in()
        staff.renew()
        assert staff.get("/devices/").context["user"].get_username() == alice.email
    # It is staff who have been copied, and who are told.
    [failed] = Activity.objects.filter(kind="binding.failed")
    assert failed.session_id == DeviceSession.objects.get(binding="dbsc").pk


def test_who_comes_back_goes_on_with_their_key(staff, alice):
    staff.get(f"/act/{alice.pk}", {"why": views.WHY})
    answer = staff.get("/back")
    assert answer.status_code == 200
    assert "Secure-Session-Registration" not in answer
    staff.lose_cookie()
    assert not staff.is_in()
    staff.renew()
    assert staff.get("/admin/").status_code == 200


def test_a_login_that_takes_the_place_of_another_is_offered_anew(staff, alice):
    answer = staff.post(
        "/prove",
        {"username": alice.email, "password": PASSWORD},
        headers={"Referer": "https://testserver/"},
    )
    assert staff.register(answer).status_code == 200
    staff.renew()
    assert staff.is_in()
