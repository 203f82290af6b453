"""Tokens that the site never issued: its own with other claims, another header or another signature."""

import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import jwt
from django.conf import settings
from jwt.algorithms import HMACAlgorithm

# What to look for where no token may stand. Its first letters alone are in random text, too: a signed link
# has them once in some thousand times.
A_TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.")
# Stands for a claim that is left out.
ABSENT = object()


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def with_claims(token: str, **changes: Any) -> str:
    """The token with other claims, signed well by our own key."""
    claims = {**claims_of(token), **changes}
    return signed({key: value for key, value in claims.items() if value is not ABSENT})


def signed(
    claims: Any, header: Any = None, key: str | bytes | None = None, bits: str = "256"
) -> str:
    """Header and claims, of which bytes are taken as they are, under an HMAC signature."""
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    message = b".".join(encoded(part) for part in (header, claims))
    secret = settings.SIMPLE_JWT["SIGNING_KEY"] if key is None else key
    secret = secret.encode() if isinstance(secret, str) else secret
    signature = HMACAlgorithm(getattr(HMACAlgorithm, f"SHA{bits}")).sign(message, secret)
    return b".".join((message, base64(signature))).decode()


def encoded(part: Any) -> bytes:
    return base64(part if isinstance(part, bytes) else json.dumps(part).encode())


def base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
