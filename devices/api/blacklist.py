"""`RefreshToken(raw).blacklist()`, the usual logout in views over SimpleJWT: it ends the session."""

from contextlib import suppress
from typing import Any

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from devices.core import sessions, tokens
from devices.exceptions import SessionError
from devices.http import current_client

_stock: Any = getattr(RefreshToken, "blacklist", None)


def adopt() -> None:
    """Give SimpleJWT's RefreshToken our method. Without its app token_blacklist it has none."""
    RefreshToken.blacklist = blacklist


def blacklist(token: RefreshToken) -> Any:
    """End the session of a refresh token, if it has not ended. Raises TokenError if it is of none."""
    try:
        claims = tokens.claims_of(token)
    except SessionError as error:
        if _stock is None:
            raise TokenError("The token is of no session.") from error
        return _stock(token)
    with suppress(SessionError):
        sessions.logout(sessions.find_valid_session(claims, current_client))
    return None
