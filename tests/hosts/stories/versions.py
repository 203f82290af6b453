"""A version and a tenant in the path of the API, which the project captures before ours."""

from django.test import Client

from .people import PASSWORD, Story, bearer


class Versions(Story):
    def test_each_endpoint_is_found_below_what_the_project_captures(self):
        self.make("root", is_staff=True, is_superuser=True)
        for prefix in ("/acme/api/v1", "/old"):
            with self.subTest(prefix):
                self.walk(prefix)

    def walk(self, prefix):
        def ask(method, path, access="", **data):
            headers = bearer(access)
            if method == "get":
                return Client().get(f"{prefix}/{path}", headers=headers)
            send = getattr(Client(), method)
            return send(f"{prefix}/{path}", data, content_type="application/json", headers=headers)

        def sign_in(name):
            answer = ask("post", "token", username=name, password=PASSWORD)
            self.assertEqual(answer.status_code, 200, answer.content)
            return answer.json()

        here, there, staff = sign_in("alice"), sign_in("alice"), sign_in("root")["access"]
        access, session = here["access"], f"sessions/{there['session_id']}"
        for method, path, status, data in (
            ("get", "sessions", 200, {}),
            ("get", session, 200, {}),
            ("patch", session, 200, {"name": "my phone"}),
            ("get", f"{session}/activity", 200, {}),
            ("get", "sessions/history", 200, {}),
            ("get", "sessions/history?format=csv", 200, {}),
            ("get", "trusted-devices", 200, {}),
            ("get", "me/notifications", 200, {}),
            ("patch", "me/notifications", 200, {"time_zone": "Asia/Tokyo"}),
            ("post", "sessions/current/confirm", 200, {"password": PASSWORD}),
            ("delete", session, 204, {}),
            ("post", "token/verify", 200, {"token": access}),
            ("post", "token/refresh", 200, {"refresh": here["refresh"]}),
            ("post", "sessions/revoke-all", 200, {}),
        ):
            with self.subTest(f"{method} {path}"):
                answer = ask(method, path, access, **data)
                self.assertEqual(answer.status_code, status, answer)
        for method, path, data in (
            ("get", "admin/sessions", {}),
            ("get", "admin/stats", {}),
            ("post", "admin/sessions/revoke", {"user": str(self.alice.pk), "reason": "test"}),
        ):
            with self.subTest(f"{method} {path}"):
                self.assertEqual(ask(method, path, staff, **data).status_code, 200)
