"""Passwords: who has one, and those a hasher refuses, which are wrong after the time a wrong one takes."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.utils.crypto import get_random_string

# All that bcrypt hashes. bcrypt 5 refuses more with a ValueError, where releases before it ignored the rest.
BCRYPT_BYTES: Final = 72
# As long as what Django hashes where there is no password to compare with.
_STAND_IN: Final = 40


def has_password(user: AbstractBaseUser) -> bool:
    """Return whether a user has a password here: Django takes a missing one for usable."""
    return bool(user.password) and user.has_usable_password()


def is_right(check: Callable[[Any], bool], password: str | None) -> bool:
    """Return what `check` says of the password, or False if it is too long for its hasher."""
    try:
        return bool(check(password))
    except ValueError:
        if not is_too_long(password):
            raise
        spend_time(password)
        return False


def spend_time(password: str | None) -> None:
    """Take as long as to check a password, where there is none to compare with."""
    if is_too_long(password):
        password = get_random_string(_STAND_IN)
    user: Any = get_user_model()()
    user.set_password(password)


def is_too_long(password: str | None) -> bool:
    """Return whether there is a hasher that does not take all of this password."""
    return password is not None and len(password.encode()) > BCRYPT_BYTES
