"""JWS by PyJWT, which knows Ed25519 by its older name alone (RFC 9864)."""

from typing import Final

import jwt
from jwt.algorithms import OKPAlgorithm

JWS: Final = jwt.PyJWS()
JWS.register_algorithm("Ed25519", OKPAlgorithm())


def name_of_key(algorithm: str) -> str:
    """Return what PyJWT calls an algorithm of a key."""
    return "EdDSA" if algorithm == "Ed25519" else algorithm
