"""How long ago something was, on a machine that may sleep."""

import math
import time
from typing import Final, NamedTuple, Self


class Moment(NamedTuple):
    """A moment by two clocks: the monotonic one stands still in sleep, and the wall clock can be set back."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """Return the present moment."""
        return cls(time.monotonic(), time.time())

    def age(self) -> float:
        """Return the seconds since then, by the clock that has gone further."""
        return max(time.monotonic() - self.monotonic, time.time() - self.wall)


NEVER: Final = Moment(-math.inf, -math.inf)
