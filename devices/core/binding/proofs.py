"""Signed statements by which a device proves to hold its key: JWS in compact form (RFC 7515). Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jwt
from jwt.utils import base64url_decode

from devices.core.jws import JWS

from . import keys
from .keys import ALGORITHMS, InvalidKey, Key

# Far above what a proof needs, with an RSA key in it; nothing longer is worth decoding.
MAX_LENGTH: Final = 8192
# In its one alphabet (RFC 7515 §2): decoders take another for it, or skip what is in none.
_COMPACT: Final = re.compile(r"[\w-]+(\.[\w-]+){2}", re.ASCII)


class InvalidProof(ValueError):
    """Not a statement of this type that is signed by the key it is said to be signed by."""


class Proof(NamedTuple):
    """A verified JWS: the key that signed it, and what it says."""

    key: Key
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def verify(raw: str, *, typ: str, key: Key | None = None) -> Proof:
    """Check type, algorithm and signature; whatever the claims mean is up to the caller. Raises InvalidProof.

    It is signed by `key`, or if that is None, by the public key in its own header (`jwk`). Keys that a header
    only points to are never fetched, and what it declares critical is understood by nobody here.
    """
    if len(raw) > MAX_LENGTH or not _COMPACT.fullmatch(raw):
        raise InvalidProof("The proof is too long, or no JWS.")
    try:
        header = _header(raw)
        if header.get("typ") != typ:
            raise InvalidProof(f"The proof is not of the type {typ}.")
        if header.get("alg") not in ALGORITHMS:
            raise InvalidProof("The proof is not signed by a supported algorithm.")
        if "crit" in header or "b64" in header:
            raise InvalidProof("The proof has critical extensions.")
        if key is None:
            key = keys.parse(header.get("jwk"), header["alg"])
        elif header["alg"] != key.algorithm:
            raise InvalidProof("The proof is not signed by the algorithm of its key.")
        decoded = JWS.decode_complete(raw, key.verifier.key, [header["alg"]])
        if decoded["header"] != header:
            raise InvalidProof("The header of the proof can be read in two ways.")
        claims = json.loads(decoded["payload"])
    except (jwt.PyJWTError, InvalidKey, UnicodeDecodeError) as error:
        raise InvalidProof(str(error)) from error
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, InvalidProof):
            raise
        raise InvalidProof("The proof is not a JWS with JSON in it.") from error
    if not isinstance(claims, dict):
        raise InvalidProof("The proof claims nothing.")
    return Proof(key, header, claims)


def _header(raw: str) -> dict[str, Any]:
    """The header, to find the key by; PyJWT reads it again, and strictly, with the signature.

    Its own way to read a header alone decodes all of the proof, which costs as much as half a signature.
    """
    segment = raw.partition(".")[0]
    header: Any = json.loads(base64url_decode(segment))
    if not isinstance(header, dict):
        raise InvalidProof("The header of the proof is no object.")
    return header
