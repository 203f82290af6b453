"""Verify the access tokens of drf-devices in another service. It needs no Django and no database."""

from .errors import NotReady, TokenRefused, VerifierError
from .verifier import Verifier

__all__ = ["NotReady", "TokenRefused", "Verifier", "VerifierError"]
