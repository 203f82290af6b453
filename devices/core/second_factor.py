"""The second factor of those who have one. What a factor is, the host project says: SECOND_FACTOR."""

from functools import cache
from typing import Any, Final, Protocol

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from devices.conf import conf
from devices.core import logins, throttling
from devices.core.clients.client import Client
from devices.exceptions import OtpInvalid, OtpRequired, TooManyAttempts

from .log import security_log
from .log.security_log import Event


class SecondFactor(Protocol):
    """What the class named by SECOND_FACTOR has to offer."""

    def has(self, user: AbstractBaseUser) -> bool:
        """Whether this user has to show a second factor."""

    def verify(self, user: AbstractBaseUser, code: str) -> str | None:
        """Which factor of the user this code is of ("totp"), or None. It uses the code up.

        Of any number of requests at once with the same code, one gets an answer; what it writes has to be
        committed with it.
        """


# What a backend calls a factor that replaces a lost one. Whoever shows it may have found it, so that no
# device becomes trusted by it.
RECOVERY: Final = "recovery_codes"


@cache
def _backend(path: str) -> SecondFactor:
    backend: SecondFactor = import_string(path)()
    return backend


def known(users: QuerySet[Any]) -> QuerySet[Any]:
    """The same users, each with the answer to `required_of`, if the host project's backend can join it.

    A backend may have `annotate(users)`; then asking costs no query of its own.
    """
    annotate = conf.SECOND_FACTOR and getattr(_backend(conf.SECOND_FACTOR), "annotate", None)
    return annotate(users) if annotate else users


def required_of(user: AbstractBaseUser) -> bool:
    """Return whether the user has to show a second factor (SECOND_FACTOR)."""
    return conf.SECOND_FACTOR is not None and _backend(conf.SECOND_FACTOR).has(user)


def stamp(user: AbstractBaseUser) -> str:
    """A mark that changes with the user's factors, of at most 64 characters; "" if the backend has none."""
    of = conf.SECOND_FACTOR and getattr(_backend(conf.SECOND_FACTOR), "stamp", None)
    return str(of(user)) if of else ""


def demand(user: AbstractBaseUser, code: str, client: Client) -> str:
    """Ask a user who has proved the first factor for the second: which one was shown; "" if there is none.

    Raises OtpRequired, OtpInvalid or TooManyAttempts.
    """
    if not required_of(user):
        return ""
    if not code:
        raise OtpRequired
    return prove(user, code, client)


def begin_attempt(user: AbstractBaseUser, client: Client) -> throttling.Attempt:
    """Count an attempt at a code of the user. Raises TooManyAttempts."""
    try:
        return throttling.begin_code(logins.username_of(user), client)
    except TooManyAttempts:
        security_log.log(Event.OTP_BLOCKED, user_id=user.pk, client=client)
        raise


def prove(user: AbstractBaseUser, code: str, client: Client) -> str:
    """Use up a code of the user's second factor; which factor it is of.

    It counts as an attempt, in a count of its own: a right password does not give the codes back that were
    tried, nor does asking for one take any. Raises OtpInvalid or TooManyAttempts.
    """
    if conf.SECOND_FACTOR is None:
        raise OtpInvalid
    attempt = begin_attempt(user, client)
    factor = _backend(conf.SECOND_FACTOR).verify(user, code)
    if factor is None:
        attempt.failed()
        security_log.log(Event.OTP_FAILED, user_id=user.pk, client=client)
        raise OtpInvalid
    attempt.succeeded()
    security_log.log(Event.OTP_SUCCEEDED, user_id=user.pk, client=client, factor=factor)
    return factor
