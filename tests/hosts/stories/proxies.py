"""What is done to a user by a proxy of their model is done to the user."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.test.utils import isolate_apps

from devices.models import DeviceSession, Notification, NotificationKind

from .people import Story


class Proxies(Story):
    def setUp(self):
        super().setUp()
        self.sign_in()
        self.customer = self.proxy().objects.get(pk=self.alice.pk)

    @staticmethod
    def proxy():
        from .models import Customer

        return Customer

    def revoked(self):
        return set(DeviceSession.objects.values_list("revoke_reason", flat=True))

    def test_a_new_password_ends_sessions_and_is_told(self):
        self.customer.set_password("another horse 7 battery")
        self.customer.save()
        self.assertEqual(self.revoked(), {"password_changed"})
        self.assertTrue(
            Notification.objects.filter(kind=NotificationKind.PASSWORD_CHANGED).exists()
        )

    def test_deactivating_ends_sessions(self):
        self.customer.is_active = False
        self.customer.save()
        self.assertEqual(self.revoked(), {"deactivated"})

    def test_deleting_erases(self):
        kind = ContentType.objects.get_for_model(self.alice)
        LogEntry.objects.create(
            user=self.make("root"),
            content_type=kind,
            object_id=str(self.alice.pk),
            object_repr="alice",
            action_flag=CHANGE,
        )
        self.customer.delete()
        self.assertEqual(LogEntry.objects.get().object_repr, "-")


class MadeLater(Proxies):
    """As in a module that is imported once the project has started: an `admin.py`, a view, a task."""

    @staticmethod
    @isolate_apps("django.contrib.auth")
    def proxy():
        class Patron(get_user_model()):
            class Meta:
                app_label = "auth"
                proxy = True

        return Patron
