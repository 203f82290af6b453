"""SimpleJWT's TokenBackend with several keys. Without SIGNING_KEYS it is SimpleJWT's own, byte for byte."""

from typing import Any

import jwt
from rest_framework_simplejwt import state
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken

from devices.conf import conf

from . import keyring
from .key import Key


class KeyringBackend(TokenBackend):
    """SimpleJWT's token backend, with the keys of SIGNING_KEYS."""

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign with the key whose turn it is, which the header names."""
        keys = keyring.current() if conf.SIGNING_KEYS else None
        typ = _typ(payload)
        key = None if keys is None else keys.signing
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
        return jwt.encode(claims, secret, self.algorithm, {"typ": typ}, json_encoder=encoder)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The payload of a token under the key that its header names. Raises TokenBackendError.

        A name is looked up among the keys and nowhere else, and a key takes its own algorithm only
        (RFC 8725 §3.1). Other members of the header, such as `jku`, `jwk` and `x5c`, are not looked at.
        """
        keys = keyring.current() if verify and conf.SIGNING_KEYS else None
        key = None if keys is None else self._find_key(keys, token)
        decode = super().decode if key is None else key.backend.decode
        payload: dict[str, Any] = decode(token, verify)
        return payload

    def _find_key(self, keys: keyring.Keyring, token: Any) -> Key | None:
        """The key that a token names; None where it names none, and SimpleJWT's own key counts."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error
        if "kid" not in header and keys.accepts_simplejwt:
            return None
        kid = header.get("kid")
        key = keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenBackendError("Token is invalid")
        return key


def _typ(payload: dict[str, Any]) -> str:
    """The `typ` of the header: access tokens by RFC 9068 §2.1 are told apart by it."""
    is_access = payload.get(api_settings.TOKEN_TYPE_CLAIM) == AccessToken.token_type
    return "at+jwt" if is_access and conf.ACCESS_TOKEN_FORMAT == "rfc9068" else "JWT"


def adopt() -> None:
    """Let all tokens of SimpleJWT, also those of the host project's own code, be signed and read by this."""
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
