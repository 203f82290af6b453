"""Replaces `user.check_password()`, unless the user model overrides it."""

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from .core import logins, sessions, throttling
from .http import current_client, is_answering, wrong_guesses


def adopt() -> None:
    """Give the user model our methods in place of Django's.

    Those end all sessions when they merely hash a password anew, and count no guesses.
    """
    model: Any = get_user_model()
    for ours in (check_password, acheck_password):
        stock = getattr(AbstractBaseUser, ours.__name__)
        if getattr(model, ours.__name__, None) is stock:
            setattr(model, ours.__name__, ours)


def check_password(user: AbstractBaseUser, raw_password: str | None) -> bool:
    """As Django's; hashing anew keeps the sessions, and within a request it counts as an attempt.

    So does any view that asks for the current password. The same guess again in the same request counts no
    more. Raises TooManyAttempts, a ValidationError.
    """
    guess = (logins.username_of(user).casefold(), raw_password)
    is_counted = throttling.is_counted() or guess in wrong_guesses()
    if is_counted or not is_answering() or user.pk is None:
        return sessions.check_password(user, raw_password)
    attempt = throttling.begin(logins.username_of(user), current_client())
    is_right = sessions.check_password(user, raw_password)
    if is_right:
        attempt.succeeded()
    else:
        attempt.failed()
        # Who asks for it signs nobody in by it.
        wrong_guesses()[guess] = None
    return is_right


async def acheck_password(user: AbstractBaseUser, raw_password: str | None) -> bool:
    """Do the same as `check_password`, in async code."""
    return await sync_to_async(check_password)(user, raw_password)
