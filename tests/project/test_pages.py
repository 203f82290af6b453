"""The site's own pages: home, and the API's documentation."""

import re

import pytest
from django.contrib.staticfiles import finders


def scripts(page):
    return re.findall(r"<script[^>]*>(.*?)</script>", page.content.decode(), re.DOTALL)


def sources(page):
    return re.findall(r'(?:src|href)="([^"]*)"', page.content.decode())


def test_home_leads_to_the_docs_the_devices_and_the_admin(client, db):
    page = client.get("/")
    assert {"/docs", "/devices/", "/admin/"} <= set(sources(page))
    assert [client.get(path).status_code for path in ("/docs", "/devices/", "/admin/")] == [
        200,
        302,
        302,
    ]


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_docs_come_from_this_site_alone_and_without_inline_script(client, db, path):
    page = client.get(path)
    assert page.status_code == 200
    assert scripts(page) == ["", "", ""]
    assert not re.search(r"\son\w+=", page.content.decode())
    for source in sources(page):
        assert source.startswith(("/", "#main")) and not source.startswith("//")
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")), source
    script = client.get(f"{path}?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert b'url: "/api/schema"' in script.content and b"://" not in script.content


def test_the_docs_know_who_is_signed_in(client, alice):
    assert alice.email not in client.get("/docs").content.decode()
    client.force_login(alice)
    assert alice.email in client.get("/docs").content.decode()


def test_password_managers_find_the_page_that_changes_the_password(client, db):
    answer = client.get("/.well-known/change-password")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/change/")
    # They ask for this one first, and believe the other only if it is missing.
    missing = client.get(
        "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    )
    assert missing.status_code == 404
