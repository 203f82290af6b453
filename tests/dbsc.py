"""A browser that binds its session to a key (DBSC), as Chromium 156 was seen to do it."""

import base64
import json
import re
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from devices.core.binding.dbsc import COOKIE
from tests.client import CHROME, PASSWORD

REGISTRATION = re.compile(
    r'\((?P<algorithms>[\w ]+)\);path="(?P<path>[^"]+)";challenge="(?P<challenge>[^"]+)"'
)
CHALLENGE = re.compile(r'"(?P<challenge>[^"]+)";id="(?P<id>[^"]+)"')


def new_key(algorithm: str = "ES256") -> Any:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Any, algorithm: str = "ES256") -> dict[str, Any]:
    spelled: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(
        key.public_key(), as_dict=True
    )
    return {name: spelled[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in spelled}


def proof(
    key: Any, challenge: str, *, algorithm: str = "ES256", jwk: Any = None, **header: Any
) -> str:
    """A JWS as Chromium makes it; with the key in its header at registration alone."""
    header = {"typ": "dbsc+jwt"} | header | ({"jwk": jwk} if jwk else {})
    return jwt.encode({"jti": challenge}, key, algorithm, headers=header)


class BoundBrowser(Client):
    """Signs in, registers, and asks to renew its cookie where Chromium would."""

    def __init__(
        self, ip: str = "203.0.113.7", agent: str = CHROME, algorithm: str = "ES256"
    ) -> None:
        super().__init__(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
        self.algorithm = algorithm
        self.key: Any = None
        self.identifier = ""
        self.refresh_url = ""
        # The name of its bound cookie.
        self.bound = ""

    def request(self, **request: Any) -> Any:
        # Always by HTTPS: no browser binds anything otherwise.
        return super().request(**request | {"wsgi.url_scheme": "https", "SERVER_PORT": "443"})

    def sign_in(self, email: str, path: str = "/accounts/login/", field: str = "login") -> Any:
        form = {field: email, "password": PASSWORD, "remember": "on"}
        answer = self.post(path, form, headers={"Referer": "https://testserver/"})
        assert answer.status_code == 302, answer.content
        return answer

    def register(self, offered: Any, **kwargs: Any) -> Any:
        found = REGISTRATION.fullmatch(offered["Secure-Session-Registration"])
        assert found, offered["Secure-Session-Registration"]
        assert self.algorithm in found["algorithms"].split()
        self.key = new_key(self.algorithm)
        jwk = public(self.key, self.algorithm)
        signed = proof(self.key, found["challenge"], algorithm=self.algorithm, jwk=jwk)
        answer = self.post(found["path"], headers={"Secure-Session-Response": signed}, **kwargs)
        self.follow(answer)
        return answer

    def bind(self, email: str) -> "BoundBrowser":
        assert self.register(self.sign_in(email)).status_code == 200
        return self

    def follow(self, answer: Any) -> None:
        """Keep what an answer of the endpoints tells."""
        told = answer.json() if answer.status_code == 200 else {"continue": False}
        if told.get("continue", True):
            self.identifier, self.refresh_url = told["session_identifier"], told["refresh_url"]
            [credential] = told["credentials"]
            self.bound = credential["name"]
        else:
            self.identifier = self.refresh_url = self.bound = ""

    def ask(self, signed: str = "") -> Any:
        headers = {"Sec-Secure-Session-Id": f'"{self.identifier}"'}
        if signed:
            headers["Secure-Session-Response"] = signed
        return self.post(self.refresh_url, headers=headers)

    def challenge(self) -> str:
        answer = self.ask()
        assert answer.status_code == 403, answer.content
        found = CHALLENGE.fullmatch(answer["Secure-Session-Challenge"])
        assert found
        assert found["id"] == self.identifier
        return found["challenge"]

    def sign(self, challenge: str) -> str:
        return proof(self.key, challenge, algorithm=self.algorithm)

    def renew(self) -> Any:
        """What comes before a request for which the cookie is missing."""
        answer = self.ask()
        if answer.status_code == 403:
            found = CHALLENGE.fullmatch(answer["Secure-Session-Challenge"])
            assert found
            answer = self.ask(self.sign(found["challenge"]))
        self.follow(answer)
        return answer

    def lose_cookie(self) -> None:
        """As when its time is over."""
        for name in [name for name in self.cookies if name.startswith(COOKIE)]:
            del self.cookies[name]

    def is_in(self) -> bool:
        return self.get("/devices/").status_code == 200

    @property
    def session_id(self) -> uuid.UUID:
        return uuid.UUID(self.session["device_session"])


class BoundApp(BoundBrowser):
    """A single-page app with its refresh token in a cookie, in such a browser."""

    def send(self, path: str, data: Any = None, **headers: str) -> Any:
        here = {"Sec-Fetch-Site": "same-origin", "Origin": "https://testserver"}
        body = {} if data is None else data
        return self.post(path, body, "application/json", headers=here | headers)

    def sign_in(self, email: str, path: str = "/api/cookie/login", field: str = "email") -> Any:
        answer = self.send(path, {field: email, "password": PASSWORD})
        assert answer.status_code == 200, answer.content
        return answer

    def refresh(self) -> Any:
        return self.send("/api/cookie/refresh")

    def is_in(self) -> bool:
        return bool(self.refresh().status_code == 200)


def bound_cookie(answer: Any) -> Any:
    """The bound cookie that an answer sets or deletes, or None."""
    found = [morsel for name, morsel in answer.cookies.items() if name.startswith(COOKIE)]
    assert len(found) <= 1
    return found[0] if found else None


def b64(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def reheaded(jws: str, **header: Any) -> str:
    """The same statement under another header, signature and all."""
    _, payload, signature = jws.split(".")
    return f"{b64(header)}.{payload}.{signature}"


def stolen(browser: Client, *, but: tuple[str, ...] = ()) -> Client:
    """A browser elsewhere with the cookies of this one, and not with its key."""
    thief = Client(HTTP_USER_AGENT=CHROME, REMOTE_ADDR="198.51.100.66")
    for name, morsel in browser.cookies.items():
        if name not in but:
            thief.cookies[name] = morsel.value
    return thief
