"""Keys that sign tokens (RFC 7517): how they are made, named, written down and used."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms
from rest_framework_simplejwt import settings as simplejwt
from rest_framework_simplejwt.backends import TokenBackend

from devices.core.binding import keys
from devices.exceptions import KeysUnavailable
from devices.models import KeyState

ALGORITHMS = ("ES256", "EdDSA", "RS256", "HS256")
# NIST SP 800-57: 128 bits of security.
RSA_BITS = 3072
SECRET_BYTES = 32

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Key:
    """A key with the name that tokens call it by (`kid`).

    `verifying` is a public key of cryptography, or the bytes of an HS256 secret. `signing` is the private
    key, or a function that signs bytes somewhere else (a KMS) and returns a JOSE signature (RFC 7518 §3).
    It is None where the key only verifies. Keys are equal if nothing differs that decides about a token.
    """

    kid: str
    algorithm: str
    state: KeyState
    verifying: Any = field(compare=False, repr=False)
    signing: Any = field(default=None, compare=False, repr=False)
    # When its last token has expired; None: not known.
    accepted_until: datetime | None = None

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise KeysUnavailable(f"{self.algorithm} is none of {', '.join(ALGORITHMS)}.")
        if self.algorithm != "HS256" and algorithm_of(self.verifying) != self.algorithm:
            raise KeysUnavailable(f"The key {self.kid} is of another kind than {self.algorithm}.")

    @property
    def public_jwk(self) -> dict[str, Any] | None:
        """What a JWKS says of it; None for a secret."""
        if self.algorithm == "HS256":
            return None
        return {
            **_public_members(self.verifying, self.algorithm),
            "kid": self.kid,
            "use": "sig",
            "alg": self.algorithm,
        }

    @cached_property
    def backend(self) -> TokenBackend:
        """SimpleJWT's, with this key alone: it takes no other algorithm, whatever a token says."""
        settings = simplejwt.api_settings
        backend = TokenBackend(
            self.algorithm,
            audience=settings.AUDIENCE,
            issuer=settings.ISSUER,
            leeway=settings.LEEWAY,
            json_encoder=settings.JSON_ENCODER,
        )
        # As objects, so that no text is ever taken for a key of another kind.
        backend.__dict__["prepared_signing_key"] = self.verifying
        backend.__dict__["prepared_verifying_key"] = self.verifying
        return backend

    def encode(
        self,
        payload: Mapping[str, Any],
        typ: str = "JWT",
        json_encoder: type[json.JSONEncoder] | None = None,
    ) -> str:
        """Sign a JWT with `kid` in its header. Raises KeysUnavailable if this key cannot sign."""
        if self.signing is None:
            raise KeysUnavailable(f"There is no private key of {self.kid} here.")
        headers = {"kid": self.kid, "typ": typ}
        if not callable(self.signing):
            return jwt.encode(
                dict(payload), self.signing, self.algorithm, headers, json_encoder=json_encoder
            )
        message = json.dumps(payload, separators=(",", ":"), cls=json_encoder).encode()
        try:
            return _elsewhere(self.algorithm).encode(message, self.signing, self.algorithm, headers)
        except Exception as error:  # of a network, of somebody's library
            raise KeysUnavailable(f"{type(error).__name__} while a token was signed.") from error


class _Elsewhere(Algorithm):
    """Signs by a function. For PyJWT, which wants an algorithm."""

    def prepare_key(self, key: Any) -> Any:
        return key

    def sign(self, msg: bytes, key: Sign) -> bytes:
        return key(msg)

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        return False

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> Any:
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: Any) -> Any:
        raise NotImplementedError


@lru_cache
def _elsewhere(algorithm: str) -> jwt.PyJWS:
    jws = jwt.PyJWS()
    jws.unregister_algorithm(algorithm)
    jws.register_algorithm(algorithm, _Elsewhere())
    return jws


def generate(algorithm: str, state: KeyState) -> Key:
    """Make a new key of its own random material. Raises KeysUnavailable for an unknown algorithm.

    Its name begins with no hyphen, which a command line would take for an option.
    """
    while (key := _draw(algorithm, state)).kid.startswith("-"):
        pass
    return key


def _draw(algorithm: str, state: KeyState) -> Key:
    private: Any
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    elif algorithm == "HS256":
        secret = secrets.token_bytes(SECRET_BYTES)
        # Not derived from the secret: it is in every token.
        return Key(secrets.token_urlsafe(16), algorithm, state, secret, secret)
    else:
        raise KeysUnavailable(f"{algorithm} is none of {', '.join(ALGORITHMS)}.")
    public = private.public_key()
    return Key(thumbprint(public), algorithm, state, public, private)


def from_pem(pem: bytes, state: KeyState, kid: str | None = None) -> Key:
    """Read a private or public key in PEM. Its algorithm follows from its kind.

    Raises KeysUnavailable if it is none, or too weak.
    """
    private: Any = None
    try:
        if b"PRIVATE KEY" in pem:
            private = _private(pem)
            public: Any = private.public_key()
        else:
            public = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        # Not the library's words: they may quote the key.
        raise KeysUnavailable(
            "A signing key is not a PEM that can be read without a password."
        ) from error
    return Key(kid or thumbprint(public), algorithm_of(public), state, public, private)


def algorithm_of(public: Any) -> str:
    """The algorithm that a public key of cryptography is for. Raises KeysUnavailable for other kinds."""
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return "ES256"
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= RSA_BITS:
        return "RS256"
    raise KeysUnavailable(
        f"A signing key is none of: P-256, Ed25519, RSA with {RSA_BITS} bits or more."
    )


def thumbprint(public: Any) -> str:
    """The name of a public key: its SHA-256 thumbprint (RFC 7638)."""
    algorithm = algorithm_of(public)
    members = _public_members(public, algorithm)
    fixed, others = keys.MEMBERS[algorithm]
    return keys.thumbprint({name: members[name] for name in (*fixed, *others)})


def to_text(key: Key, *, with_private: bool) -> str:
    """Write down a key whose material is here, as a JWK. A secret is always private."""
    material = key.signing if with_private and key.signing is not None else key.verifying
    members: dict[str, Any] = _algorithm(key.algorithm).to_jwk(material, as_dict=True)
    return json.dumps({**members, "kid": key.kid, "alg": key.algorithm})


@lru_cache(maxsize=64)
def _read(text: str) -> tuple[str, str, Any, Any]:
    members = json.loads(text)
    material = _algorithm(members["alg"]).from_jwk(members)
    if isinstance(material, bytes):
        return members["kid"], members["alg"], material, material
    is_private = hasattr(material, "public_key")
    public = material.public_key() if is_private else material
    return members["kid"], members["alg"], public, material if is_private else None


def from_text(text: str, state: KeyState, accepted_until: datetime | None) -> Key:
    """Read what `to_text` wrote."""
    kid, algorithm, verifying, signing = _read(text)
    return Key(kid, algorithm, state, verifying, signing, accepted_until)


# Reading an RSA key checks it, which takes some milliseconds.
@lru_cache(maxsize=64)
def _private(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, password=None)


def _algorithm(name: str) -> Any:
    return get_default_algorithms()[name]


def _public_members(public: Any, algorithm: str) -> dict[str, Any]:
    members: dict[str, Any] = _algorithm(algorithm).to_jwk(public, as_dict=True)
    members.pop("key_ops", None)
    return members
