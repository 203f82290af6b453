"""Who a cookie session of Django signs in: it holds the id of a DeviceSession, and is worth what that is."""

from datetime import datetime
from functools import partial
from inspect import Parameter, signature
from typing import Any, Final, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, update_last_login
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string

from devices.conf import conf
from devices.core import second_factor, sessions
from devices.exceptions import (
    BindingRequired,
    DeviceCodeRequired,
    SessionError,
    SessionRevoked,
    TooManyAttempts,
)
from devices.http import (
    clear_site_data,
    get_browser_client,
    get_client,
    get_login_client,
    on_answer,
    settle_guesses,
    wants_page,
)
from devices.models import DeviceSession, RevokeReason

from . import bound_cookie
from .session_store import ID as ID
from .session_store import DeviceSessionStore, has_digest_of, has_djangos_digest

METHOD_LENGTH: Final = 32
# In the cookie session of a login that waits for a code: the challenge, and how to continue.
WAITING: Final = "devices.waiting"


class Proof(NamedTuple):
    """How somebody signed in, by the function that LOGIN_PROOF names."""

    method: str
    # Whether with a second factor, too.
    mfa: bool = False
    # Whether for longer than SHORT_SESSION_MAX_AGE.
    remember: bool = True
    # Whether a new device needs no code (DEVICE_CODE_METHODS): the account has just been made on it.
    is_device_proved: bool = False
    # When they proved it to an identity provider that has kept them signed in since. None: just now.
    authenticated_at: datetime | None = None


def is_signed_in(request: Any, user: AbstractBaseUser) -> bool:
    """Whether this very user was signed in to the cookie session of this request."""
    session = getattr(request, "session", None)
    return isinstance(session, SessionBase) and session.get(
        SESSION_KEY
    ) == user._meta.pk.value_to_string(user)


def is_of_browser(request: HttpRequest) -> bool:
    """Whether this request's session belongs to its cookie, and not to an app at allauth's endpoints.

    That it is another object than it was does not tell: packages that sign in by a provider put a new one for
    the same cookie in its place.
    """
    headless = getattr(getattr(request, "allauth", None), "headless", None)
    return getattr(headless, "client", None) != "app"


def was_proved(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Whether this very request showed the user's password, or a proof that the site knows of."""
    return bool(getattr(request, "proved_user_id", None) == user.pk)


def has_begun(request: HttpRequest) -> bool:
    """Whether the session of the cookie was started by this very request."""
    begun: DeviceSession | None = getattr(request, "begun_session", None)
    return begun is not None and request.session.get(ID) == str(begun.pk)


def settle_backend(request: HttpRequest) -> None:
    """Name the backend that has taken the place of the one that code has signed somebody in by.

    Many a `login(request, user, backend=…)` names Django's ModelBackend. Where that is not in
    AUTHENTICATION_BACKENDS, Django signs nobody in at the next request, and says nothing.
    """
    path = request.session[BACKEND_SESSION_KEY]
    if path in settings.AUTHENTICATION_BACKENDS:
        return
    named = import_string(path)
    for each in settings.AUTHENTICATION_BACKENDS:
        if issubclass(import_string(each), named):
            request.session[BACKEND_SESSION_KEY] = each
            return


def begin_or_refuse(request: HttpRequest, user: AbstractBaseUser) -> None:
    """As `begin`. If no session may start, nobody is signed in, and PermissionDenied is raised for a page.

    An app gets the error itself. Or DeviceCodeRequired, with what waits for its code noted in the cookie
    session.
    """
    backend = request.session[BACKEND_SESSION_KEY]
    try:
        begin(request, user)
    except (SessionError, TooManyAttempts) as refused:
        request.session.flush()
        request.user = AnonymousUser()
        if isinstance(refused, DeviceCodeRequired):
            request.session[WAITING] = {
                "challenge": refused.details["challenge"],
                "backend": backend,
                "next": _next(request),
            }
        elif isinstance(refused, SessionError) and wants_page(request):
            raise PermissionDenied(str(refused.message)) from refused
        raise


def _next(request: HttpRequest) -> str:
    """Where the form of the login leads to, if that is on this site."""
    path: str = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(path, {request.get_host()}, request.is_secure())
    return path if is_ours else ""


def go_on(request: HttpRequest, session: DeviceSession, backend: str) -> None:
    """Sign a browser in to a session that waited for its code."""
    sign_in(request, session, backend)
    rotate_token(request)
    on_answer(request, partial(_abandon_unheard, session))
    update_last_login(type(session.user), session.user)
    bound_cookie.offer(request, session)


def sign_in(request: HttpRequest, session: DeviceSession, backend: str) -> None:
    """What Django's `login` does for the user of a session, without telling that they have signed in."""
    user = session.user
    request.session.flush()
    request.session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    request.session[BACKEND_SESSION_KEY] = backend
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    request.session[ID] = str(session.pk)
    known: Any = request
    known.user = known._cached_user = known._device_user = user
    known.device_session = session


def begin(request: HttpRequest, user: AbstractBaseUser) -> DeviceSession:
    """Start the DeviceSession of a cookie session that has just been signed in. Raises SessionError."""
    tell = conf.LOGIN_PROOF or proof_by_backend
    proof = tell(request, user)
    if not isinstance(proof, Proof):
        raise ImproperlyConfigured(f"DEVICES['LOGIN_PROOF'] returned no Proof: {proof!r}")
    is_cookie = is_of_browser(request)
    settle_guesses(are_right=True)
    session = sessions.start(
        user,
        get_browser_client(request) if is_cookie else get_login_client(request),
        method=proof.method[:METHOD_LENGTH],
        # A request without a method comes from no client: a test vouches for the user, by force_login.
        mfa=proof.mfa or (request.method is None and second_factor.required_of(user)),
        remember=proof.remember,
        is_device_proved=proof.is_device_proved or request.method is None,
        authenticated_at=proof.authenticated_at,
    )
    before = _session_before(request)
    if is_cookie and before is not None:
        # There is one cookie, and now it is this session's.
        is_mine = before.user_id == session.user_id
        sessions.revoke(before, reason=RevokeReason.SUPERSEDED if is_mine else RevokeReason.LOGOUT)
    if ID in request.session:
        # Django keeps the key if the same person signs in again.
        request.session.cycle_key()
    request.session[ID] = str(session.pk)
    known: Any = request
    known.device_session = known.begun_session = session
    on_answer(request, partial(_abandon_unheard, session))
    if is_cookie:
        bound_cookie.offer(request, session)
    return session


def _session_before(request: HttpRequest) -> DeviceSession | None:
    """The DeviceSession that the cookie was for until now.

    A view of Django REST framework, or a middleware, may sign somebody in before anything has
    asked for `request.user`. Django's own engines have forgotten by then whose session it was.
    """
    known: DeviceSession | None = getattr(request, "device_session", None)
    if known is None and isinstance(request.session, DeviceSessionStore):
        known = request.session.device_session
    return known


def _abandon_unheard(session: DeviceSession, request: HttpRequest, answer: HttpResponse) -> None:
    # With an error of the server Django stores no cookie session. On Citus that is so at each login while a
    # worker is away: `last_login` is written to all nodes, and the session to one.
    if answer.status_code >= 500:
        sessions.abandon(session)


def end(request: HttpRequest) -> None:
    """End the DeviceSession of a cookie session that is being signed out."""
    user_id, session_id = request.session.get(SESSION_KEY), request.session.get(ID)
    if user_id is not None and session_id is not None:
        sessions.logout_by_id(user_id, session_id)
        clear_site_data(request)
        bound_cookie.forget(request)


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
    """Do the same as `user_of`, in async code."""
    return await sync_to_async(user_of)(request)


def overruled(
    request: HttpRequest, other: AbstractBaseUser | AnonymousUser
) -> AbstractBaseUser | AnonymousUser:
    """The user whom other middleware has set, unless it is the one of a cookie session that is over."""
    claimed = request.session.get(SESSION_KEY)
    # A token of the same person may be good.
    if claimed is None or hasattr(request, "token_session"):
        return other
    ours = user_of(request)
    is_mine = other.is_authenticated and other._meta.pk.value_to_string(other) == claimed
    return ours if is_mine and ours.is_anonymous else other


def _ask(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    store = request.session
    ours = store if isinstance(store, DeviceSessionStore) else None
    try:
        if SESSION_KEY not in store:
            if ours is not None and ours.refusal is not None:
                raise ours.refusal
            return AnonymousUser()
        found = None if ours is None else ours.take_device_session()
        if found is None:
            found = sessions.authenticate_cookie(
                store[SESSION_KEY], store.get(ID), lambda: get_client(request)
            )
        # Before anything is noted of a use: it may be a thief's.
        bound_cookie.check(request, found)
        # Who changes the password in a browser keeps its session, under another key. Where all of it is in
        # the cookie there is no key, and only this says of an earlier cookie that it is old. The session
        # itself goes on.
        if isinstance(store, CookieStore) and not has_digest_of(store, found.user):
            raise SessionRevoked
        session, is_prolonged = sessions.record_use(found, lambda: get_client(request))
        user = _account(request, session)
        if user is None:
            sessions.logout(session)
            raise SessionRevoked
    except BindingRequired as error:
        # The cookie session stays: it continues once the browser has proved its key.
        messages.warning(request, error.message, fail_silently=True)
        return AnonymousUser()
    except SessionError as error:
        bound_cookie.forget(request)
        store.flush()
        messages.warning(request, error.message, fail_silently=True)
        return AnonymousUser()
    if is_prolonged:
        # So that the cookie lasts as long.
        request.session.modified = True
    request.device_session = session  # type: ignore[attr-defined]
    return user


def _account(request: HttpRequest, session: DeviceSession) -> AbstractBaseUser | None:
    """The session's user, if Django accepts them, too: its backend still exists and still returns them.

    That the password is the same, the DeviceSession knows. Django's own digest takes a password that was
    merely hashed anew for another one, so only a digest of the user model's own is compared.
    """
    path = request.session.get(BACKEND_SESSION_KEY)
    if path not in settings.AUTHENTICATION_BACKENDS:
        return None
    backend: Any = load_backend(path)
    user: Any = session.user
    if not _finds_as_django(backend):
        user = backend.get_user(user.pk)
    elif not backend.user_can_authenticate(user):
        return None
    if user is None or user.pk != session.user_id:
        return None
    if not has_djangos_digest(user):
        return user if has_digest_of(request.session, user) else None
    return user  # type: ignore[no-any-return]


def backend_of(user: AbstractBaseUser) -> str:
    """The first of AUTHENTICATION_BACKENDS that finds the user, for a session that began without one.

    Some find nobody, such as the one that django-axes wants to be the first. Empty if none does.
    """
    for path in settings.AUTHENTICATION_BACKENDS:
        backend: Any = load_backend(path)
        if _finds_as_django(backend) or (
            hasattr(backend, "get_user") and backend.get_user(user.pk) is not None
        ):
            return path
    return ""


def _finds_as_django(backend: Any) -> bool:
    return getattr(type(backend), "get_user", None) is ModelBackend.get_user


def proof_by_backend(request: HttpRequest, user: AbstractBaseUser) -> Proof:
    """A password, or another backend's `name`, or the name of its class."""
    backend = load_backend(request.session[BACKEND_SESSION_KEY])
    name = getattr(backend, "name", None)
    if not isinstance(name, str):
        name = "password" if _takes_password(backend) else type(backend).__name__
    return Proof(name)


def _takes_password(backend: Any) -> bool:
    # RemoteUserBackend and what signs in by links, tickets or assertions is often a ModelBackend as well, for
    # its permissions. Where anything is taken, it may be a password.
    taken = signature(backend.authenticate).parameters
    return "password" in taken or (
        isinstance(backend, ModelBackend)
        and any(each.kind is Parameter.VAR_KEYWORD for each in taken.values())
    )
