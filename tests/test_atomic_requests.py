"""A host project with ATOMIC_REQUESTS: the answer 401 rolls no revocation back, and nothing counted."""

import threading

import pytest
from django.db import connection, transaction
from django.urls import include, path
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenRefreshView, TokenVerifyView

from accounts.models import User
from devices.models import Activity, DeviceSession, LoginThrottle
from tests.client import Device
from tests.dpop import SITE, DPoPDevice


class HostView(APIView):
    def get(self, request):
        return Response()


class UndoneView(APIView):
    def get(self, request):
        transaction.set_rollback(True)
        return Response(status=409)


class FailingView(APIView):
    error = None

    def get(self, request):
        raise self.error


class SlowView(APIView):
    entered, leave = threading.Event(), threading.Event()

    def get(self, request):
        self.entered.set()
        self.leave.wait(20)
        return Response()


urlpatterns = [
    path("api/", include("accounts.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.api.urls.login")),
    path("api/", include("devices.api.urls.tokens")),
    path("api/", include("devices.api.urls.staff")),
    # What a host project may have beside our paths: these are as atomic as it wants all to be.
    path("host", HostView.as_view()),
    path("host/slow", SlowView.as_view()),
    path("host/fails", FailingView.as_view(error=APIException())),
    path("host/refuses", FailingView.as_view(error=ValidationError())),
    path("host/refresh", TokenRefreshView.as_view()),
    path("own/undone", transaction.atomic(UndoneView.as_view())),
    path("host/verify", TokenVerifyView.as_view()),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def atomic_requests(transactional_db, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


ASKS = {
    "me": lambda device: device.get("/api/me"),
    "refresh": lambda device: device.refresh(),
    "verify": lambda device: device.post("/api/token/verify", {"token": device.access}),
    "host": lambda device: device.get("/host"),
    "host refresh": lambda device: device.post("/host/refresh", {"refresh": device.refresh_token}),
    "host verify": lambda device: device.post("/host/verify", {"token": device.access}),
}


@pytest.mark.parametrize("path", ["/api/token/refresh", "/host/refresh"])
def test_A46_a_replay_ends_the_session_for_good(alice, sign_in, path):
    phone = sign_in(alice)
    stolen = phone.refresh_token
    phone.rotate().rotate()
    assert phone.post(path, {"refresh": stolen}).json()["code"] == "refresh_reused"
    assert DeviceSession.objects.get().revoke_reason == "reuse"
    assert Activity.objects.filter(kind="refresh.reused").count() == 1
    assert phone.refresh().json()["code"] == "session_revoked"
    assert not phone.is_in()


@pytest.mark.parametrize(
    ("ask", "change", "reason"),
    [
        *((ask, {"is_active": False}, "deactivated") for ask in ASKS),
        ("host", {"password": "!"}, "password_changed"),
    ],
)
def test_A46_what_the_account_ended_is_written_down(alice, sign_in, ask, change, reason):
    phone = sign_in(alice)
    User.objects.filter(pk=alice.pk).update(**change)
    assert ASKS[ask](phone).status_code == 401
    assert DeviceSession.objects.get().revoke_reason == reason
    # Even as it was before, the account brings nothing back.
    User.objects.filter(pk=alice.pk).update(is_active=True, password=alice.password)
    assert not phone.is_in()
    assert phone.refresh().status_code == 401


@pytest.mark.parametrize("path", ["/api/login", "/api/token"])
def test_A46_a_failed_login_stays_counted(alice, path):
    assert Device().post(path, {"email": alice.email, "password": "guess"}).status_code == 401
    assert LoginThrottle.objects.filter(failures=1).exists()


# A proof of a key is used up in spite of whatever the view does.


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer: devices.E123")
@pytest.mark.parametrize("path", ["/host/fails", "/host/refuses"])
def test_a_proof_that_was_used_stays_used_if_its_view_fails(alice, path):
    phone = DPoPDevice().sign_in(alice.email)
    proof = phone.key.proof("GET", SITE + path, phone.access)
    first = phone.get(path, HTTP_DPOP=proof)
    assert first.status_code in (400, 500)
    again = phone.get(path, HTTP_DPOP=proof)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer: devices.E123")
def test_a_proof_stays_used_if_a_transaction_around_its_view_is_rolled_back(alice, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", False)
    phone = DPoPDevice().sign_in(alice.email)
    proof = phone.key.proof("GET", f"{SITE}/own/undone", phone.access)
    assert phone.get("/own/undone", HTTP_DPOP=proof).status_code == 409
    again = phone.get("/own/undone", HTTP_DPOP=proof)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")


# A request that takes long holds up nobody: neither those who end its session nor its other requests.

one_writer = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer")


@pytest.fixture
def in_slow_view(alice, sign_in, clock):
    """A phone whose last activity is noted at a request that a view has not answered yet; its answers."""
    phone = sign_in(alice)
    clock.shift(300)
    SlowView.entered.clear()
    SlowView.leave.clear()
    statuses = []

    def ask():
        try:
            statuses.append(phone.get("/host/slow").status_code)
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    assert SlowView.entered.wait(20)
    try:
        yield phone, statuses
    finally:
        SlowView.leave.set()
        thread.join()
    assert statuses == [200]


@one_writer
def test_a_session_ends_while_its_request_is_being_answered(in_slow_view, alice, sign_in):
    phone, answers = in_slow_view
    laptop = sign_in(alice)
    assert laptop.delete(f"/api/sessions/{phone.session_id}").status_code == 204
    assert not phone.is_in()
    assert not answers


@one_writer
def test_a_session_has_other_requests_meanwhile(in_slow_view):
    phone, answers = in_slow_view
    assert phone.get("/host").status_code == 200
    assert phone.refresh().status_code == 200
    assert not answers


def test_last_activity_is_noted_where_requests_are_transactions(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(300)
    assert phone.get("/host").status_code == 200
    session = DeviceSession.objects.get()
    assert (session.last_active, session.generation_used) == (timezone.now(), session.generation)
