"""Staff act on a customer's behalf, by a package for it: what it may not do to either of them."""

from datetime import timedelta

from django.utils import timezone

from devices.core import sessions, step_up
from devices.models import Activity, DeviceSession, LoginHistory, Notification, RevokeReason

from .people import Story


class Factor:
    """SECOND_FACTOR: alice has one, and no code is right."""

    def has(self, user):
        return user.get_username() == "alice"

    def verify(self, user, code):
        return None


class Acting(Story):
    """For stories that tell how somebody is acquired and released."""

    def setUp(self):
        super().setUp()
        self.root = self.make("root", is_staff=True, is_superuser=True)
        self.staff = self.browser(self.root)
        self.own = DeviceSession.objects.get(user=self.root)
        Notification.objects.all().delete()

    def acquire(self, user):
        raise NotImplementedError

    def release(self):
        raise NotImplementedError

    def at_hand(self):
        return DeviceSession.objects.get(pk=self.staff.session["device_session"])

    def who(self):
        page = self.staff.get("/devices/")
        return page.context["user"].get_username() if page.status_code == 200 else None

    def test_it_proves_nothing_and_mails_nobody(self):
        self.acquire(self.alice)
        self.assertEqual(self.who(), "alice")
        session = self.at_hand()
        self.assertEqual(session.user, self.alice)
        self.assertEqual((session.impersonator, session.login_method), (self.root, "impersonation"))
        self.assertEqual(session.mfa_at, None)
        self.assertEqual(step_up.missing_proof(session), "owner")
        self.assertLessEqual(session.expires_at, timezone.now() + timedelta(hours=1))
        self.assertFalse(Notification.objects.exists())
        self.assertFalse(LoginHistory.objects.filter(user=self.alice).exists())
        started = Activity.objects.get(session=session, kind="session.started")
        self.assertEqual(started.actor, self.root)
        listed = self.staff.get("/devices/").content.decode()
        self.assertIn("Staff, signed in on your behalf", listed)
        self.assertIn("by <bdi>root</bdi>", self.browser(self.root).get(LIST).content.decode())

    def test_whoever_comes_back_is_as_fresh_as_they_were(self):
        hour_ago = timezone.now() - timedelta(hours=1)
        DeviceSession.objects.filter(pk=self.own.pk).update(authenticated_at=hour_ago, mfa_at=None)
        self.acquire(self.alice)
        acted = self.at_hand()
        self.release()
        self.assertEqual(self.who(), "root")
        back = self.at_hand()
        self.assertEqual((back.pk, back.authenticated_at), (self.own.pk, hour_ago))
        self.assertEqual(step_up.missing_proof(back), "recent")
        acted.refresh_from_db()
        self.assertIsNotNone(acted.revoked_at)
        self.assertEqual(acted.revoked_by, self.root)
        self.assertFalse(Notification.objects.exists())
        self.assertEqual(DeviceSession.objects.filter(user=self.root).count(), 1)

    def test_it_ends_with_the_session_of_the_staff_member(self):
        self.acquire(self.alice)
        acted = self.at_hand()
        sessions.revoke(self.own, reason=RevokeReason.USER)
        self.assertIsNone(self.who())
        acted.refresh_from_db()
        self.assertEqual(acted.revoke_reason, RevokeReason.IMPERSONATION)

    def test_nobody_acts_for_somebody_above_them_and_stays_who_they_are(self):
        clerk = self.make("clerk", is_staff=True)
        self.staff = self.browser(clerk)
        own = self.at_hand()
        answer = self.acquire(self.root)
        self.assertEqual(answer.status_code, 403)
        self.assertEqual(self.who(), "clerk")
        self.assertEqual(self.at_hand(), own)
        self.assertFalse(DeviceSession.objects.filter(login_method="impersonation").exists())

    def test_what_the_owner_has_stays(self):
        """Staff end no session of a user who has MAX_SESSIONS of them, and count as none."""
        tokens = [self.start(n) for n in range(20)]
        self.acquire(self.alice)
        self.start(20)
        ended = DeviceSession.objects.filter(user=self.alice, revoked_at__isnull=False)
        self.assertEqual([session.pk for session in ended], [tokens[0].pk])

    def start(self, n):
        from devices.core.clients.client import Client

        at = timezone.now() - timedelta(minutes=60 - n)
        session = sessions.start(self.alice, Client(f"192.0.2.{n}", "x"), mfa=True)
        DeviceSession.objects.filter(pk=session.pk).update(last_active=at)
        return session


LIST = "/admin/devices/devicesession/"
