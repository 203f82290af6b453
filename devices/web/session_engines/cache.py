"""Django's `cache`, signed in only while the DeviceSession is active."""

from django.contrib.sessions.backends import cache

from devices.web.session_store import DeviceSessionStore


class SessionStore(DeviceSessionStore, cache.SessionStore):
    """Sessions that Django's own engine has stored are read, too: name and salt are the same."""
