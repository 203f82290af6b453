"""Signals for host projects, sent after commit. Only defined here, never listened to."""

from django.dispatch import Signal

# session: DeviceSession
session_started = Signal()
# session: DeviceSession, reason: str
session_revoked = Signal()
# session: DeviceSession
refresh_reused = Signal()
