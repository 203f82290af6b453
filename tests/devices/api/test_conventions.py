"""What holds on every path of the contract, whatever it is for."""

import pytest
from django.urls import URLResolver, get_resolver
from rest_framework_simplejwt.views import TokenViewBase

from devices.api.authentication import DeviceSessionAuthentication
from tests.client import Device, refusal
from tests.contract import METHODS, OPEN, PROTECTED, STAFF

BOTH = [(method, path) for method, path, _ in PROTECTED] + OPEN
OPEN_VIEWS = {
    "api-register", "api-login", "api-login-code", "token", "token-code", "token-refresh", "token-verify",
    "token-blacklist", "schema",
}  # fmt: skip


def endpoints():
    """Name and view class of everything under /api/."""

    def walk(patterns, prefix):
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif path.startswith("api/"):
                view = pattern.callback
                yield pattern.name, getattr(view, "cls", None) or view.view_class

    return dict(walk(get_resolver().url_patterns, ""))


def test_A48_no_view_of_the_api_asks_anything_but_a_living_session():
    found = endpoints()
    assert set(found) > OPEN_VIEWS
    for name, view in found.items():
        if name in OPEN_VIEWS:
            assert not view.authentication_classes
        else:
            assert list(view.authentication_classes) == [DeviceSessionAuthentication], name
            assert not issubclass(view, TokenViewBase)


def test_the_paths_tested_here_are_all_there_are():
    resolver = get_resolver()
    paths = [path for _, path in BOTH] + [path for _, path, _ in STAFF]
    tested = {resolver.resolve(path).url_name for path in paths}
    # What names a trusted device is in tests/test_trusted_devices.py.
    assert set(endpoints()) == tested | {"schema", "trusted-device"}


@pytest.mark.parametrize(("method", "path", "body"), STAFF)
@pytest.mark.parametrize("slash", ["", "/"])
def test_A45_what_is_for_staff_is_for_nobody_else(
    alice, make_user, sign_in, method, path, body, slash
):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    answer = getattr(sign_in(root), method)(path + slash, body)
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    refused = getattr(sign_in(alice), method)(path + slash, body)
    assert refusal(refused) == (403, "permission_denied")
    unknown = getattr(Device(), method)(path + slash, body)
    assert refusal(unknown) == (401, "not_authenticated")


@pytest.mark.parametrize(("method", "path", "body"), PROTECTED)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_path_answers_with_and_without_its_slash(alice, sign_in, method, path, body, slash):
    answer = getattr(sign_in(alice), method)(path + slash, body)
    assert answer.status_code in (200, 204), answer.content
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path"), OPEN)
@pytest.mark.parametrize("slash", ["", "/"])
def test_S06_no_post_is_redirected(db, method, path, slash):
    answer = getattr(Device(), method)(path + slash, {})
    assert answer.status_code == 400
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path", "body"), PROTECTED)
def test_without_a_token_nothing_is_told_but_how_to_get_in(db, method, path, body):
    answer = getattr(Device(), method)(path, body)
    assert refusal(answer) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_4_1_4_other_methods_are_refused_with_those_that_are_not(alice, sign_in, path, slash):
    device = sign_in(alice)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - METHODS[path]:
        answer = device.generic(method, path + slash, "{}", content_type="application/json")
        assert refusal(answer) == (405, "method_not_allowed"), method
        assert set(answer["Allow"].split(", ")) == METHODS[path] | {"OPTIONS"}
    assert device.is_in()


@pytest.mark.parametrize("path", METHODS)
def test_options_tells_the_methods_and_changes_nothing(alice, sign_in, path):
    device = sign_in(alice)
    answer = device.options(path)
    assert answer.status_code == 200
    assert set(answer["Allow"].split(", ")) == METHODS[path] | {"OPTIONS"}
    assert device.is_in()


@pytest.mark.parametrize("path", [path for path, methods in METHODS.items() if "HEAD" in methods])
def test_head_is_get_without_a_body(alice, sign_in, path):
    device = sign_in(alice)
    get, head = device.get(path), device.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == get["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [path for path, methods in METHODS.items() if "POST" in methods])
def test_S06_a_get_on_what_changes_something_changes_nothing(alice, sign_in, path):
    device, other = sign_in(alice), sign_in(alice)
    assert refusal(device.get(path)) == (405, "method_not_allowed")
    assert device.head(path).status_code == 405
    assert device.is_in()
    assert other.is_in()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
@pytest.mark.parametrize(
    ("method", "path"),
    [*OPEN, ("post", "/api/me/password"), ("patch", "/api/sessions/current")],
)
def test_3_5_2_only_json_is_read(alice, sign_in, method, path, kind):
    answer = sign_in(alice).generic(method.upper(), path, "name=x&email=a", content_type=kind)
    assert refusal(answer) == (415, "unsupported_media_type")


def test_3_2_1_the_api_is_never_read_as_a_page(alice, sign_in):
    refused = sign_in(alice).get("/api/sessions", HTTP_ACCEPT="text/html")
    assert refusal(refused) == (406, "not_acceptable")
    for answer in (refused, sign_in(alice).get("/api/sessions")):
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing", "/api/sessions/current/x", "/api//me", "/api/me//"]
)
def test_what_is_not_there_is_told_in_json(db, path):
    answer = Device().get(path)
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "Not found.", "code": "not_found"},
    )


def test_A22_a_host_that_is_not_ours_is_refused_in_json(db, settings):
    settings.ALLOWED_HOSTS = ["devices.example"]
    answer = Device().get("/api/me", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Bad request.", "code": "bad_request"}
    assert Device().get("/", HTTP_HOST="evil.example")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("where", ["?token={}", "?access_token={}", "?jwt={}&session_id={}"])
def test_14_2_1_a_token_in_the_url_opens_nothing(alice, sign_in, where):
    device = sign_in(alice)
    stranger = Device()
    stranger.cookies["access_token"] = device.access
    path = "/api/me" + where.format(device.access, device.session_id)
    assert refusal(stranger.get(path)) == (401, "not_authenticated")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_taken_in_capitals_or_not(alice, sign_in, scheme):
    phone = sign_in(alice)
    phone.credentials(HTTP_AUTHORIZATION=f"{scheme} {phone.access}")
    assert phone.get("/api/me").status_code == 200
    assert phone.post("/api/logout").status_code == 204
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")


@pytest.mark.parametrize(
    "header", ["", " ", "bearer", "bearer ", "basic YWxpY2U6eA==", "bearerx y"]
)
def test_no_token_is_no_token(alice, header):
    answer = Device().get("/api/me", HTTP_AUTHORIZATION=header)
    status, code = refusal(answer)
    assert (status, code in ("not_authenticated", "bad_authorization_header")) == (401, True)


def test_where_all_pages_need_a_login_the_api_asks_for_its_own(alice, settings):
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, required]
    for method, path, _ in PROTECTED:
        assert getattr(Device(), method)(path).status_code == 401, path
    assert Device().sign_in(alice.email).is_in()
