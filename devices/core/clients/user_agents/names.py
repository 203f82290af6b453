"""From what a client calls its program to the name that people know it by."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from .products import OPERATING_SYSTEMS, PRODUCTS
from .tables import fold

NAME_LENGTH: Final = 32  # characters of a browser, app or system name
_SPELLING_LENGTH: Final = 128  # characters of a stated name that are looked at

# Vowels and tones of many scripts are marks, which are no letters to regular expressions.
_NAME = re.compile(r"[^\W_][\w .+&!'\u0300-\u036f\u0591-\u05c7\u0610-\u0eff-]*")
_VERSION = re.compile(r"[vV]?\d+(?:\.\d+)+[\w.+-]*|[\d.]+")
_PACKAGE = re.compile(r"[A-Za-z]\w*(?:\.\w+)+")
# No part of a name: "ExampleAndroid", "Example for iOS", "iOSExample", "example-desktop". But part of one:
# "T-Mobile", "Remote Desktop", "Helios".
_PLATFORM_PREFIX = re.compile(
    r"(?:iOS|IOS)(?=[A-Z][a-z]{2})|(?:ios|iphone)[._-](?=\w{4})", re.ASCII
)
_PLATFORM_SUFFIX = re.compile(
    r"(?<=\w{3})(?:[ _-]+(?i:for[ _-])?"
    r"(?i:(?:android|ios|iphone|ipad)(?: app(?:lication)?)?|macos|sdk|alpha|beta|desktop app)"
    r"|(?<=[a-z\d]{3})[_-]+(?i:desktop|mobile|app|application|dev|test)"
    r"|(?<=[a-z])(?:Mobile|HD|PC|SDK)(?:App)?|(?:Android|iOS|iPhone|iPad)(?:App)?| for)+[ _-]*$"
)


def known_product(spelling: str) -> str:
    """Return the shown name of a product that we know by this spelling, else ""."""
    return PRODUCTS.get(fold(spelling), "")


@lru_cache(maxsize=1024)  # most people have one of a few hundred programs
def product_name(spelling: str) -> str:
    """Return what to show for a name that a client states, else "" where it is no name.

    The client writes this text: only whitelisted characters pass, at most `NAME_LENGTH` of them.
    """
    spelling = unquote(spelling[:_SPELLING_LENGTH]).strip()
    is_package = spelling.count(".") > 1 or spelling.startswith(("com.", "org.", "net."))
    if is_package and _PACKAGE.fullmatch(spelling):
        return package_name(spelling)
    if known := known_product(spelling):
        return known
    if not _NAME.fullmatch(spelling) or _VERSION.fullmatch(spelling):
        return ""
    name = _PLATFORM_SUFFIX.sub("", _PLATFORM_PREFIX.sub("", spelling)) or spelling
    return known_product(name) or name[:NAME_LENGTH].rstrip()


def package_name(package: str) -> str:
    """Guess an app's name from its reverse-DNS identifier; "" if it is none.

    "org.example.reader" is "Reader". A well-known identifier or the start of one decides; then a
    part we know; then a part that says browser ("nightbrowser"); then the last that is no filler
    and no abbreviation. A maker of many apps is no app: "com.google.android.apps.translate" is
    "Google Translate".
    """
    if len(package) > _SPELLING_LENGTH or not _PACKAGE.fullmatch(package):
        return ""
    parts = package.split(".")
    for end in range(len(parts), 1, -1):
        if known := known_product(".".join(parts[:end])):
            return known
    maker = _MAKERS.get(".".join(parts[:2]).lower(), "")
    named = [part for part in parts[1:] if part.lower() not in _PACKAGE_FILLERS] or parts[1:]
    named = [part for part in named if len(part) > 2] or named
    if maker:
        named = [part for part in parts[2:] if part.lower() not in _MAKERS_FILLERS] or [parts[1]]
    for part in reversed(named):
        if known := known_product(part):
            return known
    part = next((part for part in named if "browser" in part.lower()), named[-1])
    if maker and maker.lower() not in part.lower():
        part = f"{maker} {part}"
    elif part.lower() in _PACKAGE_KINDS and len(named) > 1:
        part = f"{named[-2]} {part}"  # "com.example.mail" is "Example Mail"
    return " ".join(word[0].upper() + word[1:] for word in part.split())[:NAME_LENGTH]


_MAKERS: Final = {
    "com.amazon": "Amazon",
    "com.facebook": "Facebook",
    "com.google": "Google",
    "com.hihonor": "Honor",
    "com.huawei": "Huawei",
    "com.microsoft": "Microsoft",
    "com.samsung": "Samsung",
    "com.yandex": "Yandex",
    "ru.yandex": "Yandex",
}
_MAKERS_FILLERS: Final = {"android", "app", "apps", "client", "ios", "lite", "main", "mobile"}
_PACKAGE_KINDS: Final = {"home", "launcher", "live", "mail", "music", "news", "weather"}
_PACKAGE_FILLERS: Final = {
    *("alpha", "android", "app", "apps", "beta", "browser", "client", "direct", "free", "full"),
    *("global", "gp", "international", "internet", "intl", "ios", "lite", "main", "messenger"),
    *("mini", "mobile", "native", "player", "plus", "premium", "private", "pro", "release"),
    *("search", "secure", "security", "service", "tv", "video", "vpn", "web", "webview"),
}


def system_name(family: str) -> str:
    """Return an operating system as people know it; an unknown family passes as it is."""
    return OPERATING_SYSTEMS.get(fold(family), family)[:NAME_LENGTH]
