"""Django's `logout` in views that are opened by a token: its session ends as that of a cookie does."""

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.models import Activity, DeviceSession, RevokeReason
from devices.shortcuts import authenticate


class LogoutView(APIView):
    """As projects have it that once had cookies alone."""

    def post(self, request):
        logout(request)
        return Response(status=204)


def logout_without_drf(request):
    authenticate(request)
    logout(request)
    return HttpResponse(status=204)


urlpatterns = [
    path("shop/logout", LogoutView.as_view()),
    path("shop/plain-logout", logout_without_drf),
    path("", include("project.urls")),
]
pytestmark = pytest.mark.urls(__name__)
NAME = settings.SESSION_COOKIE_NAME


@pytest.mark.parametrize("where", ["/shop/logout", "/shop/plain-logout"])
def test_the_session_of_the_token_ends(alice, sign_in, where):
    phone, tablet = sign_in(alice), sign_in(alice)
    assert phone.post(where).status_code == 204
    assert (phone.is_in(), phone.refresh().status_code, tablet.is_in()) == (False, 401, True)
    ended = DeviceSession.objects.get(pk=phone.session_id)
    assert ended.revoke_reason == RevokeReason.LOGOUT
    assert Activity.objects.filter(session=ended, kind="session.revoked").count() == 1


def test_a_cookie_of_the_same_person_beside_the_token_ends_too(alice, sign_in, client):
    laptop = sign_in(alice)
    client.force_login(alice)
    laptop.cookies[NAME] = client.cookies[NAME].value
    assert laptop.post("/shop/logout").status_code == 204
    assert {each.revoke_reason for each in DeviceSession.objects.all()} == {RevokeReason.LOGOUT}
    assert Activity.objects.filter(kind="session.revoked").count() == 2


def test_the_token_of_another_person_goes_on(alice, mallory, sign_in, client):
    """Django signs out the user of the request, whatever token came along."""
    phone = sign_in(alice)
    client.force_login(mallory)
    client.post("/shop/plain-logout", headers={"Authorization": f"Bearer {phone.access}"})
    assert SESSION_KEY not in client.session
    assert phone.is_in()
