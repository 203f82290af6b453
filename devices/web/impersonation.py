"""A browser in which somebody is signed in on another's behalf: by `impersonate`, or by a package for it.

django-hijack and django-loginas call Django's `login` for the other user. What they write into the cookie
session tells that nobody proved to be that user (IMPERSONATION_KEYS); they write it after `login`, so it is
looked at when the view is through. Whoever goes back is signed in by the session they had, as it was.
"""

from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from devices.conf import conf
from devices.core import sessions, step_up
from devices.core.staff import accounts
from devices.exceptions import SessionError
from devices.http import get_client
from devices.models import DeviceSession

from . import cookie


def impersonate(request: HttpRequest, user: AbstractBaseUser, *, reason: str) -> DeviceSession:
    """Sign the browser of this request in on behalf of a user, for IMPERSONATION_MAX_AGE at most.

    `reason` is kept in the log, for staff. Whether the caller may act on somebody's behalf is for your view
    to ask; that the user is within their reach, and that they proved lately who they are, is asked here.
    Raises PermissionDenied, and ValueError without a reason.
    """
    by = _session_of(request)
    if not reason.strip():
        raise ValueError("A reason is required.")
    if by is None or step_up.missing_proof(by) is not None:
        raise PermissionDenied("Confirm who you are first.")
    try:
        session = accounts.begin_impersonation(by, user, get_client(request), note=reason)
    except SessionError as error:
        raise PermissionDenied(str(error.message)) from error
    cookie.sign_in(request, session, request.session[BACKEND_SESSION_KEY])
    return session


def stop_impersonating(request: HttpRequest) -> DeviceSession:
    """Sign the browser back in by the session that `impersonate` was called in, as it was.

    Raises PermissionDenied if nobody is signed in on another's behalf, or that session has ended; then
    nobody is signed in here any more.
    """
    session = _session_of(request)
    if session is None or not session.is_impersonated:
        raise PermissionDenied
    backend = request.session[BACKEND_SESSION_KEY]
    origin = _end(request, session)
    cookie.sign_in(request, origin, backend)
    return origin


def is_return(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Whether a login by another package returns from an impersonation."""
    before = _session_of(request)
    return before is not None and before.is_impersonated and before.impersonator_id == user.pk


def come_back(request: HttpRequest) -> None:
    """After such a login: continue the earlier session, with its earlier confirmation."""
    before = _session_of(request)
    assert before is not None
    origin = _end(request, before)
    request.session[cookie.ID] = str(origin.pk)
    request.device_session = origin  # type: ignore[attr-defined]


def may_be_on_behalf(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Whether a login may be one on another's behalf: somebody else was signed in, and nothing was proved."""
    before = _session_of(request)
    return before is not None and before.user_id != user.pk


def settle(user: AbstractBaseUser, request: HttpRequest, _response: HttpResponse) -> None:
    """When the view is through: begin the session of a login that may be on another's behalf.

    Raises PermissionDenied if it may not start. The user then stays signed in as themselves.
    """
    if not cookie.is_signed_in(request, user):
        return
    if not any(request.session.get(key) for key in conf.IMPERSONATION_KEYS):
        cookie.begin_or_refuse(request, user)
        return
    before = _session_of(request)
    assert before is not None
    try:
        origin = _end(request, before) if before.is_impersonated else before
        session = accounts.begin_impersonation(origin, user, get_client(request), note="")
    except SessionError as error:
        cookie.sign_in(request, before, request.session[BACKEND_SESSION_KEY])
        raise PermissionDenied(str(error.message)) from error
    request.session[cookie.ID] = str(session.pk)
    request.device_session = session  # type: ignore[attr-defined]


def _session_of(request: HttpRequest) -> DeviceSession | None:
    session: DeviceSession | None = getattr(request, "device_session", None)
    return session


def _end(request: HttpRequest, session: DeviceSession) -> DeviceSession:
    """End a session on another's behalf; the one it was begun in. Raises PermissionDenied if that is over."""
    try:
        return sessions.end_impersonated(session)
    except SessionError as error:
        request.session.flush()
        request.user = AnonymousUser()
        request.device_session = None  # type: ignore[attr-defined]
        raise PermissionDenied(str(error.message)) from error
