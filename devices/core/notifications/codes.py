"""The code in the e-mail about a login on a new device. It is derived, so no table stores it."""

import uuid
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

DIGITS: Final = 6


def code_of(challenge: uuid.UUID) -> str:
    """The six digits of a challenge. Computing them needs SECRET_KEY."""
    return codes_of(challenge)[0]


def codes_of(challenge: uuid.UUID) -> list[str]:
    """The same, and what an e-mail says that was sent under one of SECRET_KEY_FALLBACKS."""
    salt, keys = "devices.device_code", (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (salted_hmac(salt, challenge.hex, key, algorithm="sha256") for key in keys)
    numbers = (int.from_bytes(digest.digest()) % 10**DIGITS for digest in digests)
    return [str(number).zfill(DIGITS) for number in numbers]
