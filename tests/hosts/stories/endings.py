"""What else lives of a session ends with it, and nothing more than that."""

from importlib import import_module

from django.conf import settings
from django.test import override_settings

from devices import signals
from devices.core import sessions
from devices.models import DeviceSession

from .people import Story, get

ENGINES = ("db", "cached_db", "cache")


class DjangosOwnSession(Story):
    """Read as Channels reads it: by the engine, without a middleware of ours."""

    def signed_in(self, browser):
        engine = import_module(settings.SESSION_ENGINE)
        store = engine.SessionStore(browser.cookies["sessionid"].value)
        return store.get("_auth_user_id") == str(self.alice.pk)

    def test_nobody_is_signed_in_by_it_any_more(self):
        for name in ENGINES:
            with override_settings(SESSION_ENGINE=f"devices.web.session_engines.{name}"):
                browser = self.browser()
                browser.get("/devices/")
                self.assertTrue(self.signed_in(browser), name)
                sessions.revoke_all(self.alice, reason="admin")
                self.assertFalse(self.signed_in(browser), name)


class Deleted(Story):
    def test_the_end_of_each_session_is_told(self):
        heard = []

        def hear(session, reason, **kwargs):
            heard.append(session.pk)

        signals.session_revoked.connect(hear)
        self.addCleanup(signals.session_revoked.disconnect, hear)
        tokens = self.sign_in(), self.sign_in()
        begun = set(DeviceSession.objects.values_list("pk", flat=True))
        with self.captureOnCommitCallbacks(execute=True):
            self.alice.delete()
        self.assertEqual(set(heard), begun)
        for each in tokens:
            self.assertEqual(get("/api/sessions", each["access"]).status_code, 401)


class SigningOut(Story):
    def test_the_browser_is_told_to_clear_nothing_of_the_origin(self):
        """A single-page app of the same origin keeps what it stores, and its session of the API."""
        access, browser = self.sign_in()["access"], self.browser()
        own = browser.session["device_session"]
        answer = browser.post(f"/devices/{own}/sign-out/")
        self.assertEqual(answer.status_code, 302)
        self.assertNotIn("Clear-Site-Data", answer)
        self.assertNotIn("Clear-Site-Data", browser.get("/devices/"))
        self.assertEqual(get("/api/sessions", access).status_code, 200)
