"""The project's OpenAPI description: what is its own keeps its name, beside what is ours."""

import io
import json

from django.core.management import call_command
from django.test import SimpleTestCase, override_settings


def describe():
    printed = io.StringIO()
    call_command(
        "spectacular", format="openapi-json", validate=True, fail_on_warn=True, stdout=printed
    )
    return json.loads(printed.getvalue())


class Described(SimpleTestCase):
    def test_no_name_is_taken_twice(self):
        schemas = describe()["components"]["schemas"]
        theirs = {name for name in schemas if "Devices" not in name}
        own = {"Session", "Error", "SessionStart"}
        self.assertEqual(theirs, own | {"StatusEnum", "DeviceTypeEnum", "RevokeReasonEnum"})
        self.assertEqual(list(schemas["Error"]["properties"]), ["seat"])
        self.assertEqual(schemas["StatusEnum"]["enum"], ["open", "sold_out"])
        self.assertEqual(schemas["DevicesStatusEnum"]["enum"], ["active", "revoked", "expired"])
        self.assertIn("seat", schemas["SessionStart"]["properties"])
        self.assertNotIn("seat", schemas["DevicesSessionStart"]["properties"])

    def test_what_a_page_gets_depends_on_where_the_access_token_is(self):
        def fields():
            schemas = describe()["components"]["schemas"]
            return set(schemas["DevicesCookieTokens"]["properties"])

        self.assertEqual(fields(), {"access", "expires_in", "session_id"})
        with override_settings(DEVICES={"ACCESS_COOKIE": True}):
            self.assertEqual(fields(), {"csrf_token", "expires_in", "session_id"})

    def test_a_page_gets_the_same_from_a_login_and_from_a_refresh(self):
        operations = {
            path["post"]["operationId"]: path["post"]
            for path in describe()["paths"].values()
            if "post" in path
        }
        given = [
            operations[name]["responses"]["200"]["content"]["application/json"]
            for name in ("loginByCookie", "loginByCookieAndCode", "refreshByCookie")
        ]
        shape = {"$ref": "#/components/schemas/DevicesCookieTokens"}
        self.assertEqual([media["schema"] for media in given], [shape] * 3)
        for media in given:
            [example] = media["examples"].values()
            self.assertEqual(set(example["value"]), {"access", "expires_in", "session_id"})
