"""A real OpenID Connect provider on loopback, and people who sign in with it, in browsers and in apps."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from django.test import Client

CLIENT_ID = "devices"
REDIRECT = "https://app.example.org/callback"


class Provider:
    def __init__(self, url: str) -> None:
        self.url = url

    def knows(self, sub: str, **claims: Any) -> str:
        """Let it say this of somebody."""
        httpx.put(f"{self.url}/users/{sub}", json=claims).raise_for_status()
        return sub

    def settings(self, **more: Any) -> dict[str, Any]:
        """SOCIALACCOUNT_PROVIDERS of a site that offers it."""
        app = {
            "provider_id": "oidc",
            "name": "Loopback",
            "client_id": CLIENT_ID,
            "secret": "the client's secret",
            "settings": {"server_url": self.url, **more},
        }
        return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}

    def key_id(self) -> str:
        return str(httpx.get(f"{self.url}/jwks").json()["keys"][0]["kid"])

    def consent(self, authorize_url: str, sub: str) -> str:
        """Sign in there and agree; where it sends the person back to."""
        answer = httpx.post(authorize_url, data={"sub": sub})
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def id_token(self, sub: str, client_id: str = CLIENT_ID) -> str:
        """What an app gets that signs somebody in there by itself."""
        query = httpx.QueryParams(
            client_id=client_id,
            redirect_uri=REDIRECT,
            response_type="code",
            scope="openid email",
            state=secrets.token_urlsafe(),
        )
        back = self.consent(f"{self.url}/oauth2/authorize?{query}", sub)
        grant = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(back).query)["code"][0],
            "redirect_uri": REDIRECT,
        }
        answer = httpx.post(
            f"{self.url}/oauth2/token", data=grant, auth=(client_id, "the client's secret")
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["id_token"]
        return token


@contextmanager
def serve() -> Iterator[Provider]:
    from oidc_provider_mock import _app, run_server_in_thread

    config = _app.OpenIDCode.get_jwt_config

    def with_id_of_key(*args: Any) -> dict[str, Any]:
        # It has one key and names none. Providers that change theirs have to.
        return {**config(*args), "kid": _app.storage.jwk.thumbprint()}

    patched = mock.patch.object(_app.OpenIDCode, "get_jwt_config", with_id_of_key)
    with patched, run_server_in_thread() as server:
        yield Provider(f"http://localhost:{server.server_port}")


def sign_in(browser: Client, provider: Provider, sub: str) -> Any:
    """From the button to where the site sends the person once they are back; the answer to the latter."""
    away = browser.post("/accounts/oidc/oidc/login/")
    assert away.status_code == 302, away.content
    back = provider.consent(away["Location"], sub)
    return browser.get(back.partition("testserver")[2])


class Visitor(httpx.Client):
    """A browser without scripts, over HTTP: keeps cookies, follows links, fills in forms."""

    def __init__(self, url: str, agent: str) -> None:
        super().__init__(base_url=url, headers={"User-Agent": agent}, timeout=30)

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page, with what is hidden in it."""
        main = page.text.partition("<main")[2].partition("</main>")[0]
        forms = re.findall(r"<form.*?</form>", main, re.DOTALL)
        [form] = [form for form in forms if all(f'name="{name}"' in form for name in fields)][:1]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        action = re.search(r'<form[^>]*action="([^"]*)"', form)
        url = urljoin(str(page.url), action[1] if action else "")
        headers = {
            "Referer": str(page.url),
            "Origin": f"{page.url.scheme}://{page.url.netloc.decode()}",
        }
        return self.post(url, data={**hidden, **fields}, headers=headers)

    def sign_in(self, provider: Provider, sub: str) -> "Visitor":
        page = self.get("/accounts/oidc/oidc/login/")
        away = self.submit(page)
        assert away.headers["Location"].startswith(provider.url), away.text
        there = self.get(away.headers["Location"])
        back = self.post(str(there.url), data={"sub": sub})
        answer = self.get(back.headers["Location"])
        assert answer.status_code == 302, answer.text
        return self

    def is_in(self) -> bool:
        return self.get("/devices/").status_code == 200
