"""How things are hashed: SHA-256 over JSON in one form. Without Django, so that LOGGING may load it."""

import hashlib
import json
from typing import Any, Final

# What the first of a chain has for the hash before it.
BEGINNING: Final = "0" * 64


def digest(value: Any) -> str:
    """The hash of what JSON holds, in hexadecimal; the same whatever the order of the keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
