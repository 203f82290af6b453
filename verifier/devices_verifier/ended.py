"""The ended sessions whose tokens may not have expired yet: exact, and bounded."""

from collections.abc import Mapping


class Ended:
    """Read by any thread, changed by one."""

    def __init__(self, limit: int) -> None:
        self._until: dict[str, float] = {}
        self._limit = limit
        # The end of the last one that found no room: until then the set is not whole.
        self.incomplete_until = 0.0

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._until

    def add(self, ended: Mapping[str, float], now: float) -> None:
        """Add ended sessions with the expiry of their last token, in seconds since the epoch."""
        self._drop_expired(now)
        for session_id, until in ended.items():
            if until <= now:
                continue
            if len(self._until) >= self._limit and session_id not in self._until:
                self.incomplete_until = max(self.incomplete_until, until)
                continue
            # Behind all others, so that the order stays that of the ends, nearly.
            self._until.pop(session_id, None)
            self._until[session_id] = until

    def _drop_expired(self, now: float) -> None:
        past = []
        for session_id, until in self._until.items():
            if until > now:
                break
            past.append(session_id)
        for session_id in past:
            del self._until[session_id]
