"""Formats of the project that are not those of the contract: JSON:API, and times as people write them."""

import re

from django.core.management import call_command
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer

from .people import PASSWORD, Story, get, post


class Renderer(JSONRenderer):
    """As that of djangorestframework-jsonapi: of a page it has the results."""

    media_type = "application/vnd.api+json"

    def render(self, data, *args, **kwargs):
        if isinstance(data, dict) and "results" in data:
            data = data["results"]
        return super().render({"data": data}, *args, **kwargs)


class Parser(JSONParser):
    media_type = "application/vnd.api+json"

    def parse(self, *args, **kwargs):
        raise ParseError("Received document does not contain primary data")


class Formats(Story):
    def test_the_contract_is_json(self):
        first, access = self.sign_in(), self.sign_in()["access"]
        page = get("/api/sessions/history?page_size=1", access)
        self.assertEqual(page.headers["Content-Type"], "application/json")
        self.assertIn("cursor=", page.json()["next"])
        self.assertEqual(len(get("/api/sessions", access).json()), 2)
        self.assertEqual(post("/api/token/refresh", refresh=first["refresh"]).status_code, 200)
        for refused in (get("/api/sessions"), post("/api/token", username="alice", password="x")):
            self.assertEqual(refused.status_code, 401)
            self.assertEqual(set(refused.json()), {"detail", "code"})

    def test_times_are_in_utc(self):
        self.make("root", is_staff=True, is_superuser=True)
        access, staff = self.sign_in()["access"], self.sign_in("root")["access"]
        call_command("count_sessions", verbosity=0)
        until = post("/api/sessions/current/confirm", access, password=PASSWORD).json()
        days = get("/api/admin/stats", staff).json()["days"]
        self.assertRegex(until["confirmed_until"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertTrue(all(re.fullmatch(r"\d{4}-\d\d-\d\d", each["day"]) for each in days))
