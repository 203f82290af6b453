"""The first proof that an account's own address is its owner's: whoever came before it keeps no way in.

Anybody can register somebody else's address and wait for its owner ("pre-hijacking": Sudhodanan and Paverd,
USENIX Security 2022). So nothing is attached to an account before its address is proved, and what is there
by then goes with the first proof, unless whoever gives it knows the password or is signed in.
"""

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
from django.http import HttpRequest
from django.shortcuts import redirect

from devices.core import sessions
from devices.exceptions import EmailNotVerified, TooManyAttempts

from . import addresses
from .models import User


def is_first(user: User) -> bool:
    """Whether nobody has proved an address of this account so far."""
    return not EmailAddress.objects.filter(user_id=user.pk, verified=True).exists()


def demand(request: HttpRequest) -> None:
    """Let nothing be attached to an account before its address is proved; send the link that does.

    Raises ImmediateHttpResponse: an error `email_not_verified` for apps, the page of addresses for browsers.
    """
    user = request.user
    if not isinstance(user, User) or not is_first(user):
        return
    addresses.send_link(request, user)
    error = EmailNotVerified()
    if hasattr(getattr(request, "allauth", None), "headless"):
        problem = ValidationError(error.message, code=error.code)
        raise ImmediateHttpResponse(ErrorResponse(request, exception=problem, status=403))
    messages.error(request, error.message)
    raise ImmediateHttpResponse(redirect("account_email"))


def knows_account(request: HttpRequest, user: User) -> bool:
    """Whether whoever follows the link is who made the account.

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

    With `password` the password, too: whoever proved the address did not set it.
    """
    with transaction.atomic():
        EmailAddress.objects.filter(user_id=user.pk).exclude(email=user.email).delete()
        SocialAccount.objects.filter(user_id=user.pk).delete()
        Authenticator.objects.filter(user_id=user.pk).delete()
        sessions.disown_all(user)
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
