"""Authentication classes of a project's own: they extend ours as they would extend SimpleJWT's."""

from django.conf import settings
from django.http import JsonResponse
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import AccessToken

from devices.api.authentication import DeviceSessionAuthentication
from devices.contrib.cookies.authentication import CookieAuthentication
from devices.core import sessions, tokens
from devices.http import get_login_client, get_session
from devices.models import DeviceSession

from .people import PASSWORD, Story, bearer, get, post


class ByCookie(DeviceSessionAuthentication):
    """The recipe that is found everywhere."""

    def authenticate(self, request):
        header = self.get_header(request)
        raw_token = request.COOKIES.get("access") if header is None else self.get_raw_token(header)
        if raw_token is None:
            return None
        validated_token = self.get_validated_token(raw_token)
        return self.get_user(validated_token), validated_token


class OwnUser(DeviceSessionAuthentication):
    def get_user(self, validated_token):
        user = JWTAuthentication.get_user(self, validated_token)
        user.came_by = "get_user"
        return user


class OwnToken(DeviceSessionAuthentication):
    def get_validated_token(self, raw_token):
        token = AccessToken(raw_token)
        token.came_by = "get_validated_token"
        return token

    def get_user(self, validated_token):
        user = super().get_user(validated_token)
        user.came_by = validated_token.came_by
        return user


class NotBanned(CookieAuthentication):
    """A rule of the project's own, beside cookies."""

    def get_user(self, validated_token):
        user = super().get_user(validated_token)
        if user.last_name == "banned":
            raise AuthenticationFailed("Banned.", code="banned")
        return user


def by_hand(get_response):
    """Another recipe that is found everywhere: in middleware, a token opens Django's own views, too."""

    def middleware(request):
        for reader in (JWTStatelessUserAuthentication(), JWTAuthentication()):
            try:
                if found := reader.authenticate(request):
                    request.user, request.seen = found
            except InvalidToken as error:
                return JsonResponse({"code": error.detail["code"]}, status=401)
        return get_response(request)

    return middleware


def hello(request):
    return JsonResponse({"user": request.user.get_username()})


class WhoAmI(APIView):
    def get(self, request):
        session = get_session(request)
        came_by = getattr(request.user, "came_by", "")
        return Response({"session": str(session.pk), "came_by": came_by})


class Begin(APIView):
    """A login of one's own, by the documents."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        from django.contrib.auth import get_user_model

        user = get_user_model().objects.get(username=request.data["username"])
        session = sessions.start(user, get_login_client(request), method="magic link")
        return Response({"access": tokens.issue(session).access})


class Enter(Begin):
    """With a password, by Django's own function."""

    def post(self, request):
        from django.contrib.auth import authenticate

        return Response({"is_in": authenticate(request, **request.data) is not None})


class SetPassword(APIView):
    """As djoser's and dj-rest-auth's."""

    def post(self, request):
        if not request.user.check_password(request.data["current_password"]):
            return Response({"current_password": ["Wrong."]}, status=400)
        request.user.set_password(request.data["new_password"])
        request.user.save()
        return Response(status=204)


urlpatterns = [
    path("", include("stranger.urls")),
    path("own/who", WhoAmI.as_view()),
    path("own/who/user", WhoAmI.as_view(authentication_classes=[OwnUser])),
    path("own/who/token", WhoAmI.as_view(authentication_classes=[OwnToken])),
    path("own/who/cookie", WhoAmI.as_view(authentication_classes=[ByCookie])),
    path("own/who/not-banned", WhoAmI.as_view(authentication_classes=[NotBanned])),
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path("own/hello", hello),
    path("own/login", Begin.as_view()),
    path("own/enter", Enter.as_view()),
    path("own/password", SetPassword.as_view()),
]


class Factor:
    def has(self, user):
        return user.username == "bob"

    def verify(self, user, code):
        return None


@override_settings(ROOT_URLCONF=__name__)
class Extended(Story):
    def by_cookie(self, path, access):
        client = Client()
        client.cookies["access"] = access
        return client.get(path)

    def test_each_of_them_checks_the_session(self):
        pair = self.sign_in()
        access, session_id = pair["access"], pair["session_id"]
        for url, came_by in (
            ("/own/who/user", "get_user"),
            ("/own/who/token", "get_validated_token"),
        ):
            answer = get(url, access)
            self.assertEqual(answer.json(), {"session": session_id, "came_by": came_by})
        answer = self.by_cookie("/own/who/cookie", access)
        self.assertEqual(answer.json()["session"], session_id)
        sessions.revoke_all(self.alice, reason="admin")
        for url in ("/own/who/user", "/own/who/token", "/own/who"):
            answer = get(url, access)
            self.assertEqual((answer.status_code, answer.json()["code"]), (401, "session_revoked"))
        answer = self.by_cookie("/own/who/cookie", access)
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "session_revoked"))

    def test_what_a_project_asks_of_a_token_it_asks_of_each_cookie(self):
        app, browser, token = Client(), self.browser(), self.sign_in()["access"]
        with override_settings(DEVICES={"ACCESS_COOKIE": True}):
            app.post(
                "/api/cookie/login",
                {"username": "alice", "password": PASSWORD},
                content_type="application/json",
            )
        self.assertIn("access_token", app.cookies)

        def asked():
            kinds = (app, {}), (browser, {}), (Client(), bearer(token))
            for client, headers in kinds:
                yield client.get("/own/who/not-banned", headers=headers).status_code

        self.assertEqual(list(asked()), [200, 200, 200])
        self.alice.last_name = "banned"
        self.alice.save()
        self.assertEqual(list(asked()), [401, 401, 401])

    def test_a_token_without_a_session_is_refused_by_each(self):
        access = str(AccessToken.for_user(self.alice))
        for url in ("/own/who", "/own/who/user", "/own/who/token", "/own/who/cookie"):
            self.assertEqual(get(url, access).status_code, 401, url)

    def test_simplejwts_own_class_checks_the_session_where_code_calls_it(self):
        access = self.sign_in()["access"]
        plain = str(AccessToken.for_user(self.alice))
        with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.by_hand"]):
            self.assertEqual(get("/own/hello", access).json(), {"user": "alice"})
            # Of no session, and so none of ours.
            self.assertEqual(get("/own/hello", plain).json(), {"user": "alice"})
            sessions.revoke_all(self.alice, reason="admin")
            answer = get("/own/hello", access)
            self.assertEqual((answer.status_code, answer.json()["code"]), (401, "session_revoked"))

    def test_our_endpoints_are_opened_by_what_opens_those_of_the_project(self):
        access = self.sign_in()["access"]
        defaults = {"DEFAULT_AUTHENTICATION_CLASSES": ["stories.authentication.ByCookie"]}
        with override_settings(REST_FRAMEWORK=settings.REST_FRAMEWORK | defaults):
            listed = self.by_cookie("/api/sessions", access)
            self.assertEqual([row["is_current"] for row in listed.json()], [True])
            self.assertEqual(self.by_cookie("/api/sessions/current", access).status_code, 200)


@override_settings(ROOT_URLCONF=__name__)
class Refusals(Story):
    def test_who_is_not_let_in_is_told_so(self):
        self.alice.is_active = False
        self.alice.save()
        answer = post("/own/login", username="alice")
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "no_active_account"))
        self.make("bob")
        factor = settings.__dict__.get("DEVICES", {}) | {
            "SECOND_FACTOR": "stories.authentication.Factor"
        }
        with override_settings(DEVICES=factor):
            answer = post("/own/login", username="bob")
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "otp_required"))

    def test_who_guesses_is_told_when_to_come_again(self):
        for _ in range(10):
            post("/own/enter", username="alice", password="wrong")
        answer = post("/own/enter", username="alice", password=PASSWORD)
        self.assertEqual((answer.status_code, answer.json()["code"]), (429, "throttled"))
        self.assertIn("Retry-After", answer.headers)

    def test_who_has_no_session_is_told_so(self):
        client = APIClient()
        client.force_authenticate(self.alice)
        self.assertEqual(client.get("/api/sessions").json(), [])
        self.assertEqual(client.get("/api/sessions/history?format=csv").status_code, 200)
        for answer in (
            client.get("/api/sessions/current"),
            client.delete("/api/sessions/current"),
            client.post("/api/sessions/current/confirm", {"password": PASSWORD}, format="json"),
            client.post("/api/sessions/revoke-all"),
        ):
            self.assertEqual((answer.status_code, answer.json()["code"]), (401, "session_required"))


@override_settings(ROOT_URLCONF=__name__)
class Passwords(Story):
    def test_whoever_changes_a_password_stays_in_and_all_others_go(self):
        here, there = self.sign_in()["access"], self.sign_in()["access"]
        given = {"current_password": PASSWORD, "new_password": "another horse battery 8"}
        self.assertEqual(post("/own/password", here, **given).status_code, 204)
        self.assertEqual(get("/own/who", here).status_code, 200)
        self.assertEqual(get("/own/who", there).status_code, 401)
        self.assertEqual(DeviceSession.objects.active().count(), 1)
