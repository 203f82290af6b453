"""Django's `cached_db`, signed in only while the DeviceSession is active."""

from django.contrib.sessions.backends import cached_db

from devices.web.session_store import DeviceSessionStore


class SessionStore(DeviceSessionStore, cached_db.SessionStore):
    """Sessions that Django's own engine has stored are read, too: name and salt are the same."""
