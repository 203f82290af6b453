"""The public functions by which staff sign in on a user's behalf. See docs/impersonation.md."""

from django.contrib.auth.models import AbstractBaseUser

from .core.staff import accounts
from .shortcuts import (
    AnyRequest,
    Tokens,
    get_client,
    get_session,
    issue_tokens,
    require_confirmation,
)
from .web.impersonation import impersonate, stop_impersonating

__all__ = ["impersonate", "start_impersonation", "stop_impersonating"]


def start_impersonation(request: AnyRequest, user: AbstractBaseUser, *, reason: str) -> Tokens:
    """Start a session on behalf of a user for the API, and return its tokens. The caller's session goes on.

    Whether the caller may act on somebody's behalf is for your view to ask; that the user is within their
    reach, and that they proved lately who they are, is asked here. The claim `act` of the tokens names the
    caller (RFC 8693 §4.1).

    Args:
        request: the caller's, authenticated by token or cookie.
        user: on whose behalf.
        reason: kept in the log, for staff.

    Raises:
        ValueError: there is no reason.
        SessionRequired: the request has no session.
        ConfirmationRequired: the caller's last proof is too old; that of somebody who acts for others always.
        OutOfReach: the user has rights that the caller has not.
        AccountNotActive: one of the two accounts is not active.
    """
    if not reason.strip():
        raise ValueError("A reason is required.")
    require_confirmation(request)
    by = get_session(request)
    assert by is not None
    return issue_tokens(accounts.begin_impersonation(by, user, get_client(request), note=reason))
