"""A second factor made of a list of codes, to see what the app does with one whatever it is."""

import threading
from typing import Any


class Codes:
    """SECOND_FACTOR = "tests.factor.Codes": who stands in `codes` has one, and these codes left."""

    codes: dict[Any, list[str]] = {}
    looked_at = 0
    _lock = threading.Lock()

    def has(self, user: Any) -> bool:
        return user.pk in self.codes

    def verify(self, user: Any, code: str) -> str | None:
        with self._lock:
            type(self).looked_at += 1
            if code not in self.codes.get(user.pk, ()):
                return None
            self.codes[user.pk].remove(code)
            return "codes"
