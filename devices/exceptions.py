"""What can be wrong with a session, by name. Floor 0: raised by core, turned into answers by the doors."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class SessionError(Exception):
    """The caller cannot go on with this session; `code` is part of the contract with clients."""

    code = "token_not_valid"
    message = _("Token is invalid or expired.")


class TokenNotValid(SessionError):
    """No such session, or the token is none of ours."""


class SessionRevoked(SessionError):
    code = "session_revoked"
    message = _("This session was signed out.")


class SessionExpired(SessionError):
    code = "session_expired"
    message = _("This session has expired.")


class RefreshReused(SessionError):
    code = "refresh_reused"
    message = _("This refresh token was used before. The session was signed out.")


class SessionRequired(SessionError):
    """Somebody was let in by another way than a session, and this needs one."""

    code = "session_required"
    message = _("Sign in to do this.")


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
    code = "otp_invalid"
    message = _("This code is wrong, or was used before.")


class PasswordNotSet(SessionError):
    """A password was given as a proof for an account that has none, and no second factor either."""

    code = "password_not_set"
    message = _(
        "This account has no password. Confirm in another way, such as a code by email, or sign in again."
    )


class EmailNotVerified(SessionError):
    """For sites that let nobody in before: raised by the `admit` of their serializer."""

    code = "email_not_verified"
    message = _("Follow the link in the mail that we sent you, then sign in.")


class Impersonated(SessionError):
    """Somebody is signed in on the user's behalf: what proves who one is, is for the user alone."""

    code = "impersonated"
    message = _("You are signed in on somebody’s behalf. This step is theirs alone.")


class OutOfReach(SessionError):
    """Somebody wants to sign in on behalf of a user who has rights that they have not."""

    code = "out_of_reach"
    message = _("This account has rights that you have not.")


class LoginTooStrange(SessionError):
    """The proof was right, but the login too unlike its owner; they are told by mail, and can say yes."""

    code = "login_suspicious"
    message = _(
        "This sign-in is unlike your others, so it was refused. We sent you a mail about it."
    )


class SessionDoubted(SessionError):
    """The sign-in was unusual, so the password alone does not confirm the session any more."""

    code = "session_doubted"
    message = _(
        "This sign-in was unusual, so your password is not enough. Answer the mail that we sent you, "
        "or approve this sign-in on another of your devices."
    )


class ReviewLinkInvalid(Exception):
    """A link "was this you?" that was not made here."""


class ReviewLinkExpired(ReviewLinkInvalid):
    """One that was, too long ago."""


class ReviewLinkSpent(ReviewLinkInvalid):
    """One whose question has been answered, or whose session is not kept any more."""


class TooManyAttempts(ValidationError):
    """Tried too often, a password or a code. A ValidationError, so that any form shows it as its own."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(_("Too many attempts. Try again later."), code="throttled")
        # Seconds until another attempt has a chance.
        self.retry_after = retry_after
