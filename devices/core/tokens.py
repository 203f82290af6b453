"""The JWTs of a session: what they claim, what is believed of a claim, and what signs and verifies them."""

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt as pyjwt
from django.core.exceptions import ImproperlyConfigured
from django.db.models import OneToOneRel
from django.utils import timezone
from rest_framework_simplejwt import settings as jwt
from rest_framework_simplejwt import state
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from devices.conf import conf
from devices.core.keys import keyring
from devices.core.keys.key import Key
from devices.exceptions import KeysUnavailable, TokenNotValid
from devices.models import Binding, DeviceSession

# Far above what a token of ours needs; nothing longer is worth decoding.
MAX_LENGTH = 8192
# Of a project's own claims, as JSON. Servers and proxies take headers of 8 KB.
CLAIMS_LENGTH = 4096
# The same for a token in a cookie: browsers drop one of more than 4096 bytes, its name included (RFC 6265bis,
# 5.6). Base64 adds a third, and a header, our own claims and a signature take up to 1300.
CLAIMS_LENGTH_IN_COOKIE = 2048
# RFC 7519 §4.1, RFC 7800 §3.1, RFC 8693 §4.1, and ours.
RESERVED = {
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "act",
    "cnf",
    "session_id",
    "generation",
}
# Names of RFC 8176 for the sign-in methods that have one. What was proved to another site, nobody knows here.
AMR = {"password": "pwd", "passkey": "pop", "code": "otp", "recovery_code": "otp"}
# Its successor still fits into the column.
MAX_GENERATION = 2**31 - 2
# A few MB. Who is forgotten is checked again.
MAX_CHECKED = 10_000


class Claims(NamedTuple):
    """The claims of a valid token that the app uses."""

    user_id: str
    session_id: uuid.UUID
    generation: int
    # When the token ends, in seconds since the epoch.
    expires: int = 0
    # The thumbprint of the key that it is bound to (RFC 9449 §6.1), "" if it is to none.
    jkt: str = ""


class _RefreshToken(RefreshToken):
    """As it is read here: without SimpleJWT's token_blacklist.

    Its tables know no session, and are not there yet when `migrate` asks the system checks.
    """

    verify = Token.verify


class Pair(NamedTuple):
    """An access and a refresh token."""

    access: str
    refresh: str
    # Seconds until the access token expires.
    expires_in: int
    # How the access token is presented (RFC 6749 §5.1): "bearer", or "DPoP" (RFC 9449 §5).
    token_type: str


def issue(session: DeviceSession) -> Pair:
    """The tokens of the session's current generation.

    The refresh token is made of the row alone, so that asking twice gives the same token (same `jti`,
    `iat`, `exp`) and nothing of it has to be stored. The access token is new each time.
    """
    refresh = _refresh_token(session)
    access = refresh.access_token
    now = timezone.now()
    lifetime = min(conf.ACCESS_LIFETIME, session.expires_at - now)
    access["exp"] = int((now + lifetime).timestamp())
    if conf.ACCESS_TOKEN_FORMAT == "rfc9068":
        access.payload |= _rfc9068(session)
    if (own := conf.CLAIMS) is not None:
        _forget_own_data(session)
        access.payload |= _checked_claims(own(session), access.payload)
    token_type = "DPoP" if session.binding == Binding.DPOP else "bearer"
    return Pair(str(access), str(refresh), int(lifetime.total_seconds()), token_type)


def _forget_own_data(session: DeviceSession) -> None:
    """Have rows of the project that refer to the session read anew: they may have been written meanwhile."""
    for relation in session._meta.related_objects:
        if isinstance(relation, OneToOneRel) and relation.is_cached(session):
            relation.delete_cached_value(session)


def _rfc9068(session: DeviceSession) -> dict[str, Any]:
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


def try_settings() -> None:
    """Make the tokens of a session that nobody has, and read them: raises whatever a login would meet."""
    now = timezone.now()
    session = DeviceSession(user_id="1", rotated_at=now, expires_at=now + conf.ACCESS_LIFETIME)
    refresh = _refresh_token(session)
    for claims in (read_refresh(str(refresh)), read_access(str(refresh.access_token))):
        if (claims.user_id, claims.session_id) != ("1", session.pk):
            raise TokenNotValid


def _refresh_token(session: DeviceSession) -> RefreshToken:
    api_settings = jwt.api_settings
    refresh = RefreshToken()
    refresh[api_settings.USER_ID_CLAIM] = str(session.user_id)
    refresh["session_id"] = str(session.pk)
    refresh["generation"] = session.generation
    if session.impersonator_session_id is not None:
        # RFC 8693 §4.1: who acts on the user's behalf.
        refresh["act"] = {
            "sub": str(session.impersonator_id),
            # With that session this one ends.
            "sid": str(session.impersonator_session_id),
        }
    if session.binding == Binding.DPOP:
        refresh["cnf"] = {"jkt": session.binding_key}
    refresh[api_settings.JTI_CLAIM] = uuid.uuid5(session.pk, str(session.generation)).hex
    refresh["iat"] = int(session.rotated_at.timestamp())
    refresh["exp"] = int(session.expires_at.timestamp())
    return refresh


def _checked_claims(own: Any, ours: Mapping[str, Any]) -> dict[str, Any]:
    """A project's own claims, if they can be issued. Raises ImproperlyConfigured."""
    where = "DEVICES['CLAIMS']"
    if not isinstance(own, Mapping):
        raise ImproperlyConfigured(f"{where} returned {type(own).__name__}, not a mapping.")
    api_settings = jwt.api_settings
    reserved = RESERVED | ours.keys() | {api_settings.REVOKE_TOKEN_CLAIM}
    if taken := reserved & own.keys():
        raise ImproperlyConfigured(f"{where} returned reserved claims: {', '.join(sorted(taken))}.")
    try:
        text = json.dumps(own, allow_nan=False, cls=api_settings.JSON_ENCODER)
    except (TypeError, ValueError, RecursionError) as error:
        raise ImproperlyConfigured(f"{where} returned claims that are not JSON: {error}") from error
    longest = CLAIMS_LENGTH_IN_COOKIE if conf.ACCESS_COOKIE else CLAIMS_LENGTH
    if len(text) > longest:
        raise ImproperlyConfigured(f"{where} returned more than {longest} characters of JSON.")
    return dict(own)


def read_access(raw: str | bytes) -> Claims:
    """Verify an access token and return its claims. Raises TokenNotValid."""
    return _read(AccessToken, raw)


def recall_access(token: bytes) -> Claims:
    """As `read_access`, but the signature of a token is checked once in this process, and not each time."""
    # Before anything is checked under them: a key may be withdrawn meanwhile.
    trusted = trusts()
    claims = _checked.get(token, trusted)
    if claims is None:
        claims = read_access(token)
        if not jwt.api_settings.JWK_URL:
            _checked.put(token, claims, trusted)
    return claims


def trusts() -> tuple[Any, Any]:
    """All that decides whether a token is ours: SimpleJWT's settings, and the keys of SIGNING_KEYS."""
    return jwt.api_settings, keyring.current() if conf.SIGNING_KEYS else None


def read_refresh(raw: str | bytes) -> Claims:
    """Verify a refresh token and return its claims. Raises TokenNotValid."""
    return _read(_RefreshToken, raw)


def read_either(raw: str | bytes) -> Claims:
    """The claims of an access or a refresh token."""
    try:
        return read_access(raw)
    except TokenNotValid:
        return read_refresh(raw)


def read_payload(raw: str | bytes) -> tuple[Claims, dict[str, Any]]:
    """The claims of an access token, and all that it claims, a project's own too. Raises TokenNotValid."""
    payload: dict[str, Any] = _verified(AccessToken, raw).payload
    return claims_of(payload), payload


def _read(token_class: type[Token], raw: str | bytes) -> Claims:
    return claims_of(_verified(token_class, raw))


def _verified(token_class: type[Token], raw: str | bytes) -> Token:
    """A token that is signed by us, in time and of this type. Raises TokenNotValid."""
    if len(raw) > MAX_LENGTH:
        raise TokenNotValid
    try:
        return token_class(raw)
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
        confirmation = payload.get("cnf", {})
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise TokenNotValid from error
    if not (isinstance(user_id, str) and isinstance(session_id, str)):
        raise TokenNotValid
    if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
        raise TokenNotValid
    jkt = confirmation.get("jkt", "") if isinstance(confirmation, dict) else None
    if not isinstance(jkt, str):
        raise TokenNotValid
    # PyJWT's `strict_aud`, which SimpleJWT does not pass on: a token for several services is none of ours.
    if isinstance(jwt.api_settings.AUDIENCE, str) and audience != jwt.api_settings.AUDIENCE:
        raise TokenNotValid
    try:
        return Claims(user_id, uuid.UUID(session_id), generation, expires, jkt)
    except ValueError as error:
        raise TokenNotValid from error


class VerifiedTokenCache:
    """Access tokens whose signature was found good: few, until they expire, and under these settings only.

    It spares arithmetic and decides nothing else: whether the session lives is asked each time. Only the
    very bytes that were checked are known again. Keys that come from a JWK_URL can be withdrawn at any
    time, so what they signed is not remembered. When a key of SIGNING_KEYS changes all is forgotten; any
    other key changes with a restart.
    """

    def __init__(self) -> None:
        self._claims: dict[bytes, Claims] = {}
        self._trusted: Any = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, token: bytes, trusted: Any) -> Claims | None:
        claims = self._claims.get(token)
        if claims is None or trusted != self._trusted or time.time() >= claims.expires:
            return None
        return claims

    def put(self, token: bytes, claims: Claims, trusted: Any) -> None:
        with self._lock:
            if trusted != self._trusted:
                self._claims.clear()
                self._trusted = trusted
            self._claims.pop(token, None)
            self._drop_expired()
            if len(self._claims) >= MAX_CHECKED:
                # The oldest, which expires first.
                self._claims.pop(next(iter(self._claims)))
            self._claims[token] = claims

    def _drop_expired(self) -> None:
        """Forget the oldest if they have expired: two with each that comes, so that it shrinks."""
        for _ in range(2):
            token = next(iter(self._claims), None)
            if token is None or self._claims[token].expires > time.time():
                return
            del self._claims[token]

    def after_fork(self) -> None:
        """Replace the lock in a child process."""
        # Another thread may have held it.
        self._lock = threading.Lock()


_checked = VerifiedTokenCache()
os.register_at_fork(after_in_child=_checked.after_fork)


class KeyringBackend(TokenBackend):
    """SimpleJWT's TokenBackend, with several keys if there are SIGNING_KEYS."""

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign with the key whose turn it is, which the header names."""
        keys = keyring.current() if conf.SIGNING_KEYS else None
        key = None if keys is None else keys.signing
        typ = _typ(payload, is_of_keyring=key is not None)
        if key is None and typ == "JWT":
            token: str = super().encode(payload)
            return token
        claims = dict(payload)
        if self.audience is not None:
            claims["aud"] = self.audience
        if self.issuer is not None:
            claims["iss"] = self.issuer
        if key is not None:
            return key.encode(claims, typ, self.json_encoder)
        secret, encoder = self.prepared_signing_key, self.json_encoder
        return pyjwt.encode(claims, secret, self.algorithm, {"typ": typ}, json_encoder=encoder)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The payload of a token under the key that its header names.

        A name is looked up among the keys and nowhere else, and a key takes its own algorithm only
        (RFC 8725 §3.1). Other members of the header, such as `jku`, `jwk` and `x5c`, are not looked at.
        Raises TokenBackendError, or KeysUnavailable if a JWK_URL or the keys cannot be read.
        """
        keys = keyring.current() if verify and conf.SIGNING_KEYS else None
        key = None if keys is None else self._find_key(keys, token)
        decode = super().decode if key is None else key.backend.decode
        try:
            payload: dict[str, Any] = decode(token, verify)
        except TokenBackendError as error:
            if isinstance(error.__cause__, pyjwt.PyJWKClientConnectionError):
                # SimpleJWT takes it for a bad token, and clients would sign people out.
                raise KeysUnavailable from error
            raise
        return payload

    def _find_key(self, keys: keyring.Keyring, token: Any) -> Key | None:
        """The key that a token names; None where it names none, and SimpleJWT's own key counts."""
        try:
            header = pyjwt.get_unverified_header(token)
        except pyjwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error
        if "kid" not in header and keys.accepts_simplejwt:
            return None
        kid = header.get("kid")
        key = keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenBackendError("Token is invalid")
        return key


def _typ(payload: dict[str, Any], *, is_of_keyring: bool) -> str:
    """The `typ` of the header: access tokens by RFC 9068 §2.1, and refresh tokens, are told apart by it.

    Other services can verify a refresh token of the keyring, too. Those that expect the type of an access
    token refuse it (RFC 8725 §3.11). Here `token_type` tells.
    """
    kind = payload.get(jwt.api_settings.TOKEN_TYPE_CLAIM)
    if kind == AccessToken.token_type and conf.ACCESS_TOKEN_FORMAT == "rfc9068":
        return "at+jwt"
    return "refresh+jwt" if kind == RefreshToken.token_type and is_of_keyring else "JWT"


def adopt() -> None:
    """Let all tokens of SimpleJWT, also those of the host project's own code, be signed and read by this."""
    api_settings = jwt.api_settings
    state.token_backend = KeyringBackend(
        api_settings.ALGORITHM,
        api_settings.SIGNING_KEY,
        api_settings.VERIFYING_KEY,
        api_settings.AUDIENCE,
        api_settings.ISSUER,
        api_settings.JWK_URL,
        api_settings.LEEWAY,
        api_settings.JSON_ENCODER,
    )
