"""django-allauth: how its logins are named, and tokens of sessions for apps (`allauth.headless`).

    ACCOUNT_ADAPTER = "devices.contrib.allauth.AccountAdapter"
    DEVICES["LOGIN_PROOF"] = "devices.contrib.allauth.proof_of"
    HEADLESS_TOKEN_STRATEGY = "devices.contrib.allauth.DeviceTokens"

An app that signs in through allauth's endpoints gets the tokens of the API. One access token opens both, and
both check that its session is active. What allauth stores between two requests of an app, it stores in a
session of Django's: by a key that the app holds until it is signed in (`X-Session-Token`), and from then on
by a key that only this server can derive from the DeviceSession's id.
"""

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.tokens.strategies.base import AbstractTokenStrategy
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import CreateError, SessionBase
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string
from rest_framework.exceptions import AuthenticationFailed

from devices.api.authentication import ForSessions
from devices.contrib.providers.people import authenticated_at
from devices.core import sessions, tokens
from devices.exceptions import DeviceCodeRequired, SessionError
from devices.http import check_scheme, get_client, scheme_of
from devices.models import DeviceSession
from devices.web import cookie
from devices.web.cookie import ID, Proof, proof_by_backend

# Of a session's key in Django's own table.
KEY_LENGTH: Final = 40

Store: Any = import_string(f"{settings.SESSION_ENGINE}.SessionStore")


class AccountAdapter(DefaultAccountAdapter):
    """To derive yours from: allauth counts by the client's own address, and `proof_of` knows its logins."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address as everywhere else: forwarding headers count from trusted proxies only."""
        return get_client(request).ip_address or "unknown"

    def get_http_user_agent(self, request: HttpRequest) -> str:
        return get_client(request).user_agent

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> Any:
        request.is_allauth_signup = bool(kwargs.get("signup"))  # type: ignore[attr-defined]
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        request.is_allauth_login = True  # type: ignore[attr-defined]
        try:
            super().login(request, user)
        except DeviceCodeRequired:
            # It goes on at the API, with the challenge in our own form.
            raise
        except SessionError as refused:
            if not hasattr(request.allauth, "headless"):  # type: ignore[attr-defined]
                raise
            from allauth.headless.internal.restkit.response import ErrorResponse

            # Not 401, by which allauth's clients know a login that goes on with another step.
            error = ValidationError(refused.message, code=refused.code)
            # allauth lets no other kind of answer through.
            answer = ErrorResponse(request, exception=error, status=403)
            raise ImmediateHttpResponse(answer) from refused


def proof_of(request: HttpRequest, user: AbstractBaseUser) -> Proof:
    """Return how somebody signed in, as allauth recorded it: for DEVICES["LOGIN_PROOF"].

    The method is "password", "passkey" or the id of a provider; `mfa` says whether a second factor was shown.
    With a provider whose ID token has `auth_time`, that is when the user proved it.
    A login by another form is told by its backend: what was shown to allauth earlier in the same browser was
    not shown to it. Needs AccountAdapter.
    """
    if not getattr(request, "is_allauth_login", False):
        return proof_by_backend(request, user)
    proof = _proof_of_records(request, user)
    return proof._replace(is_device_proved=getattr(request, "is_allauth_signup", False))


def _proof_of_records(request: HttpRequest, user: AbstractBaseUser) -> Proof:
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    mfa = any(record["method"] == "mfa" for record in records)
    if first := next((record for record in records if record["method"] != "mfa"), None):
        provider = first.get("provider")
        return Proof(
            provider or first["method"],
            mfa=mfa,
            remember=_is_remembered(request),
            authenticated_at=authenticated_at(user.pk, provider) if provider else None,
        )
    return Proof("passkey", mfa=True) if mfa else proof_by_backend(request, user)


def _is_remembered(request: HttpRequest) -> bool:
    """Whether "remember me" was ticked, in the form that is sent now or one step before the second factor."""
    if "login" in request.POST:
        return "remember" in request.POST
    return not request.session.get_expire_at_browser_close()


class Bearer(str):
    """An access token that was found good. What comes in a header is never one of these."""

    session: DeviceSession


class AppSession(Store):
    """What is remembered of an app that is signed in, always under the key of its DeviceSession."""

    # Django would sign it with the name of this class, and whoever looks for what is kept of a person, or for
    # what is over, would not find it.
    key_salt = f"django.contrib.sessions.{Store.__qualname__}"

    def __init__(self, session: DeviceSession, secret: str | bytes | None = None) -> None:
        salt = "devices.contrib.allauth"
        digest = salted_hmac(salt, str(session.pk), secret, algorithm="sha256")
        self.key = digest.hexdigest()[:KEY_LENGTH]
        super().__init__(self.key)
        # It has just been found: a load need not look it up again.
        self.device_session = session

    def cycle_key(self) -> None:
        """Nobody but this server knows it, so there is nothing to fix."""

    def save(self, must_create: bool = False) -> None:
        self._session_key = self.key
        try:
            super().save(must_create=not self.exists(self.key))
        except CreateError:
            super().save()


class DeviceTokens(AbstractTokenStrategy):
    """HEADLESS_TOKEN_STRATEGY: hands out the tokens of the API, and takes them.

    Until an app is signed in, `X-Session-Token` opens what it has begun. The key of a session that is signed
    in opens nothing.
    """

    def get_session_token(self, request: HttpRequest) -> str | None:
        return _bearer(request) or super().get_session_token(request)

    def lookup_session(self, session_token: str) -> SessionBase | None:
        if isinstance(session_token, Bearer):
            return _session_of(session_token.session)
        store: SessionBase = Store(session_token)
        # The key is for logins in progress; a signed-in app has an access token.
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
        session: DeviceSession = request.device_session
        pair = tokens.issue(session)
        return {
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "token_type": pair.token_type,
            "expires_in": pair.expires_in,
            "session_id": str(session.pk),
        }

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        try:
            claims = tokens.read_refresh(refresh_token)
            session = sessions.rotate(claims, get_client(context.request))
        except SessionError:
            return None
        pair = tokens.issue(session)
        return pair.access, pair.refresh


def _bearer(request: Any) -> Bearer | None:
    """The access token of a request, if it is one of an active session; looked at once."""
    if not hasattr(request, "app_bearer"):
        request.app_bearer = _read_bearer(request)
    bearer: Bearer | None = request.app_bearer
    return bearer


def _read_bearer(request: HttpRequest) -> Bearer | None:
    # The project's own, which may ask for more.
    reader: Any = ForSessions().get_authenticators()[0]
    header = reader.get_header(request)
    try:
        raw = None if header is None else reader.get_raw_token(header)
        if raw is None:
            return None
        _, session = reader.admit(request, raw)
        check_scheme(scheme_of(request), session)
    except (AuthenticationFailed, SessionError):
        # Continue as anonymous: a stale token must not prevent a new login.
        return None
    bearer = Bearer("bearer")
    bearer.session = session
    return bearer


def _session_of(session: DeviceSession) -> SessionBase:
    store = AppSession(session)
    if store.get(ID) == str(session.pk):
        return store
    # By former secret keys, as Django does.
    former = (AppSession(session, secret) for secret in settings.SECRET_KEY_FALLBACKS)
    remembered = next((each for each in former if each.get(ID) == str(session.pk)), None)
    if remembered is not None:
        store.update(dict(remembered.items()))
        store.save()
        remembered.delete()
    else:
        # The tokens come from the API's own login, or nothing had to be remembered so far.
        user = session.user
        store.update(
            {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: cookie.backend_of(user),
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
