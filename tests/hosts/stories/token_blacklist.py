"""A project that has SimpleJWT's table of withdrawn tokens still installed."""

from django.core.checks import run_checks
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from .people import Story, post


class Tables(Story):
    def test_no_check_needs_them(self):
        """`migrate` asks the checks first, on a database in which they are not yet."""
        with CaptureQueriesContext(connection) as asked:
            said = [message.id for message in run_checks(tags=["devices"])]
        self.assertEqual(said, ["devices.W045"])
        self.assertFalse([each for each in asked if "token_blacklist" in each["sql"]])

    def test_no_token_of_a_session_is_looked_for_in_them(self):
        refresh = self.sign_in()["refresh"]
        with CaptureQueriesContext(connection) as asked:
            self.assertEqual(post("/api/token/refresh", refresh=refresh).status_code, 200)
        self.assertFalse([each for each in asked if "token_blacklist" in each["sql"]])
        self.assertFalse(OutstandingToken.objects.exists())

    def test_tokens_of_before_are_withdrawn_as_ever(self):
        with self.assertLogs("devices") as said:
            token = RefreshToken.for_user(self.alice)
        self.assertIn(f"{__file__}:", said.output[0])
        RefreshToken(str(token)).blacklist()
        self.assertEqual(BlacklistedToken.objects.count(), 1)
        with self.assertRaisesMessage(TokenError, "blacklisted"):
            RefreshToken(str(token))
