"""A site below a path: its own links, static files and errors, and the links in mails."""

import re

import httpx
import pytest
from django.urls import set_script_prefix

from devices.core.notifications import review_links
from tests.ports import free_port

from .servers import environment, gunicorn, migrate

pytestmark = pytest.mark.own_database

HEADERS = {"Host": "api.example.org", "X-Forwarded-Proto": "https"}


def test_a_site_below_a_path_knows_it_everywhere(tmp_path):
    env = environment(tmp_path, SITE_URL="https://api.example.org/app")
    migrate(env)
    port = free_port()
    with (
        gunicorn(tmp_path, port, env),
        # As a proxy that takes the path off.
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=60) as site,
    ):
        for path in ("/", "/docs", "/accounts/login/", "/admin/login/"):
            page = site.get(path, follow_redirects=False)
            links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
            if page.status_code == 302:
                links.append(page.headers["Location"])
            assert links
            assert {link for link in links if not link.startswith("/app/")} == set(), path
        missing = site.get("/api/nothing")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert site.get("/favicon.ico").headers["Location"] == "/app/static/icon.svg"


@pytest.fixture
def prefix():
    yield set_script_prefix
    set_script_prefix("/")


@pytest.mark.parametrize("seen", ["/", "/app/"])
@pytest.mark.parametrize(
    ("url", "script_name"),
    [
        ("https://example.org/app", None),
        ("https://example.org/app/", "/app"),
        ("https://example.org", "/app"),
        ("https://example.org", "/app/"),
    ],
)
def test_links_in_mails_have_the_path_of_the_site(settings, prefix, seen, url, script_name):
    """Whether what sends them serves a request of that path, or none."""
    settings.DEVICES = {**settings.DEVICES, "SITE_URL": url}
    settings.FORCE_SCRIPT_NAME = script_name
    prefix(seen)
    assert review_links.page("devices:review") == "https://example.org/app/devices/review/"
    assert review_links.password_page() == "https://example.org/app/accounts/password/reset/"


def test_a_path_in_settings_is_taken_as_it_is(settings):
    settings.DEVICES = {
        **settings.DEVICES,
        "SITE_URL": "https://example.org/app",
        "PASSWORD_RESET_URL": "/reset",
    }
    assert review_links.password_page() == "https://example.org/reset"
