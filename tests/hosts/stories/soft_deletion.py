"""Somebody whom the user model hides is out by every door, as Django and SimpleJWT have it."""

from django.test import override_settings
from django.utils import timezone

from devices.core import sessions
from devices.models import DeviceSession

from .people import PASSWORD, Story, get, post


class Hidden(Story):
    def setUp(self):
        super().setUp()
        type(self.alice)._base_manager.update(is_staff=True, is_superuser=True)
        self.tokens, self.cookies = self.sign_in(), self.browser()
        self.assertEqual(get("/api/sessions", self.tokens["access"]).status_code, 200)
        self.assertEqual(self.cookies.get("/admin/").status_code, 200)

    def hide(self, at):
        type(self.alice)._base_manager.update(deleted_at=at)

    def test_every_door_is_closed_while_they_are_hidden(self):
        access, refresh = self.tokens["access"], self.tokens["refresh"]
        self.hide(timezone.now())
        self.assertEqual(get("/api/sessions", access).status_code, 401)
        for path, given in (
            ("/api/token/refresh", {"refresh": refresh}),
            ("/api/token/verify", {"token": access}),
            ("/api/token", {"username": "alice", "password": PASSWORD}),
            ("/api/sessions/revoke-all", {}),
        ):
            self.assertEqual(post(path, access, **given).status_code, 401, path)
        for path in ("/devices/", "/admin/"):
            self.assertEqual(self.cookies.get(path).status_code, 302, path)
        self.hide(None)
        self.assertEqual(get("/api/sessions", access).status_code, 200)

    def test_their_sessions_can_be_ended(self):
        self.hide(timezone.now())
        self.assertEqual(sessions.revoke_all(self.alice, reason="admin"), 2)
        self.assertFalse(DeviceSession.objects.active().exists())

    def test_a_view_gets_them_from_their_own_manager_with_one_more_query(self):
        with self.assertNumQueries(3):
            get("/api/sessions", self.tokens["access"])


def not_banned(user):
    return user is not None and user.last_name != "banned"


class Banned(Story):
    def test_the_rule_of_simplejwt_is_asked_after_the_login_too(self):
        from django.conf import settings

        rule = settings.SIMPLE_JWT | {
            "USER_AUTHENTICATION_RULE": "stories.soft_deletion.not_banned"
        }
        with override_settings(SIMPLE_JWT=rule):
            tokens, cookies = self.sign_in(), self.browser()
            self.alice.last_name = "banned"
            self.alice.save(update_fields=["last_name"])
            answer = post("/api/token/refresh", refresh=tokens["refresh"])
            self.assertEqual(answer.status_code, 401)
            self.assertEqual(answer.json()["code"], "no_active_account")
            answer = get("/api/sessions", tokens["access"])
            self.assertEqual(answer.status_code, 401)
            self.assertEqual(cookies.get("/devices/").status_code, 302)
