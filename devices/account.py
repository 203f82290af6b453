"""The public functions for code that changes accounts: passwords, addresses, sign-in methods, recovery.

They take users, not requests, and are light enough to be imported by the module of a user model.
docs/public-api.md has an example.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser

from .core import second_factor, sessions
from .core.clients.client import Client
from .core.notifications import outbox, review_links
from .models import DeviceSession

__all__ = [
    "NOTIFIED_AT_BOTH_ADDRESSES",
    "account_changed",
    "account_recovered",
    "end_unproved_sessions",
    "get_page_url",
    "has_second_factor",
    "notify_address_changed",
    "notify_method_added",
    "notify_method_changed_by_staff",
    "require_active",
    "verify_password",
]

# For so long after a change of address every e-mail goes to the former address, too.
NOTIFIED_AT_BOTH_ADDRESSES: Final = outbox.TOLD_TO_BOTH


def verify_password(user: AbstractBaseUser, password: str | None) -> bool:
    """Return whether this is the user's password, for `check_password` of a user model of your own.

    A password that is hashed anew by a better hasher then ends no session. It counts as no attempt; views use
    `devices.shortcuts.check_password`.
    """
    return sessions.check_password(user, password)


def has_second_factor(user: AbstractBaseUser) -> bool:
    """Return whether the user has to show a second factor (SECOND_FACTOR)."""
    return second_factor.required_of(user)


def account_changed(user: AbstractBaseUser) -> None:
    """End the sessions that a changed account ends: all if it is inactive, else those of another password.

    Saving the user does this. Call it after `QuerySet.update()`, with the user as it is now.
    """
    sessions.account_changed(user)


def require_active(session: DeviceSession) -> None:
    """Look once more whether the session of a request is active, before or after it changes the account.

    The session may have ended since the request was authenticated. Call it in the transaction of the change,
    or right after the change, to take that back. Raises SessionRevoked.
    """
    sessions.recheck(session)


def end_unproved_sessions(user: AbstractBaseUser) -> None:
    """End all sessions of an account that its owner has only now proved to be theirs, and learn from none.

    For the first verification of an address: somebody else may have registered it.
    """
    sessions.revoke_all_as_unknown(user)


def account_recovered(
    user: AbstractBaseUser, client: Client, *, address: str, displaced: Iterable[str]
) -> None:
    """End all sessions of an account that its owner has taken back; record it, and e-mail the owner.

    Call it in the transaction that restores the account.

    Args:
        user: the owner.
        client: who took it back, as `devices.shortcuts.get_client` returns it.
        address: the address that the account has from now on.
        displaced: the addresses of whoever had taken it, which get no further e-mails.
    """
    sessions.account_recovered(user, client, address=address, displaced=displaced)


def notify_address_changed(
    user_id: Any, before: str, now: str, session: DeviceSession | None = None
) -> None:
    """E-mail both addresses that the account has another one, in the transaction of the change.

    Saving the user does this. Call it after `QuerySet.update()`. `session` is where it was changed.
    """
    outbox.tell_address_changed(user_id, before, now, session.pk if session else None)


def notify_method_added(user_id: Any, method: str, session: DeviceSession | None = None) -> None:
    """E-mail the account's address that a sign-in method was added, in the transaction of the change.

    `method` is "address", "identity" or "factor"; `session` is where it was added.
    """
    outbox.tell_method_added(user_id, method, session.pk if session else None)


def notify_method_changed_by_staff(user_id: Any) -> None:
    """E-mail the account's address that staff change a sign-in method. Call it before the change."""
    outbox.tell_staff_changed(user_id)


def get_page_url(name: str) -> str:
    """Return the whole URL of the page of this name, for e-mails; "" if there is none, or no SITE_URL."""
    return review_links.page(name)
