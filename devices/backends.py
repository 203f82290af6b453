"""Checks passwords for `django.contrib.auth.authenticate`, with login throttling."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from devices.exceptions import TooManyAttempts
from devices.http import (
    WrongGuess,
    get_login_client,
    note_wrong,
    plain_request,
    wrong_guesses,
)

from .core import hashing, logins, throttling
from .core.clients.client import Client
from .core.log import security_log
from .core.log.security_log import Event


def is_text(value: str) -> bool:
    """Whether it can be written down: JSON lets half a character through."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _note_proof(request: Any, user_id: Any) -> None:
    # For who asks whether a login is one on somebody's behalf (`devices.web.impersonation`).
    request.proved_user_id = user_id
    # Whose browser it was ends where another signs in, and Django's `login` empties the cookie session. For
    # views of Django REST framework DeviceMiddleware has not asked yet, and they replace `request.user`.
    if settings.SESSION_COOKIE_NAME in request.COOKIES and hasattr(request, "cookie_user"):
        bool(request.cookie_user.is_authenticated)


class LimitedModelBackend(ModelBackend):
    """Django's ModelBackend with login throttling (`core.throttling`), for API, admin and pages."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """The user of these credentials, or None. Raises TooManyAttempts."""
        if username is None:
            username = kwargs.get(get_user_model().USERNAME_FIELD)
        # An empty form is no guess either: by one, django-passkeys' backend knows that a passkey was used.
        # All of them would share the attempts of one account.
        if username in (None, "") or not password:
            return None
        if not (is_text(str(username)) and is_text(password)):
            # Nobody's, and nothing that could be hashed.
            return None
        client = get_login_client(request) if request is not None else Client()
        user = self._find(username)
        # A manager may find somebody by many spellings, which share the attempts.
        login = logins.folded(str(username)) if user is None else logins.username_of(user)
        guess = (login.casefold(), password)
        try:
            # Another backend may have compared it, by `devices.passwords`, which counted it.
            attempt = None if guess in wrong_guesses() else throttling.begin(login, client)
        except TooManyAttempts:
            security_log.log(Event.LOGIN_BLOCKED, user_id=user and user.pk, client=client)
            raise
        if user is None:
            # As dear as checking, so that time does not tell whether there is such a user.
            hashing.spend_time(password)
            is_right = False
        else:
            with throttling.counted():
                is_right = hashing.is_right(user.check_password, password)
        if is_right and self.user_can_authenticate(user):
            if attempt is not None:
                attempt.succeeded()
            # There is none, or it is of another framework and takes no attributes, as django-bolt's.
            if request is not None and hasattr(request, "COOKIES"):
                _note_proof(plain_request(request), user.pk)
            security_log.log(Event.LOGIN_SUCCEEDED, user_id=user.pk, client=client)
            return user
        if attempt is not None:
            attempt.failed(is_unknown=user is None)
        note_wrong(guess, WrongGuess(attempt, user and user.pk, client))
        return None

    async def aauthenticate(self, *args: Any, **kwargs: Any) -> Any:
        """As `authenticate`: ModelBackend has an asynchronous one of its own, which counts nothing."""
        return await sync_to_async(self.authenticate)(*args, **kwargs)

    def _find(self, username: str) -> Any:
        try:
            return get_user_model()._default_manager.get_by_natural_key(username)
        except (get_user_model().DoesNotExist, ValueError, ValidationError, OverflowError):
            # The field may be a number or a UUID, and this may be none.
            return None
