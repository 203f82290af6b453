"""A stolen access token must not throw its owner out: sensitive steps ask for a recent proof (RFC 9470)."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from devices.api.permissions import RecentlyConfirmed
from devices.core import sessions, tokens
from devices.core.clients.client import Client
from devices.models import Activity, DeviceSession
from tests.client import FIREFOX, IPHONE, PASSWORD, Device, refusal

SIXTEEN_MINUTES = 16 * 60


@pytest.fixture
def stale(alice, sign_in, clock):
    """Alice's phone, whose login is 16 minutes old; and her laptop beside it."""
    phone, laptop = sign_in(alice), sign_in(alice)
    clock.shift(SIXTEEN_MINUTES)
    phone.rotate()
    return phone, laptop


def steps(phone, laptop):
    return [
        lambda: phone.delete(f"/api/sessions/{laptop.session_id}"),
        lambda: phone.post("/api/sessions/revoke-all"),
        lambda: phone.post("/api/sessions/revoke-all?keep_current=false"),
    ]


def test_V7_5_2_an_old_login_is_asked_to_confirm_before_it_ends_others(stale):
    for step in steps(*stale):
        answer = step()
        assert answer.status_code == 401
        assert answer.json()["code"] == "insufficient_user_authentication"
        assert answer["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age="900"'
        )
    assert DeviceSession.objects.filter(revoked_at__isnull=True).count() == 2


def test_who_is_brought_along_from_elsewhere_proved_it_there_and_then(alice, sign_in, clock):
    laptop, moved = sign_in(alice), Device()
    hour_ago = timezone.now() - timedelta(hours=1)
    session = sessions.start(alice, Client("203.0.113.9"), method="knox", proved_at=hour_ago)
    moved.hold({**tokens.issue(session)._asdict(), "session_id": str(session.pk)})
    assert refusal(moved.delete(f"/api/sessions/{laptop.session_id}")) == (
        401,
        "insufficient_user_authentication",
    )
    assert moved.is_in() and laptop.is_in()


def test_who_is_brought_along_from_elsewhere_is_no_strange_login(alice, sign_in):
    sign_in(alice)
    moved = Client("8.8.8.8", FIREFOX)
    session = sessions.start(alice, moved, method="knox", proved_at=timezone.now())
    assert [entry.kind for entry in Activity.objects.filter(session_id=session.pk)] == [
        "session.started"
    ]
    # As a login it would be one.
    session = sessions.start(alice, Client("8.8.8.8", IPHONE))
    assert Activity.objects.filter(session_id=session.pk, kind="device.new").exists()


def test_looking_naming_and_signing_oneself_out_never_need_it(stale):
    phone, laptop = stale
    for path in ("/api/me", "/api/sessions", "/api/sessions/history", "/api/sessions/current"):
        assert phone.get(path).status_code == 200
    renamed = phone.patch(f"/api/sessions/{laptop.session_id}", {"name": "Work"})
    assert renamed.status_code == 200
    assert phone.delete(f"/api/sessions/{phone.session_id}").status_code == 204


def test_after_a_confirmation_it_works_for_fifteen_minutes(stale, clock):
    phone, laptop = stale
    confirmed = phone.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert confirmed.status_code == 200
    assert confirmed.json() == {"confirmed_until": "2026-03-01T12:31:00Z"}
    assert confirmed["Cache-Control"] == "no-store"
    assert phone.delete(f"/api/sessions/{laptop.session_id}").status_code == 204
    assert Activity.objects.filter(kind="session.confirmed").count() == 1
    clock.shift(15 * 60)
    phone.rotate()
    assert phone.post("/api/sessions/revoke-all").status_code == 200
    clock.shift(1)
    assert phone.post("/api/sessions/revoke-all").status_code == 401


def test_V10_3_4_refreshing_proves_nothing(stale):
    phone, _ = stale
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert session.authenticated_at == session.created_at


def test_a_wrong_password_confirms_nothing_and_counts_as_a_guess(stale):
    phone, laptop = stale
    for _ in range(10):
        answer = phone.post("/api/sessions/current/confirm", {"password": "wrong"})
        assert answer.status_code == 400
        assert answer.json() == {"password": ["This is not your password."]}
    answer = phone.post("/api/sessions/current/confirm", {"password": "wrong"})
    # The owner's own device has attempts beside those of everybody; a thief of the token on it has them too.
    assert answer.status_code in (400, 429)
    assert phone.delete(f"/api/sessions/{laptop.session_id}").status_code == 401


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": ["x"]}, {"otp": "1"}, []])
def test_a_confirmation_without_a_password_is_400(stale, body):
    assert stale[0].post("/api/sessions/current/confirm", body).status_code == 400


def test_A02_a_stale_proof_learns_nothing_of_other_sessions(stale):
    phone, laptop = stale
    unknown = "0b8f3c1e-5d0a-4f6e-9c55-2f6f0d3f7a11"
    for wanted in (laptop.session_id, unknown, "junk", phone.session_id.upper()):
        answer = phone.delete(f"/api/sessions/{wanted}")
        assert answer.json()["code"] == "insufficient_user_authentication"


def test_a_clock_that_is_put_back_prolongs_no_proof(stale, clock):
    phone, laptop = stale
    confirmed = phone.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert confirmed.status_code == 200
    clock.shift(-SIXTEEN_MINUTES)
    assert phone.delete(f"/api/sessions/{laptop.session_id}").status_code == 401


def test_none_switches_it_off(stale, settings):
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": None}
    assert [step().status_code for step in steps(*stale)] == [204, 200, 200]


def test_a_host_project_asks_for_a_limit_of_its_own(stale):
    class Transfer(APIView):
        permission_classes = (IsAuthenticated, RecentlyConfirmed.within(60 * 60))

        def post(self, request):
            return Response()

    class Deletion(Transfer):
        permission_classes = (IsAuthenticated, RecentlyConfirmed.within(60))

    bearer = {"HTTP_AUTHORIZATION": f"Bearer {stale[0].access}"}
    request = APIRequestFactory().post("/", **bearer)
    assert Transfer.as_view()(request).status_code == 200
    answer = Deletion.as_view()(request)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].endswith('max_age="60"')
