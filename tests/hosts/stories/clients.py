"""Clients as they are: some keep their refresh token, and log out as SimpleJWT's guides have it."""

from datetime import timedelta
from unittest.mock import patch
from urllib.parse import urlencode

from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import include, path
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.parsers import FormParser
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
from rest_framework_simplejwt.views import TokenObtainPairView

from devices.api.authentication import DeviceSessionAuthentication
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


class CookiesWithoutLogin:
    urlpatterns = [path("api/", include("devices.contrib.cookies.urls"))]


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

    @override_settings(ROOT_URLCONF=CookiesWithoutLogin)
    def test_the_cookies_bring_none_along(self):
        for name, status in (("login", 404), ("refresh", 401), ("logout", 204)):
            answer = post(f"/api/cookie/{name}", username="alice", password=PASSWORD)
            self.assertEqual(answer.status_code, status, name)


class RefreshFromElsewhere(APIView):
    """The view of many projects: it takes a token from where it likes, and passes no context."""

    authentication_classes = permission_classes = ()

    def post(self, request, exchange):
        serializer_class = import_string(settings.SIMPLE_JWT[exchange])
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


class ByHand(APIView):
    """A recipe that decodes the token by itself, and asks the authentication for its user."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        payload = AccessToken(request.data["token"]).payload
        return Response({"user": DeviceSessionAuthentication().get_user(payload).username})


class ExtraPaths:
    urlpatterns = [
        path("", include("stranger.urls")),
        path("exchange/<exchange>", RefreshFromElsewhere.as_view()),
        path("by-hand", ByHand.as_view()),
    ]


@override_settings(ROOT_URLCONF=ExtraPaths)
class SerializersInViewsOfOthers(Story):
    def test_they_need_no_context(self):
        answer = post("/exchange/TOKEN_OBTAIN_SERIALIZER", username="alice", password=PASSWORD)
        self.assertEqual(answer.status_code, 200, answer.content)
        refresh = answer.json()["refresh"]
        self.assertEqual(DeviceSession.objects.get().ip_address, "127.0.0.1")
        answer = post("/exchange/TOKEN_REFRESH_SERIALIZER", refresh=refresh)
        self.assertEqual(answer.status_code, 200, answer.content)
        answer = post("/exchange/TOKEN_VERIFY_SERIALIZER", token=answer.json()["access"])
        self.assertEqual(answer.status_code, 200, answer.content)
        answer = post("/exchange/TOKEN_BLACKLIST_SERIALIZER", refresh=refresh)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertIsNotNone(DeviceSession.objects.get().revoked_at)

    def test_a_payload_is_as_good_as_a_token(self):
        access = self.sign_in()["access"]
        self.assertEqual(post("/by-hand", token=access).json(), {"user": "alice"})
        DeviceSession.objects.update(revoked_at=timezone.now(), revoke_reason="admin")
        answer = post("/by-hand", token=access)
        self.assertEqual(answer.json()["code"], "session_revoked")
        answer = post("/by-hand", token=str(AccessToken.for_user(self.alice)))
        self.assertEqual(answer.json()["code"], "token_not_valid")


class Forms(Story):
    def by_form(self, **more):
        form = {"username": "alice", "password": PASSWORD, **more}
        with patch.object(TokenObtainPairView, "parser_classes", [FormParser]):
            return Client().post(
                "/api/token", urlencode(form), content_type="application/x-www-form-urlencoded"
            )

    def test_the_readme_takes_none(self):
        self.assertEqual(Client().post("/api/token", {"username": "alice"}).status_code, 415)

    def test_what_is_left_out_of_one_has_its_default(self):
        for flag, is_short in (
            ({}, False),
            ({"remember": "true"}, False),
            ({"remember": "false"}, True),
        ):
            answer = self.by_form(**flag)
            self.assertEqual(answer.status_code, 200, answer.content)
            session = DeviceSession.objects.get(pk=answer.json()["session_id"])
            lasts = session.absolute_expires_at - timezone.now()
            self.assertEqual(lasts < timedelta(days=2), is_short, flag)
        self.assertEqual(self.by_form(remember="on").status_code, 400)
