"""Clients as they are: some keep their refresh token, and log out as SimpleJWT's guides have it."""

from datetime import timedelta

from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from django.urls import include, path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from devices.models import DeviceSession

from .people import PASSWORD, Story, get, post


def jwt(**changes):
    return override_settings(SIMPLE_JWT=settings.SIMPLE_JWT | changes)


class Logout(APIView):
    def post(self, request):
        RefreshToken(request.data["refresh"]).blacklist()
        return Response(status=205)


urlpatterns = [path("", include("stranger.urls")), path("logout", Logout.as_view())]


class WithoutLogin:
    urlpatterns = [path("api/", include("devices.api.urls"))]


class WithoutRotation(Story):
    def test_a_client_that_keeps_its_refresh_token_is_no_thief(self):
        with jwt(ROTATE_REFRESH_TOKENS=False):
            refresh = self.sign_in()["refresh"]
            for _ in range(3):
                answer = post("/api/token/refresh", refresh=refresh)
                self.assertEqual((answer.status_code, set(answer.json())), (200, {"access"}))
                self.assertEqual(get("/api/sessions", answer.json()["access"]).status_code, 200)
                # Longer than any grace.
                long_ago = timezone.now() - timedelta(hours=1)
                DeviceSession.objects.update(rotated_at=long_ago)
            session = DeviceSession.objects.get()
            self.assertIsNone(session.revoked_at)
            # It lasts as long as its token, and no longer.
            begun = RefreshToken(refresh)["exp"]
            self.assertEqual(int(session.expires_at.timestamp()), begun)

    def test_with_rotation_a_copy_is_noticed(self):
        refresh = self.sign_in()["refresh"]
        answer = post("/api/token/refresh", refresh=refresh)
        self.assertEqual(set(answer.json()), {"access", "refresh"})
        get("/api/sessions", answer.json()["access"])
        DeviceSession.objects.update(rotated_at=timezone.now() - timedelta(hours=1))
        answer = post("/api/token/refresh", refresh=refresh)
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "refresh_reused"))


@override_settings(ROOT_URLCONF=__name__)
class LogoutBySimpleJWT(Story):
    def test_it_ends_the_session(self):
        tokens = self.sign_in()
        for _ in range(2):
            answer = post("/logout", self.sign_in()["access"], refresh=tokens["refresh"])
            self.assertEqual(answer.status_code, 205)
        self.assertEqual(get("/api/sessions", tokens["access"]).status_code, 401)
        session = DeviceSession.objects.get(pk=tokens["session_id"])
        self.assertEqual(session.revoke_reason, "logout")

    def test_a_token_without_a_session_is_refused(self):
        with self.assertRaises(TokenError):
            RefreshToken.for_user(self.alice).blacklist()


class CleanUp(Story):
    def test_nobody_is_signed_out_who_could_still_refresh(self):
        with jwt(REFRESH_TOKEN_LIFETIME=timedelta(days=180)):
            refresh = self.sign_in()["refresh"]
            quiet = timezone.now() - timedelta(days=40)
            DeviceSession.objects.update(last_active=quiet)
            call_command("cleanup_sessions", verbosity=0)
            self.assertEqual(post("/api/token/refresh", refresh=refresh).status_code, 200)


class LoginOnRequest(Story):
    @override_settings(ROOT_URLCONF=WithoutLogin)
    def test_the_sessions_bring_no_login_along(self):
        answer = post("/api/token", username="alice", password=PASSWORD)
        self.assertEqual(answer.status_code, 404)
        for url in ("/api/token/refresh", "/api/token/verify", "/api/admin/sessions"):
            self.assertEqual(get(url).status_code, 404, url)
        self.assertEqual(get("/api/sessions").status_code, 401)
