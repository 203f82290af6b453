"""An exception handler of the project's own: what it does with the errors of ours."""

import logging

from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.views import exception_handler as stock

from devices.api.errors import extend_handler
from devices.exceptions import (
    DeviceCodeRequired,
    DPoPNonceRequired,
    KeysUnavailable,
    OtpRequired,
    TooManyAttempts,
)
from devices.models import DeviceSession

from .people import Story, get, post

RAISED = {
    "second-factor": OtpRequired(),
    "nonce": DPoPNonceRequired(),
    "new-device": DeviceCodeRequired("the challenge"),
    "too-many": TooManyAttempts(30),
    "no-keys": KeysUnavailable(),
    "no-database": OperationalError("the connection is closed"),
}


class Refusing(APIView):
    """As a login of the project's own, in which a verb of ours raises."""

    authentication_classes = permission_classes = ()

    def get(self, request, what):
        raise RAISED[what]


class Fields(APIView):
    """As a serializer that has a field of this name."""

    authentication_classes = permission_classes = ()

    def get(self, request):
        from rest_framework.exceptions import ValidationError

        raise ValidationError({"detail": ["Too short."], "seat": ["Taken."]})


urlpatterns = [
    path("", include("stranger.urls")),
    path("refusing/<what>", Refusing.as_view()),
    path("fields", Fields.as_view()),
]


@extend_handler
def swallowing(exc, context):
    """As drf-standardized-errors: what it does not know is a 500, and what it knows has another form."""
    answer = stock(exc, context)
    if answer is None:
        return Response({"problem": "error"}, 500)
    return Response({"problem": exc.get_codes()}, answer.status_code)


@extend_handler
def listing(exc, context):
    """As JSON:API's: a list of errors."""
    return Response([{"said": exc.get_codes()}], stock(exc, context).status_code)


class Own:
    """A handler that is no function."""

    def __call__(self, exc, context):
        return stock(exc, context)


own = Own()


def with_handler(name):
    from django.conf import settings

    return {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": f"{__name__}.{name}"}


@override_settings(ROOT_URLCONF=__name__)
class Handlers(Story):
    def setUp(self):
        super().setUp()
        self.enterContext(self.settings(REST_FRAMEWORK=with_handler("swallowing")))

    def refused(self, what):
        return Client().get(f"/refusing/{what}")

    def test_it_gets_our_errors_as_errors_of_the_framework(self):
        for what, status, code in (
            ("second-factor", 401, "otp_required"),
            ("too-many", 429, "throttled"),
            ("no-keys", 503, "unavailable"),
        ):
            with self.subTest(what):
                answer = self.refused(what)
                self.assertEqual((answer.status_code, answer.json()), (status, {"problem": code}))

    def test_an_outage_of_the_database_is_none_of_the_view(self):
        if connection.vendor == "postgresql":
            answer = self.refused("no-database")
            self.assertEqual((answer.status_code, answer.json()), (503, {"problem": "unavailable"}))

    def test_a_client_is_told_what_to_send(self):
        answer = self.refused("nonce")
        self.assertIn('error="use_dpop_nonce"', answer.headers["WWW-Authenticate"])
        self.assertTrue(answer.headers["DPoP-Nonce"])

    def test_each_refusal_has_its_own_code(self):
        here, there = self.sign_in(), self.sign_in()
        self.client.delete(
            f"/api/sessions/{there['session_id']}",
            headers={"Authorization": f"Bearer {here['access']}"},
        )
        for answer in (
            get("/api/sessions", there["access"]),
            post("/api/token/refresh", refresh=there["refresh"]),
        ):
            self.assertEqual(answer.json(), {"problem": "session_revoked"})

    def test_what_a_login_goes_on_with_is_in_any_form(self):
        said = {"problem": "device_code_required", "challenge": "the challenge"}
        self.assertEqual(self.refused("new-device").json(), said)
        with self.settings(REST_FRAMEWORK=with_handler("listing")):
            [error] = self.refused("new-device").json()
        self.assertEqual(error, {"said": "device_code_required", "challenge": "the challenge"})

    def test_what_simplejwt_refuses_has_one_code(self):
        answer = get("/api/sessions", "two words")
        self.assertEqual(answer.json(), {"problem": "bad_authorization_header"})

    def test_who_is_refused_is_in_the_security_log(self):
        with self.assertLogs("devices.security", logging.INFO) as logs:
            get("/api/sessions", "invalid")
        [record] = logs.records
        self.assertTrue(record.getMessage().startswith("access.refused"))

    def test_what_a_refusal_has_ended_stays_ended(self):
        used = self.sign_in()["refresh"]
        successor = post("/api/token/refresh", refresh=used).json()["refresh"]
        post("/api/token/refresh", refresh=successor)
        DeviceSession.objects.update(rotated_at="2020-01-01T00:00:00Z")
        answer = post("/api/token/refresh", refresh=used)
        self.assertEqual(answer.json(), {"problem": "refresh_reused"})
        self.assertIsNotNone(DeviceSession.objects.get().revoked_at)


@override_settings(ROOT_URLCONF=__name__)
class Ours(Story):
    def test_a_field_named_detail_is_a_field(self):
        said = {"detail": ["Too short."], "seat": ["Taken."]}
        self.assertEqual(Client().get("/fields").json(), said)
