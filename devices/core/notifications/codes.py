"""The code in the e-mail about a login on a new device. It is derived, so no table stores it."""

import uuid
from typing import Final

from django.utils.crypto import salted_hmac

DIGITS: Final = 6


def code_of(challenge: uuid.UUID) -> str:
    """The six digits of a challenge. Computing them needs SECRET_KEY."""
    digest = salted_hmac("devices.device_code", challenge.hex, algorithm="sha256").digest()
    return str(int.from_bytes(digest) % 10**DIGITS).zfill(DIGITS)
