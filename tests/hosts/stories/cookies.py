"""A browser whose session has ended is out, whatever middleware a project has."""

from django.conf import settings
from django.contrib.auth import aauthenticate, get_user_model
from django.contrib.auth.middleware import get_user
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.test import RequestFactory, override_settings
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from devices.core import sessions
from devices.models import Activity, DeviceSession, NotificationPreferences

from .people import PASSWORD, Story

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
