"""Django's `cached_db`, signed in only while the DeviceSession is active.

While the cache does not answer, the database does. Django's own engine then answers 500.
"""

from django.conf import settings
from django.contrib.sessions.backends import cached_db
from django.core.cache import caches

from devices.web.session_cache import SessionCache
from devices.web.session_store import DeviceSessionStore


class SessionStore(DeviceSessionStore, cached_db.SessionStore):
    """Sessions that Django's own engine has stored are read, too: name and salt are the same."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = SessionCache(caches[settings.SESSION_CACHE_ALIAS], is_needed=False)
