"""Mails about an unusual sign-in: whom they ask, where their links lead, and whose answer counts."""

import re

from django.conf import settings
from django.contrib.auth.views import LoginView
from django.core import mail
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path, set_script_prefix

from devices.models import DeviceSession

from .people import PASSWORD, Story, post

# Public addresses in two countries, and browsers that differ.
HOME, ABROAD = "141.20.1.1", "133.11.0.1"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
SITE = {"SITE_URL": "https://example.org/app", "NOTICE_QUEUE": "worker"}
WALL = "django.contrib.auth.middleware.LoginRequiredMiddleware"


class Ours:
    enter = LoginView.as_view(template_name="devices/devices.html")
    urlpatterns = [path("", include("stranger.urls")), path("enter/", enter)]


class Theirs:
    """A project with routes of its own by all the names that one would think of."""

    names = ("devices", "devices-review", "review", "list", "sessions", "token", "confirm")
    theirs = [path(f"theirs/{name}", lambda request: HttpResponse(), name=name) for name in names]
    urlpatterns = [*theirs, *Ours.urlpatterns, *theirs]


@override_settings(DEVICES=SITE, ROOT_URLCONF=Ours)
class Unusual(Story):
    def setUp(self):
        super().setUp()
        self.alice.email = "alice@example.org"
        self.alice.save()
        self.home = self.enter(HOME, PHONE)
        mail.outbox.clear()
        self.stranger = self.enter(ABROAD, LAPTOP)
        self.suspect = DeviceSession.objects.get(pk=self.stranger.session["device_session"])
        self.assertIsNotNone(self.suspect.reauth_required_since)

    def enter(self, address, agent, name="alice"):
        browser = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
        answer = browser.post("/enter/?next=/", {"username": name, "password": PASSWORD})
        self.assertEqual(answer.status_code, 302)
        return browser

    def mails(self):
        call_command("devices_worker", once=True, verbosity=0)
        return mail.outbox

    def link(self):
        """The link "was this you?" of the last mail, as the path below the site's own."""
        links = re.findall(r"https?://\S+", self.mails()[-1].body)
        [link] = [each for each in links if "token=" in each]
        self.assertTrue(link.startswith("https://example.org/app/devices/review/?token="), link)
        return link.removeprefix("https://example.org/app")

    def answer(self, browser, url, answer):
        return browser.post(url, {"answer": answer}).status_code

    def revoke_reason(self):
        self.suspect.refresh_from_db()
        return self.suspect.revoke_reason

    def test_the_suspect_is_not_asked(self):
        page = self.stranger.get("/devices/").content.decode()
        self.assertIn("Was this you?", page)
        self.assertNotIn("token=", page)
        for pk in (self.suspect.pk, self.home.session["device_session"]):
            self.assertEqual(self.answer(self.stranger, f"/devices/{pk}/review/", "yes"), 302)
        self.suspect.refresh_from_db()
        self.assertIsNotNone(self.suspect.reauth_required_since)
        self.assertIsNone(self.suspect.reviewed_at)

    def test_nobody_else_answers(self):
        self.make("mallory")
        browser = self.enter(HOME, LAPTOP, "mallory")
        self.assertEqual(self.answer(browser, f"/devices/{self.suspect.pk}/review/", "no"), 410)
        self.assertEqual(self.revoke_reason(), "")

    def test_a_later_no_beats_a_yes_which_is_told(self):
        link = self.link()
        self.assertEqual(self.answer(Client(), link, "yes"), 200)
        self.assertIn("You approved a sign-in", self.mails()[-1].subject)
        self.assertEqual(self.answer(Client(), link, "no"), 200)
        self.assertEqual(self.revoke_reason(), "not_me")

    def test_another_device_may_answer(self):
        self.assertEqual(self.answer(self.home, f"/devices/{self.suspect.pk}/review/", "no"), 200)
        self.assertEqual(self.revoke_reason(), "not_me")

    def test_the_link_needs_no_login_where_everything_else_does(self):
        link = self.link()
        with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, WALL]):
            self.assertEqual(Client().get("/devices/").status_code, 302)
            self.assertEqual(Client().get(link).status_code, 200)
            self.assertEqual(self.answer(Client(), link, "no"), 200)
        self.assertEqual(self.revoke_reason(), "not_me")

    @override_settings(ROOT_URLCONF=Theirs)
    def test_routes_of_the_project_get_no_link_of_ours(self):
        link = self.link()
        self.assertEqual(Client().get(link).status_code, 200)
        self.assertNotIn("theirs", "".join(each.body for each in mail.outbox))

    def test_a_doubt_holds_where_step_up_is_off(self):
        with override_settings(DEVICES=SITE | {"STEP_UP_MAX_AGE": None}):
            page = self.stranger.post("/devices/sign-out-others/")
            self.assertEqual(page.status_code, 302)
            self.assertIn("/devices/confirm/", page["Location"])
            client = Client(REMOTE_ADDR=ABROAD, HTTP_USER_AGENT=LAPTOP)
            given = {"username": "alice", "password": PASSWORD}
            answer = client.post("/api/token", given, content_type="application/json").json()
            answer = post("/api/sessions/revoke-all", answer["access"])
            told = (answer.status_code, answer.json()["code"])
            self.assertEqual(told, (401, "insufficient_user_authentication"))
        self.assertIsNone(
            DeviceSession.objects.get(pk=self.home.session["device_session"]).revoked_at
        )


class BelowAPath(Story):
    def test_its_own_links_have_it(self):
        browser = self.browser()
        # As Django's handlers do, of which the test client is none.
        set_script_prefix("/app/")
        self.addCleanup(set_script_prefix, "/")
        page = browser.get("/devices/").content.decode()
        # Where static files are is the project's own to say, in STATIC_URL.
        links = re.findall(r'(?:href|action)="(/(?!static/)[^"]*)"', page)
        self.assertTrue(links)
        self.assertEqual([link for link in links if not link.startswith("/app/")], [])
