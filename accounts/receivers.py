"""What happens in allauth happens to the sessions, too."""

from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import (
    _add_email,
    authentication_step_completed,
    password_reset,
)
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractBaseUser
from django.dispatch import receiver
from django.http import HttpRequest

from devices.core import sessions
from devices.exceptions import SessionError
from devices.http import client_of

from . import first_proof, second_factor
from .models import FACTORS
from .reauthentication import method_of


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
def factor_added(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    second_factor.enrolled(authenticator)
    if authenticator.type in FACTORS:
        # Whoever enrols one has just shown it.
        _confirm(request, authenticator.user, method=authenticator.type, mfa=True)


@receiver(_add_email, dispatch_uid="accounts.address_added")
def address_added(email: str, **kwargs: Any) -> None:
    """On the page and in apps, before the address is written down."""
    first_proof.demand(context.request)
    get_adapter().validate_unique_email(email)


@receiver(authentication_step_completed, dispatch_uid="accounts.reauthenticated")
def reauthenticated(
    request: HttpRequest,
    user: AbstractBaseUser,
    method: str,
    reauthenticated: bool = False,
    **kwargs: Any,
) -> None:
    # A code may have been sent before the user had something better.
    if reauthenticated and method == method_of(user):
        name = kwargs.get("type", method)
        _confirm(request, user, method=name, mfa=method == "mfa", ends_doubt=method == "code")


@receiver(password_reset, dispatch_uid="accounts.password_reset")
def reset(request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Whoever reads the mail is not by that who is signed in here: this browser's session ends, too."""
    if _session_of(request, user) is not None:
        logout(request)


def _confirm(
    request: HttpRequest,
    user: AbstractBaseUser,
    *,
    method: str,
    mfa: bool,
    ends_doubt: bool = False,
) -> None:
    session = _session_of(request, user)
    if session is not None:
        # If it has just ended, the next request will tell.
        with suppress(SessionError):
            sessions.confirm(
                session, client_of(request), method=method, mfa=mfa, ends_doubt=ends_doubt
            )


def _session_of(request: HttpRequest, user: AbstractBaseUser) -> Any:
    session = getattr(request, "device_session", None)
    return session if session is not None and session.user_id == user.pk else None
