"""What the stories have in common: somebody with an account, and clients with tokens or cookies."""

from django.contrib.auth import get_user_model
from django.test import Client, TestCase

PASSWORD = "correct horse battery 9"


class Story(TestCase):
    def setUp(self):
        self.alice = self.make("alice")

    @staticmethod
    def make(name, **fields):
        return get_user_model().objects.create_user(name, password=PASSWORD, **fields)

    def sign_in(self, name="alice", password=PASSWORD):
        answer = post("/api/token", username=name, password=password)
        self.assertEqual(answer.status_code, 200, answer.content)
        return answer.json()

    def browser(self, user=None):
        browser = Client()
        browser.force_login(user or self.alice)
        return browser


def post(path, access="", **data):
    return Client().post(path, data, content_type="application/json", headers=bearer(access))


def get(path, access=""):
    return Client().get(path, headers=bearer(access))


def bearer(access):
    return {"Authorization": f"Bearer {access}"} if access else {}
