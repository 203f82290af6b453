"""A login that is no text: a number, and that of another table."""

from django.core.management import call_command
from django.test import Client, TestCase

from devices.models import DeviceSession, LoginThrottle

from .people import PASSWORD, Story, get, post

GUESSES = 10


class Numbers(TestCase):
    def setUp(self):
        self.alice = Story.make(49, is_staff=True, is_superuser=True)

    def sign_in(self, number="49", password=PASSWORD):
        return post("/api/token", card=number, password=password)

    def test_they_sign_in_by_each_door(self):
        answer = self.sign_in()
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(get("/api/sessions", answer.json()["access"]).status_code, 200)
        staff = Client()
        staff.post("/admin/login/", {"username": "49", "password": PASSWORD})
        for path in ("/admin/", "/admin/devices/devicesession/?q=49", "/devices/"):
            self.assertEqual(staff.get(path).status_code, 200, path)

    def test_what_is_no_number_is_nobody(self):
        for number in ("alice", "4 9", "9" * 40, "-", "\u0664\u0669x"):
            self.assertEqual(self.sign_in(number).status_code, 401, number)

    def test_all_spellings_of_a_number_share_their_guesses(self):
        for zeros in range(GUESSES):
            self.assertEqual(self.sign_in("0" * zeros + "49", "a guess").status_code, 401)
        self.assertEqual(self.sign_in("000000000000049", "a guess").status_code, 429)
        self.assertEqual(self.sign_in().status_code, 429)

    def test_a_new_password_has_a_clean_slate(self):
        for _ in range(GUESSES):
            self.sign_in(password="a guess")
        self.assertEqual(self.sign_in().status_code, 429)
        self.alice.set_password(PASSWORD)
        self.alice.save()
        self.assertEqual(self.sign_in().status_code, 200)

    def test_they_are_erased(self):
        self.sign_in(password="a guess")
        self.sign_in()
        call_command("erase_user", "49", "--yes", verbosity=0)
        self.assertFalse(DeviceSession.objects.exists())
        self.assertEqual(LoginThrottle.objects.count(), 1)  # that of the address
