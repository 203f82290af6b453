"""Email addresses: whether somebody has proved that one is theirs, and the mails that let them.

allauth keeps them, the account's own and others that people add on its pages.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification import consume_email_verification_rate_limit
from allauth.account.models import EmailAddress
from allauth.core import context
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from devices.exceptions import EmailNotVerified

from . import limits
from .models import User

logger = logging.getLogger("accounts")


def demand_proof(request: HttpRequest, user: User) -> None:
    """Refuse users whose address is not verified.

    They are sent another mail, at most every three minutes. Raises EmailNotVerified.
    """
    if not is_proved(user):
        send_link(request, user)
        raise EmailNotVerified


def is_proved(user: User) -> bool:
    """Return whether the user has verified the account's own address."""
    # UserManager has asked already, where somebody signs in.
    known: bool | None = getattr(user, "has_proved_email", None)
    if known is not None:
        return known
    mine = EmailAddress.objects.filter(user_id=user.pk, email=user.email, verified=True)
    return bool(mine.exists())


def create_account(request: HttpRequest, email: str, password: str) -> User:
    """An account whose address is not proved yet, and the mail for that. Raises IntegrityError if taken."""
    with transaction.atomic():
        user = User.objects.create_user(email, password)
        address_of(user)
        transaction.on_commit(lambda: send_link(request, user, signup=True))
    return user


def limit_registration(request: HttpRequest, email: str) -> None:
    """Count a registration, for the network address and for the mailbox. Raises TooManyAttempts."""
    limits.consume(request, "signup")
    limit_mailbox(request, email)


def limit_mailbox(request: HttpRequest, email: str) -> None:
    """Count an address that somebody claims, for the mailbox it belongs to. Raises TooManyAttempts."""
    limits.consume(request, "mailbox", key=mailbox(email))


def mailbox(email: str) -> str:
    """The mailbox of an address: without the tag of plus addressing (RFC 5233), in lower case."""
    local, _at, domain = email.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def invite(request: HttpRequest, email: str, password: str) -> None:
    """Create an account for this address, or e-mail its owner that there is one.

    The response and its duration do not reveal which.
    """
    if not User.objects.filter(email=email).exists():
        try:
            create_account(request, email, password)
        except IntegrityError:
            logger.info("Two requests registered the same address at once.")
        return
    if _may_mail(request, email):
        _send(request, lambda: get_adapter().send_account_already_exists_mail(email))


def send_link(request: HttpRequest, user: User, *, signup: bool = False) -> None:
    """The mail with the link that proves the account's own address, at most every three minutes."""
    if _may_mail(request, user.email):
        _send(request, lambda: address_of(user).send_confirmation(request, signup=signup))


def address_of(user: User) -> EmailAddress:
    """The account's own address, as allauth keeps it."""
    has_primary = EmailAddress.objects.filter(user_id=user.pk, primary=True).exists()
    defaults = {"primary": not has_primary}
    address: EmailAddress
    address, _created = EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults=defaults
    )
    return address


def restore_primary(user_id: Any) -> None:
    """Have the address that the account signs in with be its primary one, and one of those it has.

    For when a change was stopped half way: allauth makes it in several steps, each by itself.
    """
    # If another request makes one the primary one at this moment, there is one.
    with suppress(IntegrityError), transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        mine = EmailAddress.objects.filter(user=user)
        own = (
            mine.filter(email=user.email).first()
            or mine.filter(verified=True).order_by("-primary").first()
        )
        if own is not None:
            User.objects.filter(pk=user_id).update(email=own.email)
            mine.exclude(pk=own.pk).update(primary=False)
            mine.filter(pk=own.pk).update(primary=True)


def _may_mail(request: HttpRequest, email: str) -> bool:
    return bool(consume_email_verification_rate_limit(request, email))


def _send(request: HttpRequest, send: Callable[[], object]) -> None:
    # Links and senders are made of the request, which may be over by now.
    with context.request_context(request):
        send()
