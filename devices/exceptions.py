"""Errors by name, each with a `code`, a `message` and an HTTP `status`. Layer 0: raised by core.

`devices.api.errors.exception_handler` answers them in DRF views, and
`devices.shortcuts.error_response` elsewhere.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

# Seconds after which to ask again what is not available. Few: some clients wait as long as they are told.
RETRY_AFTER: Final = 5


class DevicesError(Exception):
    """Base of the errors of this app; `code` is part of the contract with clients."""

    code: str = "error"
    message: Any = _("The request was refused.")
    # The status of the HTTP response.
    status: int = 400

    def __str__(self) -> str:
        return super().__str__() or str(self.message)

    @property
    def extensions(self) -> dict[str, Any]:
        """What graphql-core adds to its own error when a resolver raises this one."""
        return {"code": self.code}


class KeysUnavailable(DevicesError):
    """The keys that sign tokens cannot be read or used. The log says why; clients do not learn it."""

    code = "unavailable"
    message = _("The service is not available just now. Try again.")
    status = 503


class TooEarly(DevicesError):
    """The request came before TLS was sure that nobody repeats it (RFC 8470). Its client sends it again."""

    code = "too_early"
    message = _("The request came too early. Send it again.")
    status = 425


class SessionError(DevicesError):
    """The caller cannot use this session."""

    code = "token_not_valid"
    message = _("Token is invalid or expired.")
    status = 401
    # What the answer says besides.
    details: Mapping[str, str] = MappingProxyType({})

    @property
    def extensions(self) -> dict[str, Any]:
        """The code, and what the answer says besides."""
        return {**super().extensions, **self.details}


class TokenNotValid(SessionError):
    """No such session, or the token is none of ours."""


class SessionRevoked(SessionError):
    """The session was ended, or its account is inactive."""

    code = "session_revoked"
    message = _("This session was signed out.")


class SessionExpired(SessionError):
    """The session has passed its idle or absolute limit."""

    code = "session_expired"
    message = _("This session has expired.")


class SessionUnverified(SessionError):
    """Whether the session is active could not be found out for too long."""

    code = "unavailable"
    message = _("The service is not available just now. Try again.")
    status = 503


class RefreshReused(SessionError):
    """A used refresh token was sent again; its session was ended."""

    code = "refresh_reused"
    message = _("This refresh token was used before. The session was signed out.")


class SessionRequired(SessionError):
    """Somebody was let in by another way than a session, and this needs one."""

    code = "session_required"
    message = _("Sign in to do this.")


class BindingRequired(SessionError):
    """The session is bound to a key, and this came without a proof of it. The session continues."""

    code = "binding_required"
    message = _(
        "This browser did not prove that it is the one you signed in with. Load the page again, or sign in."
    )


class AccountNotActive(SessionError):
    """The account was deactivated or its password changed between the proof and the session; or SimpleJWT's
    USER_AUTHENTICATION_RULE says no."""

    code = "no_active_account"
    message = _("No active account found with the given credentials")


class OtpRequired(SessionError):
    """What was proved is not enough for this account: it has a second factor."""

    code = "otp_required"
    message = _("Give a code of your second factor, too.")


class OtpInvalid(SessionError):
    """The code of the second factor is wrong, or was used before."""

    code = "otp_invalid"
    message = _("This code is wrong, or was used before.")


class DeviceCodeRequired(SessionError):
    """The password was right, and the device is new: it waits for the code that was sent by mail.

    `challenge` names what waits; the code is shown with it.
    """

    code = "device_code_required"
    message = _("This device is new. We have sent you a code by mail: give it, too.")

    def __init__(self, challenge: str = "", pending: Any = None) -> None:
        super().__init__()
        self.details = {"challenge": challenge}
        # What is written of it, for who has to write it again (`core.device_codes.keep`).
        self.pending = pending


class DeviceCodeInvalid(SessionError):
    """The code for a new device is wrong, used or too old."""

    code = "device_code_invalid"
    message = _(
        "This code is wrong, was used before, or has expired. Sign in again on this device to get another."
    )


class PasswordNotSet(SessionError):
    """A password was given as a proof for an account that has none, and no second factor either."""

    code = "password_not_set"
    message = _(
        "This account has no password. Confirm in another way, such as a code by email, or sign in again."
    )


class EmailNotVerified(SessionError):
    """For sites that require a verified address: raised by `admit` of their serializer."""

    code = "email_not_verified"
    message = _("Follow the link in the mail that we sent you, then sign in.")


class Impersonated(SessionError):
    """Somebody is signed in on the user's behalf: what proves who one is, is for the user alone."""

    code = "impersonated"
    message = _("You are acting for somebody else. Only they can do this.")


class OutOfReach(SessionError):
    """Somebody wants to sign in on behalf of a user who has rights that they have not."""

    code = "out_of_reach"
    message = _("This account has permissions that you do not have.")


class LoginTooStrange(SessionError):
    """The proof was right, but the login too unlike its owner; they are told by mail, and can say yes."""

    code = "login_suspicious"
    message = _("This sign-in is unusual for you, so it was refused. We sent you a mail about it.")


class TooManySessions(SessionError):
    """The account has as many sessions as its policy allows, and none is ended for another."""

    code = "too_many_sessions"
    message = _("You are signed in on too many devices. Sign out on one of them first.")
    status = 403


class SessionDoubted(SessionError):
    """The sign-in was unusual, so the password alone does not confirm the session any more."""

    code = "session_doubted"
    message = _(
        "This sign-in was unusual, so your password is not enough. Answer the mail that we sent you, "
        "or approve this sign-in on another of your devices."
    )


class DPoPError(SessionError):
    """What a request shows of its key is not enough: the errors of RFC 9449.

    `reason` is a short code for logs; `error` is what `WWW-Authenticate` says.
    """

    error = "invalid_dpop_proof"
    # 400 where tokens are given out (RFC 9449 §5).
    status = 401

    def __init__(self, reason: str = "", description: str = "", *, by_holder: bool = False) -> None:
        super().__init__()
        self.reason = reason
        self.description = description
        # Whether the key itself was shown: then it is a fault of the client, and not somebody with a copy.
        self.by_holder = by_holder


class InvalidDPoPProof(DPoPError):
    """The DPoP proof is missing, or does not fit the request."""

    code = "invalid_dpop_proof"
    message = _("The DPoP proof is missing, or does not fit this request.")


class DPoPNonceRequired(DPoPError):
    """A proof has to have the nonce in it that comes with this answer."""

    error = code = "use_dpop_nonce"
    message = _("Sign the nonce of this answer into the DPoP proof, and try again.")


class KeyNotProved(DPoPError):
    """The token is bound to a key, and came without a proof of it: somebody has a copy."""

    error = "invalid_token"
    message = _("This token is bound to a key. Send it with a DPoP proof of that key.")


class ConfirmationRequired(SessionError):
    """The caller's last proof of identity is too old for this step (RFC 9470)."""

    code = "insufficient_user_authentication"
    message = _("Confirm that it is you, then try again.")

    def __init__(self, max_age: timedelta | None = None) -> None:
        super().__init__()
        # The greatest age that a proof may have here. None: there is no limit, but the session is doubted.
        self.max_age = max_age


class CsrfFailed(DevicesError):
    """A request that a cookie authenticates may come from another site."""

    code = "csrf_failed"
    message = _("CSRF check failed.")
    status = 403


class ReviewLinkInvalid(DevicesError):
    """A link "was this you?" that was not made here."""

    code = "review_link_invalid"
    message = _("This link is not valid.")
    status = 404


class ReviewLinkExpired(ReviewLinkInvalid):
    """One that was, too long ago."""

    code = "review_link_expired"
    message = _("This link has expired.")
    status = 410


class ReviewLinkSpent(ReviewLinkInvalid):
    """One whose question has been answered, or whose session is not kept any more."""

    code = "review_link_spent"
    message = _("This link was used before.")
    status = 410


class TooManyAttempts(ValidationError):
    """Tried too often, a password or a code. A ValidationError, so that any form shows it as its own."""

    code: str = "throttled"
    status = 429

    def __init__(self, retry_after: int) -> None:
        words = _("Too many attempts. Try again in %(time)s.")
        # Complete, since graphql-core shows `message` as it is.
        super().__init__(words % {"time": in_words(retry_after)}, code=self.code)
        # Seconds until another attempt has a chance.
        self.retry_after = retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        """What graphql-core adds to its own error when a resolver raises this one."""
        return {"code": self.code, "retry_after": self.retry_after}


def in_words(seconds: int) -> str:
    """Return a time to wait as text, in the active language, and never shorter than it is."""
    if seconds < 120:
        return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}
    minutes = math.ceil(seconds / 60)
    if minutes < 120:
        return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
    hours = math.ceil(seconds / 3600)
    return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
