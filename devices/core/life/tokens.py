"""The JWTs of a session: what they claim, and what is believed of a claim."""

import os
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils import timezone
from rest_framework_simplejwt import settings as jwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from devices.conf import conf
from devices.exceptions import TokenNotValid
from devices.models import DeviceSession

# Far above what a token of ours needs; nothing longer is worth decoding.
MAX_LENGTH = 8192
# A few MB. Who is forgotten is checked again.
MAX_CHECKED = 10_000


class Claims(NamedTuple):
    user_id: str
    session_id: uuid.UUID
    generation: int
    # When the token ends, in seconds since the epoch.
    expires: int = 0


class Pair(NamedTuple):
    access: str
    refresh: str
    # Seconds until the access token expires.
    expires_in: int


def issue(session: DeviceSession) -> Pair:
    """The tokens of the session's current generation.

    The refresh token is made of the row alone, so that asking twice gives the same token (same `jti`,
    `iat`, `exp`) and nothing of it has to be stored. The access token is new each time.
    """
    api_settings = jwt.api_settings
    refresh = RefreshToken()
    refresh[api_settings.USER_ID_CLAIM] = str(session.user_id)
    refresh["session_id"] = str(session.pk)
    refresh["generation"] = session.generation
    if session.is_impersonated:
        # RFC 8693 §4.1: who acts on the user's behalf.
        refresh["act"] = {"sub": str(session.impersonator_id)}
    refresh[api_settings.JTI_CLAIM] = uuid.uuid5(session.pk, str(session.generation)).hex
    refresh["iat"] = int(session.rotated_at.timestamp())
    refresh["exp"] = int(session.expires_at.timestamp())
    access = refresh.access_token
    now = timezone.now()
    lifetime = min(conf.ACCESS_LIFETIME, session.expires_at - now)
    access["exp"] = int((now + lifetime).timestamp())
    return Pair(str(access), str(refresh), int(lifetime.total_seconds()))


def read_access(raw: str | bytes) -> Claims:
    return _read(AccessToken, raw)


def recall_access(token: bytes) -> Claims:
    """As `read_access`, but the signature of a token is checked once in this process, and not each time."""
    settings = jwt.api_settings
    claims = _checked.get(token, settings)
    if claims is None:
        claims = read_access(token)
        if not settings.JWK_URL:
            _checked.put(token, claims, settings)
    return claims


def read_refresh(raw: str | bytes) -> Claims:
    return _read(RefreshToken, raw)


def read_either(raw: str | bytes) -> Claims:
    """The claims of an access or a refresh token."""
    try:
        return read_access(raw)
    except TokenNotValid:
        return read_refresh(raw)


def _read(token_class: type[Token], raw: str | bytes) -> Claims:
    """The claims of a token that is signed by us, in time and of this type. Raises TokenNotValid."""
    if len(raw) > MAX_LENGTH:
        raise TokenNotValid
    try:
        return claims_of(token_class(raw))
    except (
        TokenError,
        LookupError,
        ValueError,
        TypeError,
        ArithmeticError,
        OSError,
        RecursionError,
    ) as error:
        # PyJWT lets odd numbers and nestings through as the interpreter's own errors.
        raise TokenNotValid from error


def claims_of(token: Token | Mapping[str, Any]) -> Claims:
    """The claims of a token, or a payload, that has been verified. Raises TokenNotValid if of no session."""
    try:
        payload = token.payload if isinstance(token, Token) else token
        user_id = payload[jwt.api_settings.USER_ID_CLAIM]
        session_id = payload["session_id"]
        generation = payload["generation"]
        audience = payload.get("aud")
        expires = int(payload["exp"])
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise TokenNotValid from error
    if not (isinstance(user_id, str) and isinstance(session_id, str)):
        raise TokenNotValid
    if type(generation) is not int or generation < 0:
        raise TokenNotValid
    # PyJWT's `strict_aud`, which SimpleJWT does not pass on: a token for several services is none of ours.
    if isinstance(jwt.api_settings.AUDIENCE, str) and audience != jwt.api_settings.AUDIENCE:
        raise TokenNotValid
    try:
        return Claims(user_id, uuid.UUID(session_id), generation, expires)
    except ValueError as error:
        raise TokenNotValid from error


class Checked:
    """Access tokens whose signature was found good: few, until they expire, and under these settings only.

    It spares arithmetic and decides nothing else: whether the session lives is asked each time. Only the
    very bytes that were checked are known again. Keys that come from a JWK_URL can be withdrawn at any
    time, so what they signed is not remembered; any other key changes with a restart.
    """

    def __init__(self) -> None:
        self._claims: dict[bytes, Claims] = {}
        self._settings: Any = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, token: bytes, settings: Any) -> Claims | None:
        claims = self._claims.get(token)
        if claims is None or settings is not self._settings or time.time() >= claims.expires:
            return None
        return claims

    def put(self, token: bytes, claims: Claims, settings: Any) -> None:
        with self._lock:
            if settings is not self._settings:
                self._claims.clear()
                self._settings = settings
            self._claims.pop(token, None)
            if len(self._claims) >= MAX_CHECKED:
                # The oldest, which expires first.
                self._claims.pop(next(iter(self._claims)))
            self._claims[token] = claims

    def after_fork(self) -> None:
        # Another thread may have held it.
        self._lock = threading.Lock()


_checked = Checked()
os.register_at_fork(after_in_child=_checked.after_fork)
