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


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
def factor_added(authenticator: Authenticator, **kwargs: Any) -> None:
    second_factor.enrolled(authenticator)


@receiver(authentication_step_completed, dispatch_uid="accounts.reauthenticated")
def reauthenticated(
    request: HttpRequest,
    user: AbstractBaseUser,
    method: str,
    reauthenticated: bool = False,
    **kwargs: Any,
) -> None:
    session = getattr(request, "device_session", None)
    if reauthenticated and session is not None and session.user_id == user.pk:
        factor = kwargs.get("type", method)
        sessions.confirm(session, client_of(request), method=factor, mfa=method == "mfa")
