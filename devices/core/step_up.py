"""Proving again who one is, before a step that a stolen token must not take (RFC 9470)."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.utils import timezone

from devices.conf import conf
from devices.exceptions import Impersonated, OtpRequired, PasswordNotSet, SessionDoubted
from devices.models import DeviceSession

from . import hashing, logins, second_factor, sessions, throttling
from .clients.client import Client


class MissingProof(StrEnum):
    """What a session has to prove before a sensitive step. See `missing_proof`."""

    # Any recent proof: the password, or a new sign-in.
    RECENT = "recent"
    # A code of the second factor, or a passkey.
    SECOND_FACTOR = "second_factor"
    # The owner's word that the sign-in was theirs. The password proves nothing here.
    APPROVAL = "approval"
    # Nothing that could be given here: somebody is signed in on the owner's behalf.
    OWNER = "owner"


def missing_proof(session: DeviceSession, within: timedelta | None = None) -> MissingProof | None:
    """Return the proof that a session still owes before a sensitive step, or None if it owes none.

    This is the one rule of step-up authentication (RFC 9470; ASVS 7.5.1 to 7.5.3). Every door calls it
    before it ends other sessions, changes a sign-in method, or gives rights: the API, the pages, the admin
    and the accounts app. A door only decides how to ask for what is missing.

    `within` is the greatest age of the proof; None means STEP_UP_MAX_AGE, which may be None, too: then a
    proof never gets too old. The answers are:

    - OWNER: somebody is signed in on the user's behalf (`sessions.start_impersonated`). Whatever they prove,
      it is not that they are the user.
    - SECOND_FACTOR: the user has a second factor, and the session did not show it recently, or the session
      is doubted (`reauth_required_since`). `confirm_by_code` gives it.
    - APPROVAL: the session is doubted, and the user has no second factor. Whoever holds a doubted session
      knows the password already, so another password does not help. The owner approves the session by the
      link in the mail, or from another session that owes nothing (`sessions.review`). Doubt counts whatever
      the age limit is, also where STEP_UP_MAX_AGE is None.
    - RECENT: the last proof is too old. `confirm_by_password` or a new sign-in gives it.

    It costs at most one query, the one that looks for a second factor, and none for a recent code.
    """
    if session.is_impersonated:
        return MissingProof.OWNER
    if session.reauth_required_since is not None:
        if second_factor.required_of(session.user):
            return MissingProof.SECOND_FACTOR
        return MissingProof.APPROVAL
    max_age = within if within is not None else conf.STEP_UP_MAX_AGE
    if max_age is None or _is_recent(session.mfa_at, max_age):
        return None
    if second_factor.required_of(session.user):
        return MissingProof.SECOND_FACTOR
    return None if _is_recent(session.authenticated_at, max_age) else MissingProof.RECENT


def _is_recent(proved_at: datetime | None, max_age: timedelta) -> bool:
    """Whether a proof is at most this old. A clock that was put back must not prolong it."""
    return proved_at is not None and abs(timezone.now() - proved_at) <= max_age


def confirm_by_password(session: DeviceSession, password: str, client: Client) -> bool:
    """Take a password as a new proof; False if it is wrong.

    It counts as an attempt at the account. Raises OtpRequired if the user has a second factor,
    PasswordNotSet if they have neither that nor a password, SessionDoubted if the session is doubted, since
    the password was proved by its sign-in already, Impersonated if somebody else is signed in on the user's
    behalf, TooManyAttempts, or SessionRevoked if the session has ended meanwhile.
    """
    if session.is_impersonated:
        raise Impersonated
    user = session.user
    if second_factor.required_of(user):
        raise OtpRequired
    if not hashing.has_password(user):
        raise PasswordNotSet
    if session.reauth_required_since is not None:
        raise SessionDoubted
    attempt = throttling.begin(logins.username_of(user), client)
    with throttling.counted():
        is_right = user.check_password(password)
    if not is_right:
        attempt.failed()
        return False
    attempt.succeeded()
    sessions.confirm(session, client, method="password")
    return True


def confirm_by_code(session: DeviceSession, code: str, client: Client) -> None:
    """Take a code of the second factor as a new proof.

    Raises OtpInvalid, TooManyAttempts, Impersonated, or SessionRevoked if the session has ended meanwhile.
    """
    if session.is_impersonated:
        raise Impersonated
    factor = second_factor.prove(session.user, code, client)
    sessions.confirm(session, client, method=factor, mfa=True)


def fresh_until(session: DeviceSession) -> datetime:
    """Until when no step needs another proof."""
    if conf.STEP_UP_MAX_AGE is None:
        return session.expires_at
    return session.authenticated_at + conf.STEP_UP_MAX_AGE
