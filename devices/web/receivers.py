"""Receivers of Django's signals: logins and logouts with cookies, on pages and in the admin."""

from functools import partial
from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest

from devices.core import sessions
from devices.http import on_answer, plain_request
from devices.models import DeviceSession

from . import cookie, impersonation


@receiver(user_logged_in, dispatch_uid="devices.signed_in")
def signed_in(request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Start a session for a login with Django's `login`."""
    if request is None or not cookie.is_signed_in(request := plain_request(request), user):
        # A login with tokens has a session already; some packages send the signal for it, too.
        return
    if getattr(request, "is_for_tokens", False):
        # A login for tokens, which start a session of their own. Without one this cookie opens nothing.
        return
    if cookie.has_begun(request):
        # The same login, of which a package tells after Django has, as knox does.
        return
    cookie.settle_backend(request)
    if cookie.was_proved(request, user) or not cookie.is_of_browser(request):
        cookie.begin_or_refuse(request, user)
    elif impersonation.is_return(request, user):
        impersonation.come_back(request)
    elif impersonation.may_be_on_behalf(request, user):
        # The caller of `login` stores the session's ID next.
        on_answer(request, partial(impersonation.settle, user))
    else:
        cookie.begin_or_refuse(request, user)


@receiver(user_logged_out, dispatch_uid="devices.signed_out")
def signed_out(
    request: HttpRequest | None, user: AbstractBaseUser | None = None, **kwargs: Any
) -> None:
    """End the session of the cookie, and that of the token that opened the view which calls `logout`."""
    if request is None:
        return
    request = plain_request(request)
    token: DeviceSession | None = getattr(request, "token_session", None)
    if isinstance(getattr(request, "session", None), SessionBase):
        if token is not None and request.session.get(cookie.ID) == str(token.pk):
            token = None  # allauth's apps
        cookie.end(request)
    if token is not None and (user is None or user.pk == token.user_id):
        sessions.logout(token)
