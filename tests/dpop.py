"""A client that proves with each request that it holds its key (RFC 9449), as others write one."""

import hashlib
import time
import uuid
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

from .client import CHROME, Device

SITE = "http://testserver"


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class Key:
    """A key pair of a device; `proof(...)` signs with it."""

    def __init__(self, private: Any = None, algorithm: str = "ES256") -> None:
        self.private = private or ec.generate_private_key(ec.SECP256R1())
        self.algorithm = algorithm
        public = self.private.public_key()
        jwk = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
        self.jwk: dict[str, Any] = {k: v for k, v in jwk.items() if k != "key_ops"}

    def sign(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        return jwt.encode(claims, self.private, header.get("alg", self.algorithm), header)

    def claims(
        self, method: str, url: str, token: str | None = None, **others: Any
    ) -> dict[str, Any]:
        claims = {"jti": uuid.uuid4().hex, "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            claims["ath"] = base64url(hashlib.sha256(token.encode()).digest())
        return {k: v for k, v in {**claims, **others}.items() if v is not ...}

    def proof(self, method: str, url: str, token: str | None = None, **others: Any) -> str:
        header = {"typ": "dpop+jwt", "jwk": self.jwk}
        return self.sign(self.claims(method, url, token, **others), header)


class DPoPDevice(Device):
    """A Device with a key: each request has a proof, and the token the scheme DPoP."""

    def __init__(
        self, agent: str = CHROME, ip: str = "203.0.113.7", key: Key | None = None
    ) -> None:
        super().__init__(agent, ip)
        self.key = key or Key()
        self.nonce: str | None = None

    def generic(self, method: str, path: str, *args: Any, **extra: Any) -> Any:  # type: ignore[override]
        if "HTTP_DPOP" not in extra:
            token = self.access if "HTTP_AUTHORIZATION" in self._credentials else None
            url = SITE + urlsplit(path).path
            others = {"nonce": self.nonce} if self.nonce else {}
            extra["HTTP_DPOP"] = self.key.proof(method, url, token, **others)
        answer = super().generic(method, path, *args, **extra)
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        return answer

    def hold(self, tokens: dict[str, Any]) -> None:
        super().hold(tokens)
        self.credentials(**{**self._credentials, "HTTP_AUTHORIZATION": f"DPoP {self.access}"})

    def refresh(self, token: str | None = None) -> Any:
        # Without the access token, as whoever refreshes has none that is good.
        other = DPoPDevice(key=self.key)
        other.defaults, other.nonce = self.defaults, self.nonce
        answer = other.post("/api/token/refresh", {"refresh": token or self.refresh_token})
        self.nonce = other.nonce
        return answer
