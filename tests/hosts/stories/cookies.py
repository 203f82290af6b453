"""A browser whose session has ended is out, whatever middleware a project has."""

from django.conf import settings
from django.contrib import auth
from django.contrib.auth import aauthenticate, get_user_model
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.middleware import get_user
from django.contrib.auth.views import PasswordChangeView
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.test import RequestFactory, override_settings
from django.urls import include, path, reverse
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import SessionAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.api.authentication import DeviceSessionAuthentication
from devices.core import sessions
from devices.models import Activity, DeviceSession, NotificationPreferences

from .people import PASSWORD, Story, bearer

COOKIES = "django.contrib.auth.middleware.AuthenticationMiddleware"
OURS = "devices.web.middleware.DeviceMiddleware"


def curious(get_response):
    """Middleware as many projects have it: it looks who is there."""

    def middleware(request):
        request.visitor = request.user.get_username()
        return get_response(request)

    return middleware


def filling(get_response):
    """It asks Django's own function, which keeps its answer on the request."""

    def middleware(request):
        get_user(request)
        return get_response(request)

    return middleware


def verifying(get_response):
    """As django-otp's: it wraps the user, and gives them a method."""

    def verify(user):
        user.is_verified = lambda: True
        return user

    def middleware(request):
        user = request.user
        request.user = SimpleLazyObject(lambda: verify(user))
        return get_response(request)

    return middleware


def showing(get_response):
    """As django-impersonate's: staff see the site as a customer, in a session of their own."""

    def middleware(request):
        if request.user.get_username() == "root":
            request.user = get_user_model().objects.get(username="alice")
        return get_response(request)

    return middleware


def replacing(get_response):
    """An AuthenticationMiddleware of the project's own: Django's answer in the place of ours."""

    def middleware(request):
        request.user = SimpleLazyObject(lambda: auth.get_user(request))
        return get_response(request)

    return middleware


def replacing_at_once(get_response):
    """The same, where the answer is there before ours is asked for."""

    def middleware(request):
        request.user = get_user(request)
        bool(request.user.is_authenticated)
        return get_response(request)

    return middleware


def bearing(get_response):
    """A token opens pages, too, whoever the cookie is of."""

    def middleware(request):
        if found := DeviceSessionAuthentication().authenticate(request):
            request.user = found[0]
        return get_response(request)

    return middleware


class ByCookie(APIView):
    authentication_classes = (SessionAuthentication,)

    def get(self, request):
        return Response({"user": request.user.get_username()})


# One that is not asked for the old password, which would ask for the session, too.
PASSWORDS = PasswordChangeView.as_view(form_class=SetPasswordForm, success_url="/devices/")

urlpatterns = [
    path("", include("stranger.urls")),
    path("own/cookie", ByCookie.as_view()),
    path("own/password", PASSWORDS),
]


def with_middleware(name, *, first=False):
    order = [each for each in settings.MIDDLEWARE if each != OURS]
    place = order.index(COOKIES) + 1
    order[place:place] = [name, OURS] if first else [OURS, name]
    return override_settings(MIDDLEWARE=order)


def complaints():
    return {message.id for message in run_checks(tags=["devices"])}


class Revoked(Story):
    def is_in(self, browser):
        return browser.get("/devices/").status_code == 200

    def refuses(self, name, *, first):
        with with_middleware(name, first=first):
            browser = self.browser()
            self.assertTrue(self.is_in(browser))
            sessions.revoke_all(self.alice, reason="admin")
            self.assertFalse(self.is_in(browser))

    def test_middleware_behind_ours_that_asks_who_is_there(self):
        for name in ("curious", "filling"):
            self.refuses(f"stories.cookies.{name}", first=False)

    def test_middleware_behind_ours_that_answers_in_our_place(self):
        for name in ("replacing", "replacing_at_once"):
            with self.subTest(name):
                self.refuses(f"stories.cookies.{name}", first=False)

    @override_settings(ROOT_URLCONF=__name__)
    def test_such_middleware_lets_nobody_into_the_api_either(self):
        for name in ("replacing", "replacing_at_once"):
            with self.subTest(name), with_middleware(f"stories.cookies.{name}"):
                browser = self.browser()
                self.assertEqual(browser.get("/own/cookie").json(), {"user": "alice"})
                sessions.revoke_all(self.alice, reason="admin")
                self.assertEqual(browser.get("/own/cookie").status_code, 403)

    @override_settings(ROOT_URLCONF=__name__, SESSION_ENGINE="devices.web.session_engines.db")
    def test_who_changes_the_password_behind_such_middleware_stays_signed_in(self):
        changed = {"new_password1": "another 9 horses", "new_password2": "another 9 horses"}
        for name in ("replacing", "replacing_at_once"):
            with self.subTest(name), with_middleware(f"stories.cookies.{name}"):
                browser = self.browser()
                self.assertRedirects(browser.post("/own/password", changed), "/devices/")
                self.alice.refresh_from_db()

    def test_a_token_is_good_beside_a_cookie_that_is_not(self):
        with with_middleware("stories.cookies.bearing"):
            browser = self.browser()
            sessions.revoke_all(self.alice, reason="admin")
            token = bearer(self.sign_in()["access"])
            answer = browser.get("/devices/", headers=token)
            self.assertEqual(answer.wsgi_request.user, self.alice)
            self.assertFalse(self.is_in(browser))

    def test_middleware_before_ours_that_asks_who_is_there(self):
        for name in ("curious", "filling"):
            self.refuses(f"stories.cookies.{name}", first=True)

    def test_the_order_is_checked(self):
        with with_middleware("stories.cookies.curious", first=True):
            self.assertEqual(complaints(), {"devices.E025"})
        with with_middleware("stories.cookies.curious", first=False):
            self.assertEqual(complaints(), set())
        remote = "django.contrib.auth.middleware.RemoteUserMiddleware"
        with with_middleware(remote, first=True):
            self.assertEqual(complaints(), {"devices.E025"})

    def test_what_other_middleware_makes_of_the_user_stays(self):
        with with_middleware("stories.cookies.verifying"):
            answer = self.browser().get("/devices/")
            self.assertEqual(answer.status_code, 200)
            self.assertTrue(answer.wsgi_request.user.is_verified())


class ShownAsSomebodyElse(Story):
    """The proof is that of whoever is signed in, and the devices are somebody else's."""

    def test_nothing_is_ended_and_no_mail_is_switched_off(self):
        phone = self.sign_in()["session_id"]
        get_user_model().objects.update(is_staff=True, is_superuser=True)
        bob = self.make("bob")
        staff = self.browser(self.make("root", is_staff=True, is_superuser=True))
        with with_middleware("stories.cookies.showing"):
            self.assertEqual(staff.get("/devices/").context["current"], None)
            for path in (
                f"/devices/{phone}/sign-out/",
                "/devices/sign-out-others/",
                "/devices/sign-out-inactive/",
                "/devices/confirm/",
                "/devices/notifications/",
                reverse("admin:devices_devicesession_new_password", args=[bob.pk]),
            ):
                given = {"password": PASSWORD, "note": "A stranger was in it."}
                answer = staff.post(path, given, follow=True)
                self.assertEqual(answer.status_code, 403, path)
        self.assertEqual(DeviceSession.objects.active().count(), 2)
        self.assertFalse(Activity.objects.filter(kind="session.confirmed").exists())
        self.assertFalse(NotificationPreferences.objects.exists())
        bob.refresh_from_db()
        self.assertTrue(bob.check_password(PASSWORD))


class Guesses(Story):
    async def test_the_asynchronous_door_counts_guesses_too(self):
        request = RequestFactory().get("/")
        for _ in range(10):
            given = {"username": "alice", "password": "wrong"}
            self.assertIsNone(await aauthenticate(request, **given))
        with self.assertRaises(ValidationError):
            await aauthenticate(request, username="alice", password=PASSWORD)
