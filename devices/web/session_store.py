"""Cookie sessions of Django that are signed in only while their DeviceSession is active.

Django's own session is a row, or an entry of a cache, of its own. Whoever reads it without DeviceMiddleware
takes it for signed in: Channels at a WebSocket, allauth by `X-Session-Token` and in its JWTs, a task.
The engines in `session_engines` ask before they hand it out.
"""

from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase

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
        if known is not None and data.get(ID) == str(known.pk):
            return data
        try:
            self.device_session = sessions.authenticate_cookie(
                data[SESSION_KEY], data.get(ID), current_client
            )
        except SessionError as error:
            self.refusal = error
            self.delete()
            # As Django has it for a session that is not there: the key names nothing any more.
            self._session_key = None
            return {}
        return data
