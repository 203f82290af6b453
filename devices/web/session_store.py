"""Cookie sessions of Django that are signed in only while their DeviceSession is active.

Django's own session is a row, or an entry of a cache, of its own. Whoever reads it without DeviceMiddleware
takes it for signed in: Channels at a WebSocket, allauth by `X-Session-Token` and in its JWTs, a task.
The engines in `session_engines` ask before they hand it out.
"""

from itertools import chain
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from devices.core import sessions
from devices.exceptions import SessionError
from devices.http import current_client
from devices.models import DeviceSession

# In `request.session`: the ID, which alone grants no access.
ID: Final = "device_session"


class DeviceSessionStore(SessionBase):
    """Mixin for a SessionStore: put it before the class of Django's, and name the module as SESSION_ENGINE.

    A cookie session whose DeviceSession is not active is deleted and loaded as one that does not exist, with
    all that other packages keep in it about the login. One that nobody is signed in to is left alone.
    """

    # The DeviceSession that a load found, or that the caller has found just before.
    device_session: DeviceSession | None = None
    # Why a load found nobody signed in, for the message to the user.
    refusal: SessionError | None = None

    def load(self) -> dict[str, Any]:
        return self._admit(super().load())

    async def aload(self) -> dict[str, Any]:
        data: dict[str, Any] = await super().aload()
        return await sync_to_async(self._admit)(data) if SESSION_KEY in data else data

    def take_device_session(self) -> DeviceSession | None:
        """Return the DeviceSession that the load found, once: the next call asks the database."""
        found, self.device_session = self.device_session, None
        return found if found is not None and self.get(ID) == str(found.pk) else None

    def _admit(self, data: dict[str, Any]) -> dict[str, Any]:
        if SESSION_KEY not in data:
            return data
        known = self.device_session
        if known is None or data.get(ID) != str(known.pk):
            try:
                known = self.device_session = sessions.authenticate_cookie(
                    data[SESSION_KEY], data.get(ID), current_client
                )
            except SessionError as error:
                self.refusal = error
                self.delete()
                # As Django has it for a session that is not there: the key names nothing any more.
                self._session_key = None
                return {}
        _renew_digest(data, known.user)
        return data


def _renew_digest(data: dict[str, Any], user: Any) -> None:
    """Let those who compare Django's digest of the password agree that the session goes on.

    It is another after a new SECRET_KEY, or if the same password was hashed anew. Channels, for one, then
    deletes the session.
    """
    is_good = has_djangos_digest(user) or has_digest_of(data, user)
    if is_good and hasattr(user, "get_session_auth_hash"):
        data[HASH_SESSION_KEY] = user.get_session_auth_hash()


def has_djangos_digest(user: Any) -> bool:
    """Whether the digest of this user's sessions is Django's, which is one of the password alone."""
    ours = getattr(user.__class__, "get_session_auth_hash", None)
    return ours is AbstractBaseUser.get_session_auth_hash


def has_digest_of(store: SessionBase | dict[str, Any], user: Any) -> bool:
    """Whether Django would take the cookie session for one under the user's present password."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    given = store.get(HASH_SESSION_KEY, "")
    # By SECRET_KEY_FALLBACKS, too, as Django does; these only if the first is another.
    good = chain([user.get_session_auth_hash()], user.get_session_auth_fallback_hash())
    return any(constant_time_compare(given, each) for each in good)
