"""What a project need not do: schedule a clean-up, or wait for one when people are deleted."""

from datetime import timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.core import maintenance
from devices.models import Activity, DeviceSession

from .people import Story, post


class Hourly(Story):
    def test_what_sends_mails_deletes_what_is_past_its_retention(self):
        self.sign_in()
        post("/api/token", username="alice", password="wrong")
        years_ago = timezone.now() - timedelta(days=800)
        ended = {"revoked_at": years_ago, "revoke_reason": "user", "last_active": years_ago}
        DeviceSession.objects.update(**ended)
        Activity.objects.update(at=years_ago)
        maintenance.tidy()
        self.assertFalse(DeviceSession.objects.exists())
        self.assertFalse(Activity.objects.exists())


class Deleting(Story):
    def test_many_people_go_by_reading_the_admins_log_once(self):
        people = [self.make(f"person-{n}") for n in range(40)]
        kind = ContentType.objects.get_for_model(self.alice)
        LogEntry.objects.bulk_create(
            LogEntry(
                user=self.alice,
                content_type=kind,
                object_id=str(each.pk),
                object_repr=each.username,
                action_flag=CHANGE,
            )
            for each in people
        )
        with CaptureQueriesContext(connection) as queries:
            get_user_model().objects.exclude(pk=self.alice.pk).delete()
        asked = [query for query in queries if '"django_admin_log"' in query["sql"]]
        # Django itself looks for lines that these people wrote, and ours for lines about them.
        self.assertLessEqual(len(asked), 5)
        self.assertEqual(set(LogEntry.objects.values_list("object_repr", flat=True)), {"-"})


class Commands(Story):
    def test_they_run_by_the_lines_of_the_readme(self):
        self.sign_in()
        call_command("cleanup_sessions", verbosity=0)
        call_command("count_sessions", verbosity=0)
        call_command("devices_worker", once=True, verbosity=0)
        self.assertEqual(DeviceSession.objects.active().count(), 1)
