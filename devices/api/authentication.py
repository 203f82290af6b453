"""Who is asking: the active session behind a bearer token. Loaded early by DRF, so it imports no view."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from rest_framework import settings as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.versioning import BaseVersioning
from rest_framework_simplejwt import authentication as simplejwt
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from devices.core import sessions, tokens
from devices.core.binding import dpop
from devices.core.clients.client import Client
from devices.exceptions import SessionError, SessionRequired, TokenNotValid
from devices.http import (
    BEARER,
    answering,
    bearer_challenge,
    check_scheme,
    current_client,
    get_client,
    get_session,
    note_session,
    plain_request,
    scheme_in,
    token_header,
    vary,
)
from devices.models import DeviceSession

from .errors import SessionDenied
from .formats import ProjectFormats

logger = logging.getLogger("devices")


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
    `request.auth`; then `devices.http.get_session(request)` is the session.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not JWTAuthentication's, which looks the user model up for each request.
        super(JWTAuthentication, self).__init__(*args, **kwargs)

    @cached_property
    def user_model(self) -> type[AbstractBaseUser]:
        """The model of AUTH_USER_MODEL, for subclasses that ask for it."""
        return get_user_model()

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, DeviceSession] | None:
        vary(request, token_header())
        header = self.get_header(request)
        raw_token = None if header is None else self.get_raw_token(header)
        if raw_token is None:
            return None
        user, session = self.admit(request, raw_token)
        try:
            check_scheme(scheme_in(header), session)
        except TokenNotValid as error:
            raise SessionDenied(error) from error
        return user, session

    def admit(
        self, request: HttpRequest | Request, raw_token: bytes
    ) -> tuple[AbstractBaseUser, DeviceSession]:
        """The user and the session of a token, wherever it was found. Raises SessionDenied (401).

        What a subclass has in place of `get_validated_token` and `get_user` is asked.
        """
        if not self.is_extended():
            session = _authenticate(raw_token, partial(get_client, request))
            return session.user, session
        # What a subclass calls is not given the request.
        with answering(plain_request(request)):
            token = self.get_validated_token(raw_token)
            return self.get_user(token), _session_behind(token)

    def authenticate_header(self, request: Request) -> str:
        """What a client may send, and whether the token that it sent was not good."""
        return bearer_challenge(request, super().authenticate_header(request))

    def get_raw_token(self, header: bytes) -> bytes | None:
        """The token in a header of one of AUTH_HEADER_TYPES or DPoP, in capitals or not (RFC 9110, 11.1)."""
        scheme, *rest = header.split() or [b""]
        if scheme in simplejwt.AUTH_HEADER_TYPE_BYTES and len(rest) == 1:
            # Nearly all are spelled like this.
            return rest[0]
        if scheme.lower() == dpop.SCHEME.encode():
            scheme = simplejwt.AUTH_HEADER_TYPES[0].encode()
        for known in simplejwt.AUTH_HEADER_TYPES:
            if known.lower().encode() == scheme.lower():
                header = b" ".join([known.encode(), *rest])
        token: bytes | None = super().get_raw_token(header)
        return token

    def get_validated_token(self, raw_token: bytes) -> Token:
        """The access token, with its session. Raises SessionDenied (401)."""
        return SessionToken(raw_token, _authenticate(raw_token, current_client))

    def get_user(self, validated_token: Token) -> AbstractBaseUser:
        """The user of the token's session. Raises SessionDenied (401)."""
        return _session_behind(validated_token).user

    @classmethod
    def is_extended(cls) -> bool:
        """Whether a subclass asks more of a token, or of its user, than that the session is active."""
        ours = DeviceSessionAuthentication
        return not (
            cls.get_validated_token is ours.get_validated_token and cls.get_user is ours.get_user
        )


_get_stock_token: Any = JWTAuthentication.get_validated_token
# Without its app token_blacklist there is none.
_blacklist_stock: Any = getattr(RefreshToken, "blacklist", None)
_verify_stock: Any = RefreshToken.verify
_make_stock: Any = vars(Token)["for_user"].__func__
# The types of tokens that our API and the views of tokens are sent.
SENT: Final = {"access", "refresh", "sliding"}
# Where tokens of no session were made, of which the log has a line.
_told: set[str] = set()


def adopt() -> None:
    """Have SimpleJWT's own classes ask for the session of a token, and end it, where code calls them by hand.

    `RefreshToken(raw).blacklist()` is the usual logout in views over SimpleJWT. After it `RefreshToken(raw)`
    raises TokenError, as with SimpleJWT's blacklist.
    """
    JWTAuthentication.get_validated_token = _get_validated_token
    RefreshToken.blacklist = blacklist
    RefreshToken.verify = _verify
    Token.for_user = classmethod(_for_user)


def blacklist(token: RefreshToken) -> Any:
    """End the session of a refresh token, if it has not ended. Raises TokenError if it is of none."""
    try:
        claims = tokens.claims_of(token)
    except SessionError as error:
        if _blacklist_stock is None:
            raise TokenError("The token is of no session.") from error
        return _blacklist_stock(token)
    with suppress(SessionError):
        sessions.logout(sessions.find_valid_session(claims, current_client))
    return None


def _get_validated_token(self: JWTAuthentication, raw_token: bytes) -> Token:
    token: Token = _get_stock_token(self, raw_token)
    # Tokens of no session are none of ours.
    if "session_id" in token:
        _session_behind(token)
    return token


def _verify(token: RefreshToken, *args: Any, **kwargs: Any) -> None:
    """Refuse the refresh token of a session that has ended, as SimpleJWT refuses one in its blacklist.

    A refresh view of the project's own would start the session of a thief anew.
    """
    _verify_stock(token, *args, **kwargs)
    # Others are none of ours, even where the project has a claim of one of these names.
    if not {"session_id", "generation"} <= token.payload.keys():
        return
    try:
        # The key of a bound session is asked for where tokens are exchanged.
        sessions.find_valid_session(tokens.claims_of(token), current_client, may_be_ahead=True)
    except SessionError as error:
        raise TokenError(error.message) from error


def _for_user(cls: type[Token], user: AbstractBaseUser) -> Token:
    """Make a token of no session as ever, and say once where: in packages, checks find few such places."""
    token: Token = _make_stock(cls, user)
    if cls.token_type in SENT:
        frame: Any = sys._getframe(1)
        while frame.f_globals.get("__name__") == Token.__module__:
            frame = frame.f_back
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if place not in _told:
            _told.add(place)
            logger.warning(
                "A token of no session was made, which the API refuses: %s. Call "
                "devices.shortcuts.start_session(request, user) there.",
                place,
            )
    return token


class ForSessions(ProjectFormats):
    """For views about the caller's sessions: they are opened by what opens the views of the project."""

    # NamespaceVersioning would take the namespace of our URLs for a version, and answer 404.
    versioning_class: type[BaseVersioning] | None = None
    # The project's own filter by columns that sessions do not have.
    filter_backends: Any = ()

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return the project's authentication classes that check sessions, or the app's own."""
        defaults: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
        ours = [each for each in defaults if issubclass(each, DeviceSessionAuthentication)]
        return [each() for each in ours or [DeviceSessionAuthentication]]


class ForStrangers(ProjectFormats):
    """For views that people open who have no session yet; a stale token sent along does not stop them."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    # NamespaceVersioning would take the namespace of our URLs for a version.
    versioning_class: Any = None

    def get_authenticate_header(self, request: Request) -> str:
        """DRF asks the authentication classes, and without any it answers 403 instead of 401."""
        return BEARER


def current_session(request: Request) -> DeviceSession:
    """The session a request is made in. Raises SessionDenied (401) if somebody was let in without one."""
    session = get_session(request)
    if session is None:
        raise SessionDenied(SessionRequired())
    return session


def _authenticate(raw_token: str | bytes, get_client: Callable[[], Client]) -> DeviceSession:
    raw = raw_token.encode(errors="replace") if isinstance(raw_token, str) else raw_token
    try:
        session = sessions.authenticate(raw, get_client)
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
        session = sessions.authenticate_claims(
            tokens.claims_of(token), current_client(), getattr(token, "token", None) or b""
        )
    except SessionError as error:
        raise SessionDenied(error) from error
    note_session(session)
    if isinstance(token, Token):
        token.session = session
    return session
