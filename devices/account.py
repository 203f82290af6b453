"""The public functions for code that changes accounts: passwords, addresses, sign-in methods, recovery.

They take users, not requests, and are light enough to be imported by the module of a user model.
docs/public-api.md has an example.
"""

from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser

from .core import sessions
from .core.notifications import outbox
from .core.notifications.outbox import tell_staff_changed as notify_method_changed_by_staff
from .core.notifications.review_links import page as get_page_url
from .core.second_factor import required_of as has_second_factor
from .core.sessions import account_recovered
from .core.sessions import check_password as verify_password
from .core.sessions import recheck as require_active
from .core.sessions import revoke_all_as_unknown as end_unproved_sessions
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


def account_changed(user: AbstractBaseUser) -> None:
    """End the sessions that a changed account ends: all if it is inactive, else those of another password.

    Saving the user does this. Call it after `QuerySet.update()`, with the user as it is now.
    """
    sessions.account_changed(user, has_new_password=True)


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
