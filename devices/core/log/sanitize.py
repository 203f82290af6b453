"""Text that people are shown in lists, mails and logs: what may not be in it."""

import unicodedata
from typing import Final

# Control characters, line and paragraph separators.
_CONTROLS: Final = {"Cc", "Zl", "Zp"}
# Embeddings, overrides and isolates: they turn the text around a name, not only the name.
_BIDI_CONTROLS: Final = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def has_controls(text: str) -> bool:
    """Whether something in it acts on the text around it, or is not seen at all."""
    return any(unicodedata.category(char) in _CONTROLS or char in _BIDI_CONTROLS for char in text)
