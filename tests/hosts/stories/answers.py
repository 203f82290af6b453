"""Answers and lines of the log that a project did not have to ask for."""

import logging

from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.models import DeviceSession

from .people import Story, get, post

NOTE = "INC-4711: stuffing from 41.58.0.0/16"
SPACED = " a blank at either end "


class MissingColumn(APIView):
    """A mistake of the project's own, which SQLite calls an OperationalError."""

    def get(self, request):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM auth_user")
        return Response()


urlpatterns = [path("", include("stranger.urls")), path("missing", MissingColumn.as_view())]


class StaffNotes(Story):
    def test_they_are_for_staff(self):
        self.make("root", is_superuser=True, is_staff=True)
        there, staff = self.sign_in(), self.sign_in("root")["access"]
        chosen = {"user": str(self.alice.pk), "reason": NOTE}
        answer = post("/api/admin/sessions/revoke", staff, **chosen)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(DeviceSession.objects.get(user=self.alice).revoke_reason, "admin")
        here = self.sign_in()["access"]
        for url in (
            f"/api/sessions/{there['session_id']}/activity",
            "/api/sessions/history",
            "/api/sessions/history?format=csv",
        ):
            answer = get(url, here)
            self.assertEqual(answer.status_code, 200)
            told = b"".join(answer) if answer.streaming else answer.content
            self.assertNotIn(b"INC-4711", told)


class Scheme(Story):
    def test_it_is_known_in_capitals_or_not(self):
        access = self.sign_in()["access"]
        for scheme in ("Bearer", "bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {access}"}
            self.assertEqual(Client().get("/api/sessions", headers=headers).status_code, 200)


class PasswordsAsTyped(Story):
    def test_a_blank_at_an_end_belongs_to_it(self):
        self.alice.set_password(SPACED)
        self.alice.save()
        access = self.sign_in(password=SPACED)["access"]
        answer = post("/api/sessions/current/confirm", access, password=SPACED)
        self.assertEqual(answer.status_code, 200)
        answer = post("/api/token", username="alice", password=SPACED.strip())
        self.assertEqual(answer.status_code, 401)


class SecurityLog(Story):
    def test_each_line_tells_whom_and_from_where(self):
        """By a formatter that knows no fields of ours, as Django's own."""
        seen = self.assertLogs("devices.security", logging.INFO)
        with seen as logs, self.captureOnCommitCallbacks(execute=True):
            session = self.sign_in()["session_id"]
            post("/api/token", username="alice", password="wrong")
        lines = [record.getMessage() for record in logs.records]
        self.assertEqual(len([line for line in lines if line.startswith("login.failed")]), 1)
        [started] = [line for line in lines if line.startswith("session.started")]
        self.assertIn(f'user="{self.alice.pk}" session="{session}"', started)
        for line in lines:
            self.assertIn(' address="127.0.0.1"', line)


@override_settings(ROOT_URLCONF=__name__)
class Mistakes(Story):
    def test_a_mistake_in_a_statement_is_no_outage(self):
        access = self.sign_in()["access"]
        with self.assertRaises(OperationalError):
            get("/missing", access)
        self.assertIsNone(DeviceSession.objects.get().revoked_at)
