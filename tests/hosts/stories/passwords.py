"""Django's stock user: hashing anew keeps the sessions, guesses at the current password are counted."""

from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import RequestFactory, override_settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.exceptions import TooManyAttempts
from devices.http import answering
from devices.models import DeviceSession, LoginThrottle

from .people import PASSWORD, Story, get, post

NEW = "another horse battery 8"


class SetPassword(APIView):
    """As djoser's and dj-rest-auth's."""

    def post(self, request):
        if not request.user.check_password(request.data["current_password"]):
            return Response({"current_password": ["Wrong."]}, status=400)
        request.user.set_password(request.data["new_password"])
        request.user.save()
        return Response(status=204)


urlpatterns = [path("", include("stranger.urls")), path("own/password", SetPassword.as_view())]


class Stronger(MD5PasswordHasher):
    """What the next release of Django would hash with."""

    algorithm = "stronger"


BACKENDS = [
    "devices.backends.LimitedModelBackend",
    "django.contrib.auth.backends.ModelBackend",
]
HASHERS = ["stories.passwords.Stronger", "django.contrib.auth.hashers.MD5PasswordHasher"]


class Factor:
    def has(self, user):
        return True

    def verify(self, user, code):
        return None


class HashedAnew(Story):
    def test_the_sessions_stay(self):
        here, page = self.sign_in()["access"], self.browser()
        with override_settings(PASSWORD_HASHERS=HASHERS):
            there = self.sign_in()["access"]
            self.alice.refresh_from_db()
            self.assertTrue(self.alice.password.startswith("stronger$"))
            for access in (here, there):
                self.assertEqual(get("/api/sessions", access).status_code, 200)
            self.assertEqual(page.get("/devices/").status_code, 200)
            self.assertEqual(DeviceSession.objects.active().count(), 3)

    async def test_asynchronously_too(self):
        with override_settings(PASSWORD_HASHERS=HASHERS):
            self.assertTrue(await self.alice.acheck_password(PASSWORD))
        self.assertTrue(self.alice.password.startswith("stronger$"))


@override_settings(ROOT_URLCONF=__name__)
class Guesses(Story):
    def test_wrong_current_passwords_are_counted(self):
        # Ten for anybody, and ten from an address where the owner was.
        access = self.sign_in()["access"]
        answers = [
            post("/own/password", access, current_password=f"wrong {n}", new_password=NEW)
            for n in range(40)
        ]
        self.assertEqual([answer.status_code for answer in answers], [400] * 20 + [429] * 20)
        given = {"current_password": PASSWORD, "new_password": NEW}
        self.assertEqual(post("/own/password", access, **given).status_code, 429)

    def test_the_same_guess_counts_once_within_a_request_and_another_one_again(self):
        request = RequestFactory().post("/")
        with answering(request), self.assertRaises(TooManyAttempts):
            for number in range(11):
                self.assertFalse(self.alice.check_password(f"wrong {number}"))
                self.assertFalse(self.alice.check_password(f"wrong {number}"))
        self.assertEqual(number, 10)

    def test_two_backends_that_compare_a_password_count_it_once(self):
        for backends in (BACKENDS, BACKENDS[::-1]):
            with self.subTest(backends[0]), override_settings(AUTHENTICATION_BACKENDS=backends):
                LoginThrottle.objects.all().delete()
                given = {"username": "alice", "password": "wrong"}
                answers = [post("/api/token", **given).status_code for _ in range(11)]
                self.assertEqual(answers, [401] * 10 + [429])

    def test_a_login_counts_once(self):
        for _ in range(9):
            post("/api/token", username="alice", password="wrong")
        self.sign_in()


class InTests(Story):
    @override_settings(DEVICES={"SECOND_FACTOR": "stories.passwords.Factor"})
    def test_force_login_signs_in_who_has_a_second_factor(self):
        self.assertEqual(self.browser().get("/devices/").status_code, 200)
        answer = post("/api/token", username="alice", password=PASSWORD)
        self.assertEqual(answer.json()["code"], "otp_required")
