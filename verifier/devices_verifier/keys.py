"""The site's public keys: read from its JWKS, as a whole or not at all."""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

import jwt

from .errors import FeedRefused

# Each key takes its own algorithm, whatever a token says (RFC 8725 §3.1).
KINDS: Final = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "RS256": {"kty": "RSA"},
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MAX_KEYS: Final = 50

Keys = Mapping[str, jwt.PyJWK]


def parse(text: bytes) -> Keys:
    """The keys of a JWKS (RFC 7517 §5) by name. Raises FeedRefused if one is none that may sign tokens."""
    try:
        members = json.loads(text)["keys"]
        if not isinstance(members, list) or len(members) > MAX_KEYS:
            raise FeedRefused("The set of keys is none.")
        keys = {member["kid"]: _parse_key(member) for member in members}
    except (ValueError, LookupError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise FeedRefused(f"The set of keys cannot be read: {type(error).__name__}.") from error
    if len(keys) < len(members):
        raise FeedRefused("Two keys have one name.")
    return keys


def _parse_key(member: Mapping[str, Any]) -> jwt.PyJWK:
    kind = KINDS.get(member["alg"])
    if kind is None or any(member.get(name) != value for name, value in kind.items()):
        raise FeedRefused("A key is of no kind that may sign tokens.")
    if _PRIVATE & member.keys() or member.get("use", "sig") != "sig":
        raise FeedRefused("A key is not a public one for signatures.")
    if not isinstance(member["kid"], str):
        raise FeedRefused("A key has no name.")
    return jwt.PyJWK(dict(member), algorithm=member["alg"])


def digest(keys: Keys) -> str:
    """As the site calculates it of its own keys, to tell when they are others."""
    return hashlib.sha256(json.dumps(sorted(keys)).encode()).hexdigest()


def decode(
    token: str | bytes, keys: Keys, types: frozenset[str], **checks: Any
) -> tuple[dict[str, Any], str]:
    """The payload of a JWS of one of these types, and the name of its key. Raises InvalidTokenError.

    It is verified under the key that it names, which is looked up here and nowhere else.
    """
    header = _header(token)
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    said = header.get("typ", "JWT")
    if key is None or not isinstance(said, str) or said.lower() not in types:
        raise jwt.InvalidTokenError("No key of ours, or another type.")
    return jwt.decode(token, key, [key.algorithm_name], **checks), str(kid)


def _header(token: str | bytes) -> dict[str, Any]:
    """What a token says of itself: good for looking up its key, and checked with it. Raises ValueError.

    PyJWT's get_unverified_header decodes the whole token, which takes a quarter of its verification.
    """
    raw = token.encode() if isinstance(token, str) else token
    segment = raw.partition(b".")[0]
    header = json.loads(urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    if not isinstance(header, dict):
        raise jwt.InvalidTokenError("The header is none.")
    return header
