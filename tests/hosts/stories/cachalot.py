"""django-cachalot, which caches the queries of all tables until it sees that one of them changes."""

from devices.models import DeviceSession

from .people import Story, bearer, get, post


class Cached(Story):
    def test_what_changes_is_seen(self):
        here, there = self.sign_in(), self.sign_in()
        path = f"/api/sessions/{there['session_id']}"

        def generation():
            return DeviceSession.objects.get(pk=there["session_id"]).generation

        def lines():
            return [
                line["kind"] for line in get(f"{path}/activity", here["access"]).json()["results"]
            ]

        self.assertEqual(generation(), 0)
        self.assertEqual(post("/api/token/refresh", refresh=there["refresh"]).status_code, 200)
        self.assertEqual(generation(), 1)
        self.assertEqual(lines(), ["session.started"])
        self.assertEqual(self.client.delete(path, headers=bearer(here["access"])).status_code, 204)
        self.assertEqual(lines(), ["session.revoked", "session.started"])
        self.assertEqual(get(path, here["access"]).status_code, 404)
        self.assertEqual(get("/api/sessions", there["access"]).status_code, 401)

    def test_a_password_that_was_guessed_at_too_often_is_not_tried(self):
        for _ in range(10):
            self.assertEqual(self.guess().status_code, 401)
        self.assertEqual(self.guess().status_code, 429)
        wait = int(self.guess().headers["Retry-After"])
        self.assertTrue(0 < wait <= 60, wait)

    def guess(self):
        return post("/api/token", username="alice", password="wrong")
