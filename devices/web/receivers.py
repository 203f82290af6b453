"""Door for Django's signals about cookie sessions: who signs in to pages or the admin, and who leaves."""

from typing import Any

from django.contrib.auth import SESSION_KEY, user_logged_in, user_logged_out
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest

from devices.exceptions import SessionError

from . import cookie


@receiver(user_logged_in, dispatch_uid="devices.signed_in")
def signed_in(request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any) -> None:
    if request is None or not _is_signed_in(request, user):
        # Whoever was given tokens has a session already; some send the signal then, too.
        return
    try:
        cookie.begin(request, user)
    except SessionError as error:
        request.session.flush()
        request.user = AnonymousUser()
        raise PermissionDenied(str(error.message)) from error


@receiver(user_logged_out, dispatch_uid="devices.signed_out")
def signed_out(request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and isinstance(getattr(request, "session", None), SessionBase):
        cookie.end(request)


def _is_signed_in(request: Any, user: AbstractBaseUser) -> bool:
    """Whether this very user was signed in to the cookie session of this request."""
    session = getattr(request, "session", None)
    return isinstance(session, SessionBase) and session.get(
        SESSION_KEY
    ) == user._meta.pk.value_to_string(user)
