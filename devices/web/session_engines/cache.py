"""Django's `cache`, signed in only while the DeviceSession is active.

While the cache does not answer, an OperationalError is raised, and nobody is signed out. Django's own engine
takes it for sessions that are not there, and its middleware then deletes the cookies.
"""

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import cache
from django.core.cache import caches

from devices.web.session_cache import SessionCache
from devices.web.session_store import DeviceSessionStore


class _Store(cache.SessionStore):
    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = SessionCache(caches[settings.SESSION_CACHE_ALIAS], is_needed=True)

    def load(self) -> dict[str, Any]:
        return self._found(self._cache.get(self.cache_key))

    async def aload(self) -> dict[str, Any]:
        return self._found(await self._cache.aget(await self.acache_key()))

    def _found(self, data: dict[str, Any] | None) -> dict[str, Any]:
        if data is None:
            self._session_key = None
        return data or {}


class SessionStore(DeviceSessionStore, _Store):
    """Sessions that Django's own engine has stored are read, too: name and salt are the same."""
