"""An authenticator app, and recovery codes on paper, as people have them."""

import time
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)


class App:
    """An app that shows codes: enrolled for a user, with recovery codes beside it."""

    def __init__(self, secret: str, recovery_codes: list[str]) -> None:
        self.secret = secret
        self.recovery_codes = recovery_codes

    def code(self, steps: int = 0) -> str:
        """What the app shows now, or some steps of 30 seconds from now."""
        return format_hotp_value(hotp_value(self.secret, int(time.time()) // 30 + steps))


def enrol(user: Any) -> App:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return App(secret, RecoveryCodes.activate(user).generate_codes())


def decrypted(user: Any) -> str:
    kept = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    return get_adapter().decrypt(kept.data["secret"])
