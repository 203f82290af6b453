"""The `Name/1.2` tokens of a user agent outside of its comments, in order."""

import re
from typing import NamedTuple

from .products import PLUMBING
from .tables import fold, folded


class Product(NamedTuple):
    """A `Name/1.2` of RFC 9110, 10.1.5. Real ones are "Two Words/1.2", "Name 1.2", "Name(" too."""

    name: str
    value: str = ""  # what follows the slash
    is_marked: bool = False  # a version, slash or comment follows, so this is no stray word
    is_on_platform: bool = False  # "Name iOS/598"


_COMMENT = re.compile(r"\([^()]*\)?")
_SEPARATORS = re.compile(r"[\s;,\[\]\"]+")
_VERSION = re.compile(r"[vV]?\d[\w.+-]*")
_VERSIONED = re.compile(r"([A-Za-z][A-Za-z ]{2,30})[_-](\d+(?:\.\d+)+)")  # "Acme_2.1.0"
_PLATFORMS = folded("Android, iOS, iPadOS, iPhone, iPad, macOS")


def products_of(user_agent: str) -> list[Product]:
    """List the products that stand outside the comments, in order."""
    products: list[Product] = []
    words: list[str] = []
    for word in _SEPARATORS.split(_COMMENT.sub(" / ", user_agent)):
        name, slash, value = word.removeprefix("+").partition("/")
        inner, _, rest = value.partition("/")
        if rest and name == "Safari":
            # An app forgot the blank before its name: "Safari/537.36Acme/2.1".
            name, value = inner.lstrip("0123456789."), rest
        elif slash and _VERSION.match(rest) and not _VERSION.match(inner):
            name, value = inner, rest  # "Vendor/Product/1.2"
            words.clear()
        if slash and words and fold(name) in _PLATFORMS:
            products.append(Product(_joined(words, ""), value, True, is_on_platform=True))
            words.clear()
        elif slash or (words and _VERSION.fullmatch(word)):
            if name := _joined(words, name if slash else ""):
                # A number without a dot may be a model's: "acme 1902".
                version = value if slash or "." not in word else word
                products.append(Product(name, version, True))
            words.clear()
        elif versioned := _VERSIONED.fullmatch(word):
            products.append(Product(versioned[1], versioned[2], True))
            words.clear()
        elif word:
            words.append(word)
            if fold(word) not in PLUMBING:
                products.append(Product(word))
    return products


def _joined(words: list[str], last: str) -> str:
    """Join the words before a version to a name, without its plumbing."""
    if last and (not words or fold(last) in PLUMBING):
        return last
    kept = [word for word in [*words[-3:], last] if word and fold(word) not in PLUMBING]
    return " ".join(kept or words[-1:])
