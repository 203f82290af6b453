"""The first verification of an account's address: it removes the access of anybody who came before.

Anybody can register somebody else's address and wait for its owner ("pre-hijacking": Sudhodanan and Paverd,
USENIX Security 2022). So nothing is attached to an account before its address is proved, and what is there
by then goes with the first proof, unless whoever gives it knows the password or is signed in.
"""

from typing import NoReturn

from allauth.account.internal.constants import LoginStageKey
from allauth.account.models import EmailAddress
from allauth.account.stages import LoginStageController
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.internal.restkit.response import ErrorResponse
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from devices.account import end_unproved_sessions
from devices.exceptions import EmailNotVerified, TooManyAttempts

from . import addresses
from .models import User


def is_first(user: User) -> bool:
    """Whether no address of this account is verified."""
    return not EmailAddress.objects.filter(user_id=user.pk, verified=True).exists()


def demand(request: HttpRequest) -> None:
    """Refuse to add anything to an account before its address is verified, and send the link for that.

    Raises ImmediateHttpResponse: an error `email_not_verified` for apps, the page of addresses for browsers.
    """
    user = request.user
    if not isinstance(user, User) or not is_first(user):
        return
    addresses.send_link(request, user)
    error = EmailNotVerified()
    _refuse(request, ValidationError(error.message, code=error.code), redirect("account_email"))


def demand_owner(request: HttpRequest, user: User) -> None:
    """Let an address be added to an account only by who is in it, or knows its password.

    Else somebody gets a link to prove their own address, and proves it for a stranger's account. Raises
    ImmediateHttpResponse: an error `sign_in_first` for apps, the page of the link again for browsers.
    """
    if not knows_account(request, user):
        text = _("Sign in to the account that this address was added to, or enter its password.")
        _refuse(request, ValidationError(text, code="sign_in_first"), redirect(request.path))


def _refuse(request: HttpRequest, problem: ValidationError, page: HttpResponse) -> NoReturn:
    if hasattr(getattr(request, "allauth", None), "headless"):
        raise ImmediateHttpResponse(ErrorResponse(request, exception=problem, status=403))
    messages.error(request, problem.message)
    raise ImmediateHttpResponse(page)


def knows_account(request: HttpRequest, user: User) -> bool:
    """Whether the link was followed by the user who created the account.

    They are if they are signed in, follow it where they registered, or give the password with the link, which
    counts as an attempt.
    """
    if request.user.pk == user.pk:
        return True
    stage = LoginStageController.enter(request, LoginStageKey.VERIFY_EMAIL.value)
    if stage is not None and stage.login.user is not None and stage.login.user.pk == user.pk:
        return True
    password = request.POST.get("password", "")
    try:
        proved = authenticate(request, username=user.email, password=password) if password else None
    except TooManyAttempts:
        return False
    return proved is not None and proved.pk == user.pk


def drop_what_came_before(user: User, *, password: bool) -> None:
    """End and forget all that was made of an account before its address was proved.

    With `password` also the password, because the person who verified the address did not set it.
    """
    with transaction.atomic():
        EmailAddress.objects.filter(user_id=user.pk).exclude(email=user.email).delete()
        SocialAccount.objects.filter(user_id=user.pk).delete()
        Authenticator.objects.filter(user_id=user.pk).delete()
        end_unproved_sessions(user)
        if password:
            user.set_unusable_password()
            user.save(update_fields=["password"])


def by_reset(user: User) -> None:
    """A password set by a link in a mail proves the address: only the account's own gets such a mail."""
    if not is_first(user):
        return
    with transaction.atomic():
        drop_what_came_before(user, password=False)
        addresses.address_of(user).set_verified()
