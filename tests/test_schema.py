"""The OpenAPI description says what the API does: its paths, its examples, its refusals."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from drf_spectacular.generators import SchemaGenerator
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator

from project import views
from tests.client import PASSWORD, Device

METHODS = {"get", "post", "put", "patch", "delete"}


def build() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)


SCHEMA = build()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


def complaints(shape: dict[str, Any], value: Any, *, request: bool = False) -> list[str]:
    """What is wrong with a value, by a schema of ours."""
    validator = OAS30WriteValidator if request else OAS30ReadValidator
    whole = {"allOf": [shape], "components": SCHEMA["components"]}
    return [error.message for error in validator(whole).iter_errors(value)]


def examples_of(body: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    return [
        (media["schema"], example["value"])
        for media in body["content"].values()
        for example in media["examples"].values()
    ]


def test_the_schema_is_valid_and_builds_without_a_warning():
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=io.StringIO())


def test_the_schema_has_the_paths_of_the_url_map_and_no_others():
    def paths(patterns, prefix=""):
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from paths(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern) and path.startswith("api/"):
                plain = path.replace("(?P<pk>[^/]+)", "{id}").replace("^", "").replace("/?$", "")
                view = pattern.callback
                methods = METHODS & set(getattr(view, "actions", None) or dir(view.cls))
                yield from (f"{method.upper()} /{plain}" for method in methods)

    served = set(paths(get_resolver().url_patterns)) - {"GET /api/schema"}
    assert served == set(OPERATIONS)
    assert not any(path.endswith("/") for path in SCHEMA["paths"])


def test_the_methods_of_a_path_have_an_order_that_is_the_same_in_each_process():
    order = ["get", "post", "put", "patch", "delete"]
    for path, methods in SCHEMA["paths"].items():
        assert list(methods) == [each for each in order if each in methods], path


def test_the_bearer_token_is_the_way_to_authenticate():
    assert SCHEMA["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    open_ones = {name for name, operation in OPERATIONS.items() if "security" not in operation}
    assert open_ones == {
        "POST /api/register",
        "POST /api/login",
        "POST /api/token",
        "POST /api/token/refresh",
        "POST /api/login/code",
        "POST /api/token/code",
        "POST /api/token/verify",
        "POST /api/token/blacklist",
    }


@every_operation
def test_each_operation_is_described(name):
    operation = OPERATIONS[name]
    assert operation["summary"] and operation["description"]
    assert len(operation["tags"]) == 1
    if "security" in operation:
        assert "401" in operation["responses"]
    if "requestBody" in operation:
        assert {"400", "413", "415"} <= operation["responses"].keys()
        assert examples_of(operation["requestBody"])
    for status, answer in operation["responses"].items():
        if status == "204":
            assert "content" not in answer
        else:
            assert examples_of(answer)


@every_operation
def test_the_examples_are_what_they_are_examples_of(name):
    operation = OPERATIONS[name]
    if "requestBody" in operation:
        for shape, value in examples_of(operation["requestBody"]):
            assert complaints(shape, value, request=True) == []
    for answer in operation["responses"].values():
        for shape, value in examples_of(answer) if "content" in answer else ():
            assert complaints(shape, value) == []


def test_the_validator_of_these_tests_complains():
    shape = {"$ref": "#/components/schemas/DevicesSession"}
    assert complaints(shape, {"name": 1}) != []


def check(answer: Any, name: str) -> None:
    """An answer of the API is one of those that its description foretells."""
    foretold = OPERATIONS[name]["responses"][str(answer.status_code)]
    if "content" not in foretold:
        assert not answer.content
        return
    body = answer.json()
    media = foretold["content"]["application/json"]
    assert complaints(media["schema"], body) == []
    if answer.status_code >= 400 and "code" in body:
        codes = [e["value"].get("code") for e in media["examples"].values()]
        assert body["code"] in codes


def test_what_the_api_answers_is_what_the_schema_says(alice, sign_in, clock):
    phone, laptop, stranger = sign_in(alice), sign_in(alice), Device()
    other = f"/api/sessions/{phone.session_id}"
    by_id = "/api/sessions/{id}"
    new = {"email": "bob@example.org", "password": PASSWORD}

    check(stranger.post("/api/register", new), "POST /api/register")
    check(stranger.post("/api/register", new), "POST /api/register")
    check(stranger.post("/api/register", {}), "POST /api/register")
    check(stranger.post("/api/login", new), "POST /api/login")
    check(stranger.post("/api/login", {**new, "password": "no"}), "POST /api/login")
    check(stranger.post("/api/login", "{", content_type="application/json"), "POST /api/login")
    check(stranger.post("/api/login", "a", content_type="text/plain"), "POST /api/login")
    check(stranger.post("/api/token", new), "POST /api/token")
    check(stranger.get("/api/me"), "GET /api/me")
    check(laptop.get("/api/me"), "GET /api/me")
    check(laptop.get("/api/sessions"), "GET /api/sessions")
    check(laptop.patch(other, {"name": "Phone"}), f"PATCH {by_id}")
    check(laptop.patch(other, {"name": "x" * 65}), f"PATCH {by_id}")
    check(laptop.patch(other, {}), f"PATCH {by_id}")
    check(laptop.get(other), f"GET {by_id}")
    check(laptop.delete(other), f"DELETE {by_id}")
    check(laptop.get(other), f"GET {by_id}")
    check(phone.get("/api/me"), "GET /api/me")
    check(phone.refresh(), "POST /api/token/refresh")
    check(laptop.refresh(), "POST /api/token/refresh")
    check(laptop.post("/api/token/verify", {"token": laptop.access}), "POST /api/token/verify")
    check(laptop.post("/api/token/verify", {"token": phone.access}), "POST /api/token/verify")
    check(laptop.post("/api/token/blacklist", {"refresh": "x"}), "POST /api/token/blacklist")
    check(laptop.get("/api/sessions/history"), "GET /api/sessions/history")
    check(laptop.get(f"{other}/activity"), "GET /api/sessions/{id}/activity")
    check(laptop.post("/api/sessions/revoke-all"), "POST /api/sessions/revoke-all")
    wrong = laptop.post("/api/sessions/revoke-all?keep_current=maybe")
    check(wrong, "POST /api/sessions/revoke-all")
    change = {"current_password": PASSWORD, "new_password": "another horse 7 battery"}
    check(laptop.post("/api/me/password", {**change, "new_password": "1"}), "POST /api/me/password")
    check(laptop.post("/api/me/password", change), "POST /api/me/password")
    check(laptop.post("/api/logout"), "POST /api/logout")
    check(laptop.post("/api/logout"), "POST /api/logout")


@pytest.mark.parametrize("accept", ["application/json", "application/yaml", "*/*"])
def test_the_schema_is_served_to_anybody(client, accept):
    answer = client.get("/api/schema", HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    assert b"/api/sessions/{id}" in answer.content


def test_the_schema_is_made_once_in_each_language_for_all_and_however_often(client, monkeypatch):
    made = []

    def parse(self, *args, whole=SchemaGenerator.parse):
        made.append(1)
        return whole(self, *args)

    monkeypatch.setattr(SchemaGenerator, "parse", parse)
    views._schema.cache_clear()
    for n in range(3):
        for language in ("en", "de"):
            query = {"lang": f"x-{n}", "version": n} if n else {}
            answer = client.get("/api/schema", query, headers={"Accept-Language": language})
            assert answer.status_code == 200
    assert len(made) == 2
