"""Signals for host projects, sent after commit. Only defined here, never listened to. See docs/signals.md."""

from django.dispatch import Signal

# session: DeviceSession
session_started = Signal()
# session: DeviceSession, reason: str
session_revoked = Signal()
# user: AbstractBaseUser, reason: str
all_sessions_revoked = Signal()
# session: DeviceSession
refresh_reused = Signal()
# session: DeviceSession, level: str, score: int, reasons: list[dict[str, Any]]
suspicious_login = Signal()
# session: DeviceSession
device_first_seen = Signal()
