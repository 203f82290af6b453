"""Door for Django's signals about cookie sessions: who signs in to pages or the admin, and who leaves."""

from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest

from . import cookie, impersonation


@receiver(user_logged_in, dispatch_uid="devices.signed_in")
def signed_in(request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any) -> None:
    if request is None or not cookie.is_signed_in(request, user):
        # Whoever was given tokens has a session already; some send the signal then, too.
        return
    if cookie.was_proved(request, user) or not cookie.is_of_browser(request):
        cookie.begin_or_refuse(request, user)
    elif impersonation.is_return(request, user):
        impersonation.come_back(request)
    elif impersonation.may_be_on_behalf(request, user):
        # What tells is written next, by whoever called `login`.
        request.unsettled_login = user  # type: ignore[attr-defined]
    else:
        cookie.begin_or_refuse(request, user)


@receiver(user_logged_out, dispatch_uid="devices.signed_out")
def signed_out(request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and isinstance(getattr(request, "session", None), SessionBase):
        cookie.end(request)
