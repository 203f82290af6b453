"""Apps that sign in through allauth's endpoints for them: the tokens they get are those of /api/login.

One access token opens both, and both ask whether its session lives. What allauth has to remember between two
requests of an app, it remembers in a session of Django's: by a key that the app holds until it is signed in
(`X-Session-Token`), and from then on by one that only this server can make of the DeviceSession's id.
"""

from functools import partial
from typing import Any, Final

from allauth.core import context
from allauth.headless.tokens.strategies.base import AbstractTokenStrategy
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string
from rest_framework.exceptions import AuthenticationFailed

from devices.api.authentication import DeviceSessionAuthentication
from devices.core import sessions
from devices.core.life import tokens
from devices.exceptions import SessionError
from devices.http import client_of
from devices.web.cookie import ID

from .serializers import tokens_of

# Of a session's key in Django's own table.
KEY_LENGTH: Final = 40

Store: Any = import_string(f"{settings.SESSION_ENGINE}.SessionStore")


class Bearer(str):
    """An access token that was found good. What comes in a header is never one of these."""

    session: Any


class AppSession(Store):
    """What is remembered of an app that is signed in, always under the key of its DeviceSession."""

    # Django would sign it with the name of this class, and whoever looks for what is kept of a person, or for
    # what is over, would not find it.
    key_salt = f"django.contrib.sessions.{Store.__qualname__}"

    def __init__(self, session: Any) -> None:
        digest = salted_hmac("accounts.app_session", str(session.pk), algorithm="sha256")
        self.key = digest.hexdigest()[:KEY_LENGTH]
        super().__init__(self.key)

    def cycle_key(self) -> None:
        """Nobody but this server knows it, so there is nothing to fix."""

    def save(self, must_create: bool = False) -> None:
        self._session_key = self.key
        try:
            super().save(must_create=not self.exists(self.key))
        except CreateError:
            super().save()


class DeviceTokens(AbstractTokenStrategy):
    """HEADLESS_TOKEN_STRATEGY."""

    def get_session_token(self, request: HttpRequest) -> str | None:
        return _bearer(request) or super().get_session_token(request)

    def lookup_session(self, session_token: str) -> SessionBase | None:
        if isinstance(session_token, Bearer):
            return _session_of(session_token.session)
        store: SessionBase = Store(session_token)
        # A key opens what is not signed in: whoever is has an access token.
        is_signed_in = store.get(SESSION_KEY) is not None
        return None if is_signed_in or store.session_key is None else store

    def create_session_token(self, request: HttpRequest) -> str:
        if ID in request.session:
            _settle(request)
            return ""
        if request.session.session_key is None:
            request.session.save()
        return str(request.session.session_key)

    def create_access_token_payload(self, request: Any) -> dict[str, Any]:
        return dict(tokens_of(request.device_session))

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        try:
            claims = tokens.read_refresh(refresh_token)
            session = sessions.rotate(claims, client_of(context.request))
        except SessionError:
            return None
        pair = tokens.issue(session)
        return pair.access, pair.refresh


def _bearer(request: Any) -> Bearer | None:
    """The access token of a request, if it is one of a living session; looked at once."""
    if not hasattr(request, "app_bearer"):
        request.app_bearer = _read_bearer(request)
    bearer: Bearer | None = request.app_bearer
    return bearer


def _read_bearer(request: HttpRequest) -> Bearer | None:
    reader = DeviceSessionAuthentication()
    header = reader.get_header(request)
    try:
        raw = None if header is None else reader.get_raw_token(header)
        if raw is None:
            return None
        session = sessions.authenticate(raw, partial(client_of, request))
    except (AuthenticationFailed, SessionError):
        # As nobody, then: a stale token keeps nobody from signing in anew.
        return None
    bearer = Bearer("bearer")
    bearer.session = session
    return bearer


def _session_of(session: Any) -> SessionBase:
    store = AppSession(session)
    if store.get(ID) != str(session.pk):
        # The tokens come from the API's own login, or nothing had to be remembered so far.
        user = session.user
        store.update(
            {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: user.get_session_auth_hash(),
                ID: str(session.pk),
            }
        )
        store.modified = False
    return store


def _settle(request: Any) -> None:
    """Move what was remembered of an app while it signed in to where it is looked for from now on."""
    if isinstance(request.session, AppSession):
        return
    store = AppSession(request.device_session)
    store.update(dict(request.session.items()))
    store.save()
    request.session.delete()
    request.session = store
