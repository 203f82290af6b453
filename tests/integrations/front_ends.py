"""Front ends of the recipes, built and served before a site that takes the visitor's address from them."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError

from devices.models import DeviceSession
from tests import npm, processes
from tests.client import CHROME, PASSWORD
from tests.test_recipes import blocks

# With the packages of the integrations alone, since each takes a while to build.
pytest.importorskip("channels", reason="make test-integrations tries it")

ADDRESS = "203.0.113.7"


class Visitor:
    """A browser without scripts. It stores cookies also where they are for HTTPS, and follows nothing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        *,
        stores: bool = True,
        more: dict[str, str] | None = None,
        **given: object,
    ) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"User-Agent": CHROME, "X-Forwarded-For": ADDRESS, "Origin": self._url}
        headers |= {"Cookie": cookie} | (more or {})
        answer = httpx.request(method, self._url + path, headers=headers, timeout=30, **given)
        for line in answer.headers.get_list("Set-Cookie") if stores else []:
            for name, morsel in SimpleCookie(line).items():
                if not morsel.value:
                    self.cookies.pop(name, None)
                    continue
                assert morsel["httponly"]
                assert morsel["secure"]
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str = "/", **given: object) -> httpx.Response:
        return self.ask("GET", path, **given)


def printed_files(page: str) -> dict[str, str]:
    """The files of a recipe: its blocks of JavaScript, and of HTML."""
    text = (Path(django_settings.BASE_DIR) / f"docs/recipes/{page}.md").read_text()
    return blocks(page) | dict(re.findall(r"```html\n<!-- (\S+) -->\n(.*?)```", text, re.DOTALL))


def build(
    folder: Path,
    files: dict[str, str],
    packages: tuple[str, ...],
    command: list[str],
    untested: str,
    timeout: int = 300,
) -> Path:
    """The folder with these files and packages, built by a program of the packages."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    npm.install(folder, packages, untested)
    program, *rest = command
    printed = processes.run([f"node_modules/.bin/{program}", *rest], folder, timeout=timeout)
    assert printed is not None, f"{program} has failed"
    return folder


def trust_front_end(settings: Any) -> None:
    """Take the visitor's address from it. A refresh token that comes twice is a thief's."""
    settings.DEVICES = settings.DEVICES | {
        "TRUSTED_PROXIES": ["127.0.0.1/32"],
        "REFRESH_GRACE": timedelta(0),
    }


def an_expired_token_is_replaced_before_the_page_is_made(
    visitor: Visitor, location: str = "/?page=2"
) -> httpx.Response:
    """The visitor is signed in. The page, which came by a redirect to this location."""
    del visitor.cookies["access"]
    old = visitor.cookies["refresh"]
    refreshed = visitor.get("/?page=2", stores=False)
    assert (refreshed.status_code, refreshed.headers["Location"]) == (307, location)
    # That answer got lost. The same happens once more, however late it is, and then all goes on.
    assert visitor.get("/?page=2").status_code == 307
    assert visitor.cookies["refresh"] != old
    page = visitor.get("/?page=2")
    assert page.status_code == 200
    assert DeviceSession.objects.get().generation == 1
    return page


def no_redirect_leads_to_another_site(visitor: Visitor, *paths: str) -> None:
    """The visitor is signed in, and asks for these paths with an access token that has expired."""
    for path in paths:
        del visitor.cookies["access"]
        answer = visitor.get(path)
        went = answer.url.join(answer.headers["Location"])
        assert went.host == "127.0.0.1", went


def sign_in_page(page: Any, url: str) -> None:
    """Sign in by the form of the front end at this URL, with scripts."""
    page.goto(f"{url}/login", wait_until="networkidle")
    page.fill("[name=email]", "alice@example.org")
    page.fill("[name=password]", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector("text=Chrome")


def an_api_that_is_away_signs_nobody_out(visitor: Visitor) -> None:
    """The visitor is signed in. What was ended elsewhere ends here."""
    del visitor.cookies["access"]
    kept = dict(visitor.cookies)
    with patch("devices.core.sessions.refresh.get_valid_session", side_effect=OperationalError):
        assert visitor.get().status_code == 503
    assert visitor.cookies == kept
    assert visitor.get().status_code == 307
    assert visitor.get().status_code == 200
    DeviceSession.objects.get().delete()
    del visitor.cookies["access"]
    assert visitor.get().status_code == 307
    assert visitor.cookies.keys() == {"device"}
