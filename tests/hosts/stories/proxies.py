"""What is done to a user by a proxy of their model is done to the user."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from devices.models import DeviceSession, Notice, NoticeKind

from .people import Story


class Proxies(Story):
    def setUp(self):
        from .models import Customer

        super().setUp()
        self.sign_in()
        self.customer = Customer.objects.get(pk=self.alice.pk)

    def revoked(self):
        return set(DeviceSession.objects.values_list("revoke_reason", flat=True))

    def test_a_new_password_ends_sessions_and_is_told(self):
        self.customer.set_password("another horse 7 battery")
        self.customer.save()
        self.assertEqual(self.revoked(), {"password_changed"})
        self.assertTrue(Notice.objects.filter(kind=NoticeKind.PASSWORD_CHANGED).exists())

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
