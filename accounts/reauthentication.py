"""How users confirm who they are on allauth's pages and at its endpoints for apps."""

from typing import Any

from allauth.account.internal.flows import reauthentication
from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from devices.account import has_second_factor


def method_of(user: AbstractBaseUser | AnonymousUser) -> str | None:
    """Return the one method, in allauth's words, that proves who this user is; None if there is none.

    A second factor ("mfa") proves more than a password, and a password more than a code by email ("code"). So
    who has one of them is never asked for less, and a mailbox that was taken over opens nothing that they
    protect (NIST SP 800-63B-4 §3.1.3.1: email is no authenticator). Who has neither confirms by a code that
    is sent to a verified address, and who has no such address signs in again.
    """
    if not user.is_authenticated:
        return None
    if has_second_factor(user):
        return "mfa"
    if user.has_usable_password():
        return "password"
    if EmailAddress.objects.filter(user_id=user.pk, verified=True).exists():
        return "code"
    return None


# Where allauth lists ways to confirm, each has an id.
METHOD_OF_ID = {
    "reauthenticate": "password",
    "reauthenticate_by_code": "code",
    "mfa_reauthenticate": "mfa",
}


def code_recipients(user: AbstractBaseUser) -> list[dict[str, str]]:
    """The verified addresses that a code may be sent to: none, if the user has a better method."""
    recipients: list[dict[str, str]] = _all_recipients(user)
    return recipients if method_of(user) == "code" else []


def flows(user: Any) -> list[dict[str, Any]]:
    """The ways to confirm that pages offer, and that apps are told of."""
    method = method_of(user)
    listed: list[dict[str, Any]] = _all_flows(user)
    return [flow for flow in listed if METHOD_OF_ID.get(flow["id"]) == method]


_all_recipients = reauthentication.get_reauthentication_code_recipients
_all_flows = reauthentication.get_reauthentication_flows


def take_over() -> None:
    """Have allauth's pages and its endpoints for apps ask here. Its adapter is asked by the pages only."""
    reauthentication.get_reauthentication_code_recipients = code_recipients
    reauthentication.get_reauthentication_flows = flows
