"""How a chain hashes, and its end as a line of text, to be stored out of reach of the log's writers.

Without Django, so that LOGGING may load it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

_LINE: Final = re.compile(
    r"devices-checkpoint chain=(?P<chain>[\w-]{1,64}) number=(?P<number>\d{1,18}) at=(?P<at>\S{1,64})"
    r" hash=(?P<hash>[0-9a-f]{64})"
)
# The name of the chain in the database.
DATABASE: Final = "activity"
# What the first of a chain has for the hash before it.
BEGINNING: Final = "0" * 64


class Checkpoint(NamedTuple):
    """How far a chain went at some time, and the hash of its last link."""

    chain: str
    number: int
    # When that was, in ISO 8601.
    at: str
    hash: str

    def __str__(self) -> str:
        return (
            f"devices-checkpoint chain={self.chain} number={self.number} at={self.at}"
            f" hash={self.hash}"
        )


def digest(value: Any) -> str:
    """SHA-256 of what JSON holds, in hexadecimal; the same whatever the order of the keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def time_of(line: Mapping[str, Any]) -> str:
    """When a line of the security log was written, as a checkpoint says it; "-" if that is not said."""
    said = str(line.get("time", "-")).replace(" ", "T")
    return said if re.fullmatch(r"\S{1,64}", said) else "-"


def is_whole(checkpoint: Checkpoint) -> bool:
    """Whether this is written as one line and read as the same: its names may be a stranger's."""
    return _LINE.fullmatch(str(checkpoint)) is not None


def parse(lines: Iterable[str]) -> list[Checkpoint]:
    """The checkpoints in a text; other lines are ignored. Raises ValueError for a malformed one."""
    found = []
    for line in lines:
        line = line.strip()
        if not line.startswith("devices-checkpoint"):
            continue
        if not (parts := _LINE.fullmatch(line)):
            raise ValueError(f"No checkpoint: {line:.200}")
        found.append(Checkpoint(parts["chain"], int(parts["number"]), parts["at"], parts["hash"]))
    return found
