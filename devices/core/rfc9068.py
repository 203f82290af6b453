"""What an access token says beyond SimpleJWT's claims, for services that know JWTs and not us (RFC 9068)."""

from typing import Any, Final

from devices.conf import conf
from devices.models import DeviceSession

# Names of RFC 8176 for the sign-in methods that have one. What was proved to another site, nobody knows here.
AMR: Final = {"password": "pwd", "passkey": "pop", "code": "otp", "recovery_code": "otp"}


def claims(session: DeviceSession) -> dict[str, Any]:
    """The claims of RFC 9068 §2.2 that the row knows. `iss`, `aud`, `exp`, `iat` and `jti` are there already.

    `acr` is "1fa" or "2fa". Who acts on somebody's behalf has proved nothing of theirs, so there is none.
    """
    said: dict[str, Any] = {
        "sub": str(session.user_id),
        "client_id": conf.CLIENT_ID,
        "sid": str(session.pk),
    }
    if session.is_impersonated:
        return said
    has_two = session.mfa_at is not None
    return said | {
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": "2fa" if has_two else "1fa",
        "amr": [
            *([AMR[session.login_method]] if session.login_method in AMR else []),
            *(["mfa"] if has_two else []),
        ],
    }
