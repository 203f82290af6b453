"""What happens in allauth happens to the sessions, too."""

from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.account.signals import (
    _add_email,
    authentication_step_completed,
    password_reset,
)
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from devices.account import notify_method_added, require_active
from devices.exceptions import SessionError, SessionRevoked
from devices.shortcuts import confirm_session, get_session
from devices.signals import session_revoked

from . import addresses, first_proof, recovery, second_factor
from .models import FACTORS, User
from .reauthentication import method_of

# Of a session whose owner has said that it is a stranger's.
NOT_ME = "not_me"


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
def factor_added(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    """Use up the code that enrolled the factor, and count it as a recent proof."""
    second_factor.enrolled(authenticator)
    if authenticator.type in FACTORS:
        # Enrolling a factor shows it.
        _confirm(request, authenticator.user, method=authenticator.type, mfa=True)


@receiver(_add_email, dispatch_uid="accounts.address_added")
def address_added(email: str, **kwargs: Any) -> None:
    """On the page and in apps, before the address is written down."""
    first_proof.demand(context.request)
    get_adapter().validate_unique_email(email)


@receiver(post_save, sender=EmailAddress, dispatch_uid="accounts.address_saved")
def address_saved(instance: EmailAddress, created: bool, raw: bool, **kwargs: Any) -> None:
    """Tell the owner of a verified or primary address.

    Raises PermissionDenied if the session has ended meanwhile.
    """
    if raw:
        return
    if _is_late(instance.user):
        if created:
            # Also one that was deleted meanwhile: save() inserts it again.
            EmailAddress.objects.filter(pk=instance.pk).delete()
        addresses.restore_primary(instance.user_id)
        raise PermissionDenied(SessionRevoked.message)
    # Verified, or made the primary one; then devices tells of it.
    if instance.verified:
        _method_added(instance, "" if instance.primary else "address")


@receiver(session_revoked, dispatch_uid="accounts.session_disowned")
def session_disowned(session: Any, reason: str, **kwargs: Any) -> None:
    """Delete the addresses that wait for their proof: a stranger may have added them.

    The link to prove one needs no more than the password, which the stranger may know until it is changed.
    """
    if reason == NOT_ME:
        EmailAddress.objects.filter(user_id=session.user_id, verified=False, primary=False).exclude(
            email=session.user.email
        ).delete()


@receiver(post_save, sender=SocialAccount, dispatch_uid="accounts.identity_saved")
def identity_saved(instance: SocialAccount, created: bool, raw: bool, **kwargs: Any) -> None:
    """Tell the owner of a connected account. Raises PermissionDenied if the session has ended meanwhile."""
    if created and not raw:
        _demand_session(instance)
        _method_added(instance, "identity")


@receiver(post_save, sender=Authenticator, dispatch_uid="accounts.factor_saved")
def factor_saved(instance: Authenticator, created: bool, raw: bool, **kwargs: Any) -> None:
    """Tell the owner of a new second factor. Raises PermissionDenied if the session has ended meanwhile."""
    if created and not raw and instance.type in FACTORS:
        _demand_session(instance)
        _method_added(instance, "factor")


@receiver(post_save, sender=User, dispatch_uid="accounts.login_saved")
def login_saved(instance: User, update_fields: frozenset[str] | None, **kwargs: Any) -> None:
    """The last step of a change of the primary address in allauth."""
    if update_fields == frozenset({"email"}) and _is_late(instance):
        addresses.restore_primary(instance.pk)
        raise PermissionDenied(SessionRevoked.message)


def _demand_session(added: Any) -> None:
    """Take back what a request has just added whose session ended while it was being answered."""
    if _is_late(added.user):
        type(added).objects.filter(pk=added.pk).delete()
        raise PermissionDenied(SessionRevoked.message)


def _is_late(user: User) -> bool:
    """Whether the session that let this request in has ended: the owner has taken the account back, say.

    Asked after the row is written, and under the lock that taking back holds, so that one of the two sees
    the other.
    """
    session = _session_of(user)
    try:
        if session is not None:
            require_active(session)
    except SessionRevoked:
        return True
    return False


def _method_added(added: Any, method: str) -> None:
    """A sign-in method was added in any way: create a recovery link, and send it to the owner."""
    if recovery.note_added(added.user_id, added) and method:
        notify_method_added(added.user_id, method, _session_of(added.user))


@receiver(authentication_step_completed, dispatch_uid="accounts.reauthenticated")
def reauthenticated(
    request: HttpRequest,
    user: AbstractBaseUser,
    method: str,
    reauthenticated: bool = False,
    **kwargs: Any,
) -> None:
    """Store a reauthentication by allauth as the session's recent proof."""
    # A code may have been sent before the user had something better.
    if reauthenticated and method == method_of(user):
        name = kwargs.get("type", method)
        _confirm(request, user, method=name, mfa=method == "mfa", ends_doubt=method == "code")


@receiver(password_reset, dispatch_uid="accounts.password_reset")
def reset(request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> None:
    """The reader of the e-mail may not be the user signed in here: this browser's session ends, too."""
    if _session_of(user) is not None:
        logout(request)


def _confirm(
    request: HttpRequest,
    user: AbstractBaseUser,
    *,
    method: str,
    mfa: bool,
    ends_doubt: bool = False,
) -> None:
    if _session_of(user) is not None:
        # If it has just ended, the next request will tell.
        with suppress(SessionError):
            confirm_session(request, method=method, mfa=mfa, ends_doubt=ends_doubt)


def _session_of(user: AbstractBaseUser) -> Any:
    """The session in which this user sent the request that is being answered."""
    session = context.request and get_session(context.request)
    return session if session is not None and session.user_id == user.pk else None
