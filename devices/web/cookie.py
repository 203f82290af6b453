"""Who a cookie session of Django signs in: it holds the id of a DeviceSession, and is worth what that is."""

from typing import Any, Final, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.backends import ModelBackend, RemoteUserBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from devices.conf import conf
from devices.core import sessions
from devices.core.proof import second_factor
from devices.exceptions import SessionError, SessionRevoked
from devices.http import browser_of, client_of, newcomer_of
from devices.models import DeviceSession, RevokeReason

# In `request.session`: the id, which opens nothing by itself.
ID: Final = "device_session"
METHOD_LENGTH: Final = 32


class Proof(NamedTuple):
    """How somebody proved who they are, as LOGIN_PROOF tells it."""

    method: str
    # Whether with a second factor, too.
    mfa: bool = False
    # Whether for longer than SHORT_SESSION_MAX_AGE.
    remember: bool = True


def is_signed_in(request: Any, user: AbstractBaseUser) -> bool:
    """Whether this very user was signed in to the cookie session of this request."""
    session = getattr(request, "session", None)
    return isinstance(session, SessionBase) and session.get(
        SESSION_KEY
    ) == user._meta.pk.value_to_string(user)


def is_of_browser(request: HttpRequest) -> bool:
    """Whether the session of this request is that of its cookie, and not one that stands in for an app's."""
    return getattr(request, "cookie_session", None) is request.session


def was_proved(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Whether this very request showed the user's password, or a proof that the site knows of."""
    return bool(getattr(request, "proved_user_id", None) == user.pk)


def begin_or_refuse(request: HttpRequest, user: AbstractBaseUser) -> None:
    """As `begin`. Where there is no session to be, nobody is signed in, and PermissionDenied is raised."""
    try:
        begin(request, user)
    except SessionError as refused:
        request.session.flush()
        request.user = AnonymousUser()
        raise PermissionDenied(str(refused.message)) from refused


def begin(request: HttpRequest, user: AbstractBaseUser) -> DeviceSession:
    """Start the DeviceSession of a cookie session that has just been signed in. Raises SessionError."""
    tell = conf.LOGIN_PROOF or proof_by_backend
    proof: Proof = tell(request, user)
    is_cookie = getattr(request, "cookie_session", request.session) is request.session
    session = sessions.start(
        user,
        browser_of(request) if is_cookie else newcomer_of(request),
        method=proof.method[:METHOD_LENGTH],
        # A request without a method comes from no client: a test vouches for the user, by force_login.
        mfa=proof.mfa or (request.method is None and second_factor.required_of(user)),
        remember=proof.remember,
    )
    before: DeviceSession | None = getattr(request, "device_session", None)
    if is_cookie and before is not None:
        # There is one cookie, and now it is this session's.
        is_mine = before.user_id == session.user_id
        sessions.revoke(before, reason=RevokeReason.SUPERSEDED if is_mine else RevokeReason.LOGOUT)
    if ID in request.session:
        # Django keeps the key if the same person signs in again.
        request.session.cycle_key()
    request.session[ID] = str(session.pk)
    request.device_session = session  # type: ignore[attr-defined]
    return session


def end(request: HttpRequest) -> None:
    """End the DeviceSession of a cookie session that is being signed out."""
    user_id, session_id = request.session.get(SESSION_KEY), request.session.get(ID)
    if user_id is not None and session_id is not None:
        sessions.leave(user_id, session_id)
        request.has_left = True  # type: ignore[attr-defined]


def user_of(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    """The user whom the request's cookie session signs in, as `django.contrib.auth.get_user` has it.

    Nobody once its DeviceSession is over, or if it has none, being older than this app: then the cookie
    session is emptied. One query brings both. Sets `request.device_session`.
    """
    # Django keeps its answer here, too, and allauth clears it when it exchanges the session of a request. An
    # answer that is not ours may be Django's own, which knows nothing of a DeviceSession.
    known: Any = getattr(request, "_cached_user", None)
    if known is None or known is not getattr(request, "_device_user", None):
        request.device_session = None  # type: ignore[attr-defined]
        known = _ask(request)
        request._cached_user = request._device_user = known  # type: ignore[attr-defined]
    user: AbstractBaseUser | AnonymousUser = known
    return user


async def auser_of(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    return await sync_to_async(user_of)(request)


def _ask(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    if SESSION_KEY not in request.session:
        return AnonymousUser()
    try:
        session, is_prolonged = sessions.visit(
            request.session[SESSION_KEY], request.session.get(ID), lambda: client_of(request)
        )
        user = _account(request, session)
        if user is None:
            sessions.logout(session)
            raise SessionRevoked
    except SessionError as error:
        request.session.flush()
        messages.warning(request, error.message, fail_silently=True)
        return AnonymousUser()
    if is_prolonged:
        # So that the cookie lasts as long.
        request.session.modified = True
    request.device_session = session  # type: ignore[attr-defined]
    return user


def _account(request: HttpRequest, session: DeviceSession) -> AbstractBaseUser | None:
    """The session's user, if Django would have them, too: its backend is still there and still lets them in.

    That the password is the same, the DeviceSession knows. Django's own digest takes a password that was
    merely hashed anew for another one, so only a digest of the user model's own is compared.
    """
    path = request.session.get(BACKEND_SESSION_KEY)
    if path not in settings.AUTHENTICATION_BACKENDS:
        return None
    backend: Any = load_backend(path)
    user: Any = session.user
    if getattr(type(backend), "get_user", None) is not ModelBackend.get_user:
        user = backend.get_user(user.pk)
    elif not backend.user_can_authenticate(user):
        return None
    if user is None or user.pk != session.user_id:
        return None
    digest = getattr(user.__class__, "get_session_auth_hash", None)
    if digest not in (None, AbstractBaseUser.get_session_auth_hash):
        given = request.session.get(HASH_SESSION_KEY, "")
        if not constant_time_compare(given, user.get_session_auth_hash()):
            return None
    return user  # type: ignore[no-any-return]


def proof_by_backend(request: HttpRequest, user: AbstractBaseUser) -> Proof:
    """A password, or the name that another backend gives itself."""
    backend = load_backend(request.session[BACKEND_SESSION_KEY])
    name = getattr(backend, "name", None)
    if not isinstance(name, str):
        is_password = isinstance(backend, ModelBackend) and not isinstance(
            backend, RemoteUserBackend
        )
        name = "password" if is_password else type(backend).__name__
    return Proof(name)
