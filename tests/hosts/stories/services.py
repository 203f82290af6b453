"""What other services ask, in a project where every page needs a login: they come without a cookie."""

from django.core.checks import run_checks
from django.test import override_settings

from .people import Story, get, post


class Checked(Story):
    def test_a_value_of_another_kind_breaks_no_check(self):
        for value in ("shop", ["shop"], 1):
            with override_settings(DEVICES={"SERVICE_CLIENTS": value}):
                self.assertEqual(
                    {each.id for each in run_checks(tags=["devices"])}, {"devices.E048"}
                )


class BehindAWall(Story):
    def test_none_is_sent_to_the_login(self):
        """The end of a session that a provider tells of would not be heard."""
        for route in ("introspect", "revoke", "feed", "events", "logout", "ssf/poll", "ssf/status"):
            self.assertIn(post(f"/{route}").status_code, (400, 401), route)
        self.assertEqual(get("/feed/stream").status_code, 401)
        self.assertEqual(get("/.well-known/jwks.json").status_code, 200)
        for name in ("oauth-authorization-server", "ssf-configuration"):
            self.assertEqual(get(f"/.well-known/{name}").status_code, 404, name)
