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
from tests.client import CHROME
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
