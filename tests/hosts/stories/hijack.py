"""django-hijack, as its documents say to install it."""

from django.contrib.auth import get_user_model

from .acting import Acting


class Hijack(Acting):
    def acquire(self, user):
        return self.staff.post("/hijack/acquire/", {"user_pk": user.pk})

    def release(self):
        return self.staff.post("/hijack/release/")

    def test_whoever_acts_for_one_acts_for_another_and_comes_back_step_by_step(self):
        bob = self.make("bob", is_superuser=True)
        self.acquire(bob)
        self.acquire(self.alice)
        self.assertEqual(self.who(), "alice")
        self.assertEqual(self.at_hand().impersonator, self.root)
        self.release()
        self.assertEqual(self.who(), "bob")
        self.assertEqual(self.at_hand().impersonator, self.root)
        self.release()
        self.assertEqual((self.who(), self.at_hand()), ("root", self.own))

    def test_last_login_stays(self):
        self.acquire(self.alice)
        self.assertIsNone(get_user_model().objects.get(pk=self.alice.pk).last_login)


del Acting
