"""allauth's apps, which hold a token of Django's session and show it without a cookie."""

from django.core.checks import run_checks
from django.test import Client, override_settings

from devices.core import sessions
from devices.models import DeviceSession

from .people import PASSWORD, Story

APP = "/_allauth/app/v1/auth"
JWT = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"


# The stories are an app here, and some are about tokens that are handled by hand.
BY_HAND = {"devices.W115", "devices.W116"}


def complaints():
    return {message.id for message in run_checks(tags=["devices"])} - BY_HAND


class Apps(Story):
    def enter(self):
        given = {"username": "alice", "password": PASSWORD}
        answer = Client().post(f"{APP}/login", given, content_type="application/json")
        self.assertEqual(answer.status_code, 200, answer.content)
        return answer.json()["meta"]["session_token"]

    def is_in(self, token):
        """At a view of the project. Not at a page, where DeviceMiddleware would clear the session away."""
        answer = Client(headers={"X-Session-Token": token}).get("/orders")
        self.assertIn(answer.status_code, (200, 403))
        return answer.status_code == 200

    def test_a_token_is_good_for_as_long_as_the_session(self):
        token, other = self.enter(), self.enter()
        self.assertTrue(self.is_in(token))
        ended = DeviceSession.objects.order_by("created_at").first()
        sessions.revoke(ended, reason="admin")
        self.assertFalse(self.is_in(token))
        self.assertTrue(self.is_in(other))
        sessions.revoke_all(self.alice, reason="admin")
        self.assertFalse(self.is_in(other))

    def test_the_backend_of_allauth_beside_ours_counts_nothing_twice(self):
        wrong = {"username": "alice", "password": "wrong"}
        codes = [
            Client()
            .post(f"{APP}/login", wrong, content_type="application/json")
            .json()["errors"][0]["code"]
            for _guess in range(11)
        ]
        self.assertNotIn("throttled", codes[:10])
        self.assertEqual(codes[10], "throttled")

    @override_settings(DEVICES={"SECOND_FACTOR": "stories.passwords.Factor"})
    def test_a_second_factor_that_allauth_does_not_know_is_asked_for_by_name(self):
        given = {"username": "alice", "password": PASSWORD}
        for kind in ("app", "browser"):
            path = APP.replace("app", kind)
            answer = Client().post(f"{path}/login", given, content_type="application/json")
            self.assertEqual((answer.status_code, answer.json()["code"]), (401, "otp_required"))
            with override_settings(ACCOUNT_ADAPTER="devices.contrib.allauth.AccountAdapter"):
                answer = Client().post(f"{path}/login", given, content_type="application/json")
            self.assertEqual(answer.status_code, 403)
            [error] = answer.json()["errors"]
            self.assertEqual(error["code"], "otp_required")
        self.make("root", is_staff=True)
        given["username"] = "root"
        page = Client().post("/admin/login/", given, headers={"Accept": "text/html"})
        self.assertEqual(page.status_code, 403)
        self.assertTrue(page["Content-Type"].startswith("text/html"))
        self.assertFalse(DeviceSession.objects.exists())

    def test_what_would_outlive_it_is_reported(self):
        self.assertEqual(complaints(), set())
        with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
            self.assertEqual(complaints(), {"devices.E080"})
        with override_settings(HEADLESS_TOKEN_STRATEGY=JWT):
            self.assertIn("devices.E081", complaints())
