"""What happens in allauth happens to the sessions, too."""

from typing import Any

from allauth.account.signals import authentication_step_completed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.contrib.auth.models import AbstractBaseUser
from django.dispatch import receiver
from django.http import HttpRequest

from devices.core import sessions
from devices.http import client_of

from . import second_factor
from .models import FACTORS


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
def factor_added(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    second_factor.enrolled(authenticator)
    session: Any = getattr(request, "device_session", None)
    if authenticator.type in FACTORS and _is_of(session, authenticator.user):
        # Whoever enrols one has just shown it.
        sessions.confirm(session, client_of(request), method=authenticator.type, mfa=True)


@receiver(authentication_step_completed, dispatch_uid="accounts.reauthenticated")
def reauthenticated(
    request: HttpRequest,
    user: AbstractBaseUser,
    method: str,
    reauthenticated: bool = False,
    **kwargs: Any,
) -> None:
    session: Any = getattr(request, "device_session", None)
    if reauthenticated and _is_of(session, user):
        factor = kwargs.get("type", method)
        sessions.confirm(session, client_of(request), method=factor, mfa=method == "mfa")


def _is_of(session: Any, user: AbstractBaseUser) -> bool:
    return session is not None and session.user_id == user.pk
