"""Django's stock user: hashing anew keeps the sessions, guesses at the current password are counted."""

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.backends import LimitedModelBackend
from devices.core import throttling
from devices.exceptions import TooManyAttempts
from devices.http import answering
from devices.models import DeviceSession, FailedLogin, LoginThrottle
from devices.shortcuts import start_session

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


class ByAddress(ModelBackend):
    """The recipe that is found everywhere, for people who type their address."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        user = get_user_model().objects.filter(email__iexact=username).first()
        if user and user.check_password(password) and self.user_can_authenticate(user):
            return user
        return None


class Directory:
    """As LDAP's: it compares by itself, adds whom it knows, and ignores blanks and capitals."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        if username.strip().lower() != "lena" or password != PASSWORD:
            return None
        return get_user_model().objects.get_or_create(username="lena")[0]

    def get_user(self, user_id):
        return get_user_model().objects.filter(pk=user_id).first()


class Several(APIView):
    """Signs several people in at once, as one request for GraphQL may."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        for name, password in request.data["logins"]:
            if user := authenticate(request, username=name, password=password):
                start_session(request, user)
        return Response(status=204)


class OneBackend(APIView):
    """Asks a backend without Django's `authenticate`, which says when all of them have failed."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        if LimitedModelBackend().authenticate(request, **request.data) is None:
            raise PermissionDenied
        return Response(status=204)


urlpatterns = [
    path("", include("stranger.urls")),
    path("own/backend", OneBackend.as_view()),
    path("own/password", SetPassword.as_view()),
    path("own/several", Several.as_view()),
]


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

    def test_who_signs_in_beside_a_question_for_the_password_makes_it_no_better(self):
        request = RequestFactory().post("/")
        with answering(request):
            self.assertFalse(self.alice.check_password("wrong"))
            start_session(request, self.make("mallory"))
        row = LoginThrottle.objects.get(pk=throttling.account_key("alice"))
        self.assertEqual((row.failures, row.consecutive), (1, 1))

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


def behind_ours(name):
    ours = "devices.backends.LimitedModelBackend"
    return override_settings(AUTHENTICATION_BACKENDS=[ours, f"stories.passwords.{name}"])


@override_settings(ROOT_URLCONF=__name__)
class AnotherBackendKnows(Story):
    """Ours is asked first, does not know the password, and counts it; then another one does."""

    def guess(self, name, password):
        return post("/api/token", username=name, password=password).status_code

    def assert_no_failures(self):
        counted = LoginThrottle.objects.values_list("failures", "consecutive", "is_unknown")
        self.assertLessEqual(set(counted), {(0, 0, False)})
        self.assertEqual(self.listed(), 0)

    def listed(self):
        """How many sign-ins staff see as failed."""
        return FailedLogin.objects.aggregate(sum=Sum("count", default=0))["sum"]

    @behind_ours("ByAddress")
    def test_who_types_the_address_has_not_failed(self):
        self.make("bob", email="bob@example.org")
        answers = [self.guess("bob@example.org", PASSWORD) for _ in range(12)]
        self.assertEqual(answers, [200] * 12)
        self.assert_no_failures()

    @behind_ours("Directory")
    def test_whom_a_directory_knows_has_not_failed(self):
        self.assertEqual([self.guess("lena", PASSWORD) for _ in range(12)], [200] * 12)
        self.assert_no_failures()
        self.assertEqual(DeviceSession.objects.latest("created_at").login_method, "password")

    @behind_ours("Directory")
    def test_who_signs_in_on_a_page_has_not_failed(self):
        get_user_model().objects.create_user("lena", is_staff=True)
        for _ in range(12):
            browser = Client()
            answer = browser.post("/admin/login/", {"username": "lena", "password": PASSWORD})
            self.assertEqual(answer.status_code, 302)
        self.assert_no_failures()
        self.assertEqual(DeviceSession.objects.latest("created_at").login_method, "password")

    @behind_ours("Directory")
    def test_a_directory_is_asked_no_oftener_than_ours(self):
        names = ["lena", " lena", "lena  ", "LENA", "\uff4cena"]
        answers = [self.guess(name, f"wrong {n}") for n in range(3) for name in names]
        self.assertEqual(answers, [401] * 10 + [429] * 5)
        self.assertEqual(self.guess("lena", PASSWORD), 429)
        self.assertEqual(self.listed(), 16)

    @behind_ours("Directory")
    def test_failures_of_before_are_told_to_the_next_login(self):
        for number in range(5):
            self.guess("lena", f"wrong {number}")
        self.guess("lena", PASSWORD)
        row = LoginThrottle.objects.get(pk=throttling.account_key("lena"))
        self.assertEqual((row.before_success, row.consecutive, row.pending), (5, 0, 0))

    @behind_ours("Directory")
    def test_who_signs_in_beside_a_guess_makes_it_no_better(self):
        self.make("mallory")
        for number in range(4):
            logins = [["alice", f"wrong {number}"], ["mallory", PASSWORD], ["lena", PASSWORD]]
            self.assertEqual(post("/own/several", logins=logins).status_code, 204)
        row = LoginThrottle.objects.get(pk=throttling.account_key("alice"))
        self.assertEqual((row.failures, row.consecutive), (4, 4))
        self.assertEqual(self.listed(), 4)

    @behind_ours("ByAddress")
    def test_two_that_find_it_wrong_make_one_failure(self):
        self.assertEqual(self.guess("alice", "wrong"), 401)
        self.assertEqual(self.listed(), 1)

    def test_a_view_that_asks_our_backend_by_itself_is_told_of_too(self):
        self.assertEqual(post("/own/backend", username="alice", password="wrong").status_code, 403)
        self.assertEqual(self.listed(), 1)

    def test_so_is_code_without_a_request(self):
        self.assertIsNone(LimitedModelBackend().authenticate(None, "alice", "wrong"))
        self.assertEqual(self.listed(), 1)


class InTests(Story):
    @override_settings(DEVICES={"SECOND_FACTOR": "stories.passwords.Factor"})
    def test_force_login_signs_in_who_has_a_second_factor(self):
        self.assertEqual(self.browser().get("/devices/").status_code, 200)
        answer = post("/api/token", username="alice", password=PASSWORD)
        self.assertEqual(answer.json()["code"], "otp_required")
