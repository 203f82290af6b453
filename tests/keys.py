"""Signing keys as the tests need them: in the database, in settings, or somewhere else."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from django.core.management import call_command
from django.utils import timezone

from devices.core.keys import keyring
from devices.core.keys.key import Key, generate
from devices.models import KeyState, SigningKey


def rotate(*arguments: str) -> None:
    """Rotate as operators do whose next key has been published for long."""
    SigningKey.objects.update(created_at=timezone.now() - keyring.JWKS_MAX_AGE)
    call_command("rotate_keys", *arguments)


def signing() -> str:
    return SigningKey.objects.get(state=KeyState.SIGNING).kid


class Elsewhere:
    """A KeySource whose private key signs by a function only, as that of a KMS."""

    signed = 0

    def __init__(self) -> None:
        key = generate("ES256", KeyState.SIGNING)

        def sign(message: bytes) -> bytes:
            type(self).signed += 1
            r, s = decode_dss_signature(key.signing.sign(message, ECDSA(SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        self.key = Key(key.kid, key.algorithm, key.state, key.verifying, sign)

    def load(self) -> Sequence[Key]:
        return [self.key]


class Away:
    """A KeySource that cannot be reached."""

    def load(self) -> Sequence[Key]:
        raise ConnectionError("no network")
