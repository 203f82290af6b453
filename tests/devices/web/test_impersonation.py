"""Acting on somebody's behalf: who, why, for how long; and what it proves, which is nothing."""

import base64
import json
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate, get_user_model, login
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from devices.core import sessions, step_up, tokens
from devices.core.clients.client import Client
from devices.core.staff import accounts
from devices.exceptions import ConfirmationRequired, Impersonated, OutOfReach, SessionRequired
from devices.impersonation import start_impersonation
from devices.models import Activity, DeviceSession, LoginHistory, Notification, RevokeReason
from devices.web.impersonation import impersonate, stop_impersonating
from tests.client import CHROME, PASSWORD, Device, refusal

WHY = "Ticket 4711: cannot see the invoice"
BACKEND = "devices.backends.LimitedModelBackend"


def act(request, pk):
    impersonate(request, get_user_model().objects.get(pk=pk), reason=request.GET.get("why", ""))
    return HttpResponse(request.user.get_username())


def back(request):
    stop_impersonating(request)
    return HttpResponse(request.user.get_username())


def switch(request, pk):
    """As django-hijack does it; or, without the mark, anything that signs in without asking."""
    login(request, get_user_model().objects.get(pk=pk), backend=BACKEND)
    if request.GET.get("mark"):
        request.session["hijack_history"] = [request.GET["mark"]]
    return HttpResponse()


@csrf_exempt
def prove(request):
    login(request, authenticate(request, **request.POST.dict()))
    return HttpResponse()


urlpatterns = [
    path("prove", prove),
    path("act/<int:pk>", act),
    path("back", back),
    path("switch/<int:pk>", switch),
    path("", include("project.urls")),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def root(make_user, clock):
    return make_user("root@example.org", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(root):
    browser = Browser(HTTP_USER_AGENT=CHROME)
    browser.force_login(root)
    Notification.objects.all().delete()
    return browser


def at_hand(browser):
    return DeviceSession.objects.get(pk=browser.session["device_session"])


def who(browser):
    page = browser.get("/devices/")
    return page.context["user"].get_username() if page.status_code == 200 else None


def for_alice(staff, alice):
    assert staff.get(f"/act/{alice.pk}", {"why": WHY}).content.decode() == alice.email
    return at_hand(staff)


def test_it_is_said_who_acts_and_why_and_mailed_to_nobody(staff, root, alice, sign_in):
    phone = sign_in(alice)
    Notification.objects.all().delete()
    seen = LoginHistory.objects.get(user=alice).data
    own = at_hand(staff)
    session = for_alice(staff, alice)
    assert who(staff) == alice.email
    assert (session.user, session.impersonator, session.login_method) == (
        alice,
        root,
        "impersonation",
    )
    assert (session.mfa_at, session.device_key, session.risk_score) == (None, "", 0)
    # No mail, and nothing learned.
    assert not Notification.objects.exists()
    assert LoginHistory.objects.get(user=alice).data == seen
    # The log knows who and why; the owner reads who.
    line = Activity.objects.get(session=session)
    assert (line.actor, line.data["note"]) == (root, WHY)
    told = phone.get(f"/api/sessions/{session.pk}/activity")
    assert told.json()["results"][0]["data"] == {"method": "impersonation", "by": str(root.pk)}
    assert WHY.encode() not in told.content
    listed = {row["id"]: row["login_method"] for row in phone.get("/api/sessions").json()}
    assert listed[str(session.pk)] == "impersonation"
    theirs = Activity.objects.get(session=own, kind="session.impersonated")
    assert theirs.data == {"session": str(session.pk)}
    # And the owner ends it.
    sessions.confirm(DeviceSession.objects.get(pk=phone.session_id), Client(), method="password")
    assert phone.delete(f"/api/sessions/{session.pk}").status_code == 204
    assert who(staff) is None


def test_pages_of_the_owner_and_of_staff_show_it(staff, root, alice, sign_in):
    session = for_alice(staff, alice)
    browser = Browser()
    browser.force_login(alice)
    page = browser.get("/devices/").content.decode()
    assert page.count("Staff, signed in on your behalf") == 1
    log = browser.get(f"/devices/{session.pk}/").content.decode()
    assert "Staff signed in on your behalf" in log and WHY not in log
    other = Browser()
    other.force_login(root)
    table = "/admin/devices/devicesession/"
    assert f"by <bdi>{root.email}</bdi>" in other.get(table).content.decode()
    told = other.get(f"{table}{session.pk}/change/").content.decode()
    assert WHY in told and "on the owner’s behalf" in told
    api = Device().sign_in(root.email)
    rows = api.get("/api/admin/sessions", {"user": alice.pk}).json()["results"]
    assert [row["impersonator"] for row in rows if row["id"] == str(session.pk)] == [str(root.pk)]


def test_it_needs_a_reason_a_recent_proof_and_somebody_within_reach(
    staff, root, alice, make_user, clock
):
    with pytest.raises(ValueError, match="reason"):
        staff.get(f"/act/{alice.pk}", {"why": " "})
    clerk = make_user("clerk@example.org", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="change_user"))
    desk = Browser()
    desk.force_login(clerk)
    assert desk.get(f"/act/{root.pk}", {"why": WHY}).status_code == 403
    assert who(desk) == clerk.email
    clock.shift(16 * 60)
    assert desk.get(f"/act/{alice.pk}", {"why": WHY}).status_code == 403
    assert Browser().get(f"/act/{alice.pk}", {"why": WHY}).status_code == 403
    assert not DeviceSession.objects.filter(login_method="impersonation").exists()


@pytest.mark.parametrize("age", [900, None])
def test_it_proves_nothing(staff, alice, sign_in, settings, age):
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": age}
    phone = sign_in(alice)
    session = for_alice(staff, alice)
    assert step_up.missing_proof(session) == "owner"
    with pytest.raises(Impersonated):
        step_up.confirm_by_password(session, PASSWORD, Client())
    with pytest.raises(Impersonated):
        sessions.confirm(session, Client(), method="webauthn", mfa=True)
    page = staff.post("/devices/confirm/", {"password": PASSWORD})
    assert "Only they can do this." in page.content.decode()
    staff.post("/devices/sign-out/", {})
    staff.post("/accounts/email/", {"action_add": "", "email": "staff@example.org"})
    assert list(alice.emailaddress_set.values_list("email", flat=True)) in ([], [alice.email])
    assert phone.is_in()
    session.refresh_from_db()
    assert (session.mfa_at, session.authenticated_at) == (None, session.created_at)


def test_by_tokens_it_proves_nothing_either_and_names_who_acts(root, alice, sign_in):
    desk, phone = sign_in(root), sign_in(alice)
    own = DeviceSession.objects.get(pk=desk.session_id)
    session = accounts.begin_impersonation(own, alice, Client("192.0.2.1", CHROME), note=WHY)
    pair = tokens.issue(session)
    acting = Device()
    acting.hold({"access": pair.access, "refresh": pair.refresh, "session_id": str(session.pk)})
    assert acting.get("/api/me").json()["email"] == alice.email
    assert refusal(acting.post("/api/sessions/revoke-all"))[1] == "insufficient_user_authentication"
    confirm = acting.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert refusal(confirm) == (401, "impersonated")
    acting.rotate()
    claims = json.loads(base64.urlsafe_b64decode(acting.access.split(".")[1] + "=="))
    assert claims["act"]["sub"] == str(root.pk)
    assert phone.is_in()
    # As a copy of it tells the owner nothing that they could do something about.
    Notification.objects.all().delete()
    acting.rotate()
    acting.rotate()
    assert refusal(acting.refresh(pair.refresh)) == (401, "refresh_reused")
    assert not Notification.objects.exists()


def test_it_is_limited_in_time(staff, alice, clock):
    session = for_alice(staff, alice)
    assert session.absolute_expires_at - session.created_at == timedelta(hours=1)
    clock.shift(59 * 60)
    assert who(staff) == alice.email
    clock.shift(2 * 60)
    assert who(staff) is None


@pytest.mark.parametrize("end", ["revoked", "expired", "deactivated", "deleted", "new password"])
def test_it_ends_with_the_session_of_the_staff_member(staff, root, alice, end, sign_in):
    own = at_hand(staff)
    session = for_alice(staff, alice)
    match end:
        case "revoked":
            sessions.revoke(own, reason=RevokeReason.USER)
        case "expired":
            DeviceSession.objects.filter(pk=own.pk).update(expires_at=timezone.now())
        case "deactivated":
            get_user_model().objects.filter(pk=root.pk).update(is_active=False)
        case "deleted":
            root.delete()
        case "new password":
            root.set_password("another horse 7 battery")
            root.save()
    assert who(staff) is None
    session.refresh_from_db()
    assert session.revoke_reason == RevokeReason.IMPERSONATION


def test_who_comes_back_goes_on_with_the_session_they_had(staff, root, alice, clock):
    own = at_hand(staff)
    session = for_alice(staff, alice)
    clock.shift(20 * 60)
    assert staff.get("/back").content.decode() == root.email
    assert who(staff) == root.email
    back = at_hand(staff)
    assert (back.pk, back.authenticated_at) == (own.pk, own.authenticated_at)
    assert step_up.missing_proof(back) == "recent"
    session.refresh_from_db()
    assert (session.revoke_reason, session.revoked_by) == (RevokeReason.IMPERSONATION, root)
    assert staff.get("/back").status_code == 403


def test_who_signs_out_meanwhile_does_so_by_their_own_name(staff, root, alice):
    session = for_alice(staff, alice)
    staff.post("/accounts/logout/")
    session.refresh_from_db()
    assert (session.revoke_reason, session.revoked_by) == (RevokeReason.LOGOUT, root)


def test_a_package_that_calls_login_is_known_by_its_mark(staff, root, alice):
    own = at_hand(staff)
    staff.get(f"/switch/{alice.pk}", {"mark": root.pk})
    session = at_hand(staff)
    assert (session.user, session.impersonator) == (alice, root)
    assert not Notification.objects.exists()
    staff.get(f"/switch/{root.pk}")
    assert at_hand(staff) == own


def test_any_other_login_without_a_proof_is_the_users_own_and_told(staff, alice, sign_in):
    sign_in(alice)
    Notification.objects.all().delete()
    staff.get(f"/switch/{alice.pk}")
    session = at_hand(staff)
    assert (session.user, session.is_impersonated) == (alice, False)
    assert Notification.objects.filter(user=alice).exists()


def test_who_signs_in_with_their_password_meanwhile_is_as_fresh_as_that(staff, root, alice, clock):
    own = at_hand(staff)
    session = for_alice(staff, alice)
    clock.shift(20 * 60)
    staff.post("/prove", {"email": root.email, "password": PASSWORD})
    now = at_hand(staff)
    assert now.user == root and now != own
    assert step_up.missing_proof(now) is None
    session.refresh_from_db()
    assert session.revoked_at is not None


def test_staff_take_the_place_of_no_device_and_none_takes_theirs(staff, alice, settings, clock):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    first, second = (sessions.start(alice, Client(f"192.0.2.{n}", CHROME)) for n in (1, 2))
    clock.shift(1)
    acted = for_alice(staff, alice)
    assert not DeviceSession.objects.filter(user=alice, revoked_at__isnull=False).exists()
    sessions.start(alice, Client("192.0.2.3", CHROME))
    ended = DeviceSession.objects.filter(user=alice, revoked_at__isnull=False)
    assert len(ended) == 1 and ended[0] in (first, second) and acted not in ended


def test_a_view_of_the_api_starts_it_for_staff_with_a_recent_proof(rf, root, alice, clock, sign_in):
    request = rf.post("/act", REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT=CHROME)
    request.user = root
    with pytest.raises(SessionRequired):
        start_impersonation(request, alice, reason=WHY)
    request.auth = DeviceSession.objects.get(pk=sign_in(root).session_id)
    with pytest.raises(ValueError, match="reason"):
        start_impersonation(request, alice, reason=" ")
    pair = start_impersonation(request, alice, reason=WHY)
    assert pair.session.user == alice and pair.session.impersonator == root
    acting = Device()
    acting.hold({"access": pair.access, "refresh": pair.refresh, "session_id": pair.session.pk})
    assert acting.get("/api/me").json()["email"] == alice.email
    with pytest.raises(OutOfReach):
        request.auth = DeviceSession.objects.get(pk=sign_in(alice).session_id)
        start_impersonation(request, root, reason=WHY)
    clock.shift(3600)
    request.auth = DeviceSession.objects.get(pk=request.auth.pk)
    with pytest.raises(ConfirmationRequired):
        start_impersonation(request, alice, reason=WHY)


def test_nobody_acts_for_two_at_once_by_themselves(root, alice, mallory, sign_in):
    own = DeviceSession.objects.get(pk=sign_in(root).session_id)
    session = accounts.begin_impersonation(own, alice, Client(), note=WHY)
    with pytest.raises(Impersonated):
        accounts.begin_impersonation(session, mallory, Client(), note=WHY)


def test_nobody_acts_for_users_above_them(root, alice, sign_in):
    own = DeviceSession.objects.get(pk=sign_in(alice).session_id)
    with pytest.raises(OutOfReach):
        accounts.begin_impersonation(own, root, Client(), note=WHY)


def test_where_staff_were_is_no_place_of_the_owners(staff, root, alice):
    from devices.core import throttling

    for_alice(staff, alice)
    assert throttling._known_address([alice.pk], Client("127.0.0.1", CHROME)) == ""
