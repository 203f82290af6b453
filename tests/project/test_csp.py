"""The Content-Security-Policy: strict, on every answer, and no page asks for what it refuses."""

import re

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.markup import inline

# One for each kind of page that has an argument in its path.
ADMIN = [
    "/admin/devices/devicesession/{session}/change/",
    "/admin/devices/devicesession/{session}/history/",
    "/admin/accounts/user/{user}/change/",
    "/admin/accounts/user/{user}/delete/",
]


def plain_paths(patterns=None, prefix=""):
    """Every path of the site that has no argument in it."""
    for pattern in patterns or get_resolver().url_patterns:
        path = prefix + re.sub(r"^\^|/\?\$$|\$$|\\(?=\W)", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from plain_paths(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and not re.search(r"[<(\[]", path):
            yield "/" + path


def policy_of(answer):
    directives = answer["Content-Security-Policy"].split("; ")
    return {name: values for name, *values in map(str.split, directives)}


@pytest.fixture
def staff(client, make_user):
    client.force_login(make_user("root@example.org", is_staff=True, is_superuser=True))
    return client


def test_the_walk_finds_the_pages():
    paths = set(plain_paths())
    assert {"/", "/devices/", "/admin/", "/admin/devices/devicesession/", "/docs"} <= paths
    assert {"/accounts/login/", "/accounts/logout/", "/api/sessions"} <= paths


def test_A29_the_policy_trusts_nothing_that_is_written_into_a_page(client, db):
    policy = policy_of(client.get("/"))
    for directive in ("default-src", "base-uri", "frame-ancestors"):
        assert policy[directive] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert {"form-action", "img-src", "connect-src", "font-src"} <= set(policy)
    words = [word for words in policy.values() for word in words]
    assert not [word for word in words if "unsafe" in word or "*" in word or word == "http:"]


def test_A29_every_answer_has_the_policy_and_no_page_asks_for_more(staff, alice, sign_in):
    phone = sign_in(alice)
    paths = [
        *plain_paths(),
        *(path.format(session=phone.session_id, user=alice.pk) for path in ADMIN),
    ]
    pages = 0
    for path in paths:
        if "logout" in path:
            continue  # GET only asks; but were it to act, the rest would be seen signed out
        answer = staff.get(path)
        assert answer.status_code < 500, path
        assert policy_of(answer)["default-src"] == ["'none'"], path
        if answer["Content-Type"].startswith("text/html"):
            assert inline(answer.content.decode()) == [], path
            pages += 1
    assert pages >= 15


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/accounts/logout/", "/admin/login/"])
def test_A29_nor_does_one_for_strangers(client, db, path):
    assert inline(client.get(path).content.decode()) == []


def test_pages_that_tell_what_went_wrong_have_it_too(alice, client):
    strict = type(client)(enforce_csrf_checks=True)
    for answer in (client.get("/nowhere/"), strict.post("/accounts/login/", {})):
        assert answer.status_code in (403, 404)
        assert "Content-Security-Policy" in answer
        assert inline(answer.content.decode()) == []
        # In the clothes of the site, with a way on.
        assert "site.css" in answer.content.decode()


def test_what_is_refused_is_found():
    page = '<p style="x"><a href="javascript:x" onclick=y><script>z</script><style></style>'
    assert len(inline(page)) == 5
    data = '<script type="application/json">{}</script><script src="/a.js"></script>'
    assert inline(data) == []
