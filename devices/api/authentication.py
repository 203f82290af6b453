"""Who is asking: the living session behind a bearer token. Loaded early by DRF, so it imports no view."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from rest_framework import settings as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.versioning import BaseVersioning
from rest_framework_simplejwt.authentication import AUTH_HEADER_TYPES, JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken, Token

from devices.core import sessions
from devices.core.caller.client import Client
from devices.core.life import tokens
from devices.exceptions import SessionError, SessionRequired
from devices.http import client_at_hand, client_of, note_session, session_of
from devices.models import DeviceSession

from .errors import SessionDenied


class SignedInRequest(Request):
    """A request as the views behind DeviceSessionAuthentication see it. For annotations."""

    user: AbstractBaseUser  # type: ignore[assignment]
    auth: DeviceSession


class SessionToken(AccessToken):
    """An access token whose session was found to be active, for subclasses of DeviceSessionAuthentication."""

    session: DeviceSession

    def __init__(self, raw: str | bytes, session: DeviceSession) -> None:
        # The signature has just been verified.
        super().__init__(cast(Any, raw), verify=False)
        self.session = session


class DeviceSessionAuthentication(JWTAuthentication):
    """`request.user` is the session's user, `request.auth` the DeviceSession itself.

    Subclasses extend it as they would JWTAuthentication: each of `authenticate`, `get_validated_token` and
    `get_user` checks the session by itself. An `authenticate` of your own may return the validated token as
    `request.auth`; then `devices.http.session_of(request)` is the session.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, DeviceSession] | None:
        header = self.get_header(request)
        raw_token = None if header is None else self.get_raw_token(header)
        if raw_token is None:
            return None
        if self._is_extended():
            token = self.get_validated_token(raw_token)
            user, session = self.get_user(token), _session_behind(token)
        else:
            session = _authenticate(raw_token, partial(client_of, request))
            user = session.user
        return user, session

    def get_raw_token(self, header: bytes) -> bytes | None:
        """The token in a header of one of AUTH_HEADER_TYPES, in capitals or not (RFC 9110, 11.1)."""
        scheme, *rest = header.split() or [b""]
        for known in AUTH_HEADER_TYPES:
            if known.lower().encode() == scheme.lower():
                header = b" ".join([known.encode(), *rest])
        token: bytes | None = super().get_raw_token(header)
        return token

    def get_validated_token(self, raw_token: str | bytes) -> SessionToken:
        """The access token, with its session. Raises SessionDenied (401)."""
        return SessionToken(raw_token, _authenticate(raw_token, client_at_hand))

    def get_user(self, validated_token: Token) -> AbstractBaseUser:
        """The user of the token's session. Raises SessionDenied (401)."""
        return _session_behind(validated_token).user

    @classmethod
    def _is_extended(cls) -> bool:
        ours = DeviceSessionAuthentication
        return not (
            cls.get_validated_token is ours.get_validated_token and cls.get_user is ours.get_user
        )


class ForSessions:
    """For views about the caller's sessions: they are opened by what opens the views of the project."""

    # NamespaceVersioning would take the namespace of our URLs for a version, and answer 404.
    versioning_class: type[BaseVersioning] | None = None

    def get_authenticators(self) -> list[BaseAuthentication]:
        defaults: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
        ours = [each for each in defaults if issubclass(each, DeviceSessionAuthentication)]
        return [each() for each in ours or [DeviceSessionAuthentication]]


def current_session(request: Request) -> DeviceSession:
    """The session a request is made in. Raises SessionDenied (401) if somebody was let in without one."""
    session = session_of(request)
    if session is None:
        raise SessionDenied(SessionRequired())
    return session


def _authenticate(raw_token: str | bytes, client_of: Callable[[], Client]) -> DeviceSession:
    raw = raw_token.encode(errors="replace") if isinstance(raw_token, str) else raw_token
    try:
        session = sessions.authenticate(raw, client_of)
    except SessionError as error:
        raise SessionDenied(error) from error
    note_session(session)
    return session


def _session_behind(token: Any) -> DeviceSession:
    """The session of a validated token, or a payload, which may be made by somebody else's code."""
    session = getattr(token, "session", None)
    if isinstance(session, DeviceSession):
        return session
    try:
        session = sessions.resume(tokens.claims_of(token), client_at_hand())
    except SessionError as error:
        raise SessionDenied(error) from error
    note_session(session)
    if isinstance(token, Token):
        token.session = session
    return session
