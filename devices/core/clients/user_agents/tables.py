"""How the tables of names are written, and how a name is looked up in them."""

import re
from functools import lru_cache

_PUNCTUATION = re.compile(r"[\W_]+")


@lru_cache(maxsize=4096)  # the twenty words of a user agent are nearly always the same ones
def fold(name: str) -> str:
    """Reduce a name to its lower-case letters and digits."""
    return _PUNCTUATION.sub("", name.lower())


def folded(text: str) -> frozenset[str]:
    """Read a comma-separated list into the set of its folded names."""
    return frozenset(fold(name) for name in text.split(","))


def table(text: str) -> dict[str, str]:
    """Read lines of `Shown name: spelling, spelling` into folded spelling -> shown name."""
    names: dict[str, str] = {}
    for line in text.strip().splitlines():
        shown, _, spellings = line.partition(": ")
        for spelling in (shown, *spellings.split(",")):
            if key := fold(spelling):
                names[key] = shown
    return names
