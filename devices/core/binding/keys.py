"""Public keys that devices prove to hold: read from a JWK (RFC 7517), named by their thumbprint (RFC 7638).

The arithmetic is that of PyJWT and cryptography. Pure.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_encode

from devices.core.jws import name_of_key

# What devices may sign with: ES256 is what WebCrypto, Secure Enclave, Keystore and TPM all have. Ed25519 is
# EdDSA with that curve by its name in RFC 9864; clients send the one or the other.
ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "RS256")
# By algorithm: what a key of it is made of, and nothing else is read (RFC 7638 §3.2, RFC 8037 §2). The curve
# is the algorithm's only one.
MEMBERS: Final = {
    "ES256": ({"kty": "EC", "crv": "P-256"}, ("x", "y")),
    "Ed25519": ({"kty": "OKP", "crv": "Ed25519"}, ("x",)),
    "EdDSA": ({"kty": "OKP", "crv": "Ed25519"}, ("x",)),
    "RS256": ({"kty": "RSA"}, ("n", "e")),
}
# Members that only a private or a symmetric key has.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# Bits. Fewer are too weak (NIST SP 800-131A), more cost too much to verify for anybody who sends one.
_RSA_BITS: Final = range(2048, 4097)
_MOST_EXPONENT: Final = 2**32


class InvalidKey(ValueError):
    """Not a public key that a device may have."""


@dataclass(frozen=True)
class Key:
    """A public key that a client has proved to hold."""

    algorithm: str
    # As it is stored and compared: the required members alone, each in its one spelling.
    jwk: Mapping[str, str]
    # SHA-256 in base64url, 43 characters.
    thumbprint: str
    verifier: jwt.PyJWK = field(repr=False, compare=False)


def parse(jwk: Any, algorithm: str) -> Key:
    """Read the public key of a JWK that signs by this algorithm, one of ALGORITHMS. Raises InvalidKey.

    A key with private members is refused, because sending it has disclosed it (RFC 9449 §4.3).
    """
    if algorithm not in MEMBERS:
        raise InvalidKey("The algorithm is not supported.")
    if not isinstance(jwk, Mapping) or _PRIVATE & jwk.keys():
        raise InvalidKey("The key is not a public key.")
    fixed, members = MEMBERS[algorithm]
    if any(jwk.get(name) != value for name, value in fixed.items()):
        raise InvalidKey("The key is not one of its algorithm.")
    values = tuple(jwk.get(name) for name in members)
    if not all(isinstance(value, str) and value.isascii() for value in values):
        raise InvalidKey("The key is not complete.")
    return _parse(algorithm, values)


@lru_cache(maxsize=2048)
def _parse(algorithm: str, values: tuple[str, ...]) -> Key:
    """Parsing a key costs as much as checking a signature with it, and a device has one for long."""
    fixed, members = MEMBERS[algorithm]
    try:
        jwk = {**fixed, **dict(zip(members, values, strict=True))}
        verifier = jwt.PyJWK(jwk, name_of_key(algorithm))
        if isinstance(verifier.key, RSAPublicKey):
            _check_rsa(verifier.key)
        # Back from the key itself: base64url has several spellings of one number, and a name has one.
        spelled: dict[str, Any] = verifier.Algorithm.to_jwk(verifier.key, as_dict=True)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise InvalidKey("The key cannot be read.") from error
    canonical = {name: spelled[name] for name in sorted((*fixed, *members))}
    return Key(algorithm, canonical, thumbprint(canonical), verifier)


def thumbprint(members: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of a key whose required members these are."""
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(text.encode()).digest()).decode()


def _check_rsa(key: RSAPublicKey) -> None:
    if key.key_size not in _RSA_BITS or key.public_numbers().e >= _MOST_EXPONENT:
        raise InvalidKey("The RSA key is too short or too long.")
