"""Reads a user agent string: which program, on which system, on what kind of device.

The library knows the families; the rules here and in `platforms` add what it leaves open.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

import ua_parser
from user_agents.parsers import (
    UserAgent,
    parse_browser,
    parse_device,
    parse_operating_system,
)

from devices.models import DeviceType

from .device_types import device_type
from .names import NAME_LENGTH, known_product, product_name
from .platforms import system
from .product_tokens import Product, products_of
from .products import ENGINES, PLUMBING
from .tables import fold, folded
from .tools import RUNTIMES


class Agent(NamedTuple):
    """What a user agent string says; "" where it says nothing."""

    browser: str
    os: str
    device_type: DeviceType
    is_engine: bool  # the browser is only its engine's name: a brand or a package may know better


# Most people come with one of few agents, and come again with the same.
@lru_cache(1024)
def read_agent(user_agent: str) -> Agent:
    """Read a user agent string, already cut to a bounded length. Any text is fine."""
    parsed = _ParsedAgent(user_agent)
    os = system(parsed)
    browser, is_engine = _browser(parsed)
    if is_engine:
        browser = _stock_browser(browser, os, user_agent)
    return Agent(browser, os, device_type(parsed, browser, os), is_engine)


_HANDSET = "Generic Feature Phone"
_HANDSET_WORDS = re.compile(
    r"MIDP|CLDC|J2ME|Profile/|Browser/|Release/|MAUI|\bUP[./]|\bwap\b|_wap|obigo|NetFront|BREW|UCWEB"
    r"|(?<![\w-])mobile(?! Safari)|phone|Teleca|240[x*]320|DoCoMo|SoftBank|KDDI|nokia|Psion|Vodafone"
    r"|^(?:LG|SEC|SIE|MOT|SAMSUNG|SCH|SGH|PHILIPS|sharp|alcatel|sonyericsson|huawei|zte)\b",
    re.IGNORECASE,
)


class _ParsedAgent(UserAgent):  # the library is untyped
    """The library's user agent, filled by the linear-time parser.

    Its own constructor calls the old regular expressions, which take cubic time on some strings.
    """

    def __init__(self, user_agent: str) -> None:
        parsed = ua_parser.parse(user_agent).with_defaults()
        os, browser, device = parsed.os, parsed.user_agent, parsed.device
        self.ua_string = user_agent
        self.os = parse_operating_system(os.family, os.major)
        self.browser = parse_browser(browser.family)  # no rule asks for its version
        # The library takes a handset for what only begins like one: Smart…, Play…, Port…, Mode….
        is_handset = device.family != _HANDSET or _HANDSET_WORDS.search(user_agent)
        family = device.family if is_handset else "Other"
        self.device = parse_device(family, device.brand, device.model)


_BROWSER_SYNTAX = re.compile(r"Mozilla|Opera|Dalvik|AppleWebKit|\(", re.IGNORECASE)
_HANDSET_SYNTAX = re.compile(r"MIDP|Profile/|Browser/|Release/|MAUI")


def _browser(parsed: _ParsedAgent) -> tuple[str, bool]:
    """Return the program's name, and whether it is only that of its engine."""
    user_agent, family = parsed.ua_string, parsed.browser.family
    products = products_of(user_agent)
    known = [name for product in products if (name := _known(product))]
    # Phones may be called "… bot", and the library takes that for a browser; "App/1 iPhone12,1 iOS", too.
    is_engine = (
        fold(family) in ENGINES
        or (family.lower().endswith("bot") and not parsed.is_bot)
        or not product_name(family)
    )
    if _BROWSER_SYNTAX.match(user_agent):
        # A program appends itself to the engine it is built on, so the last one is it.
        if known:
            own = (name for name in reversed(known) if name not in _LENT)
            return next(own, known[-1]), False
        if not is_engine:
            return product_name(family), False
        if stranger := _stranger(products) or _commented(user_agent):
            return stranger, False
    else:
        leading = "" if _HANDSET_SYNTAX.search(user_agent) else _leading(user_agent, products)
        if leading and (is_engine or known_product(leading)):
            is_runtime = known and fold(leading) in RUNTIMES  # "Python/3.12 aiohttp/3.9.5"
            return (known[0] if is_runtime else leading), False
        if not is_engine:
            return product_name(family), False
        if known:
            return known[0], False
    return _engine(family, products), True


# Named by other apps of the same maker, too, often last: "aweme_31.9.0 … BytedanceWebview/d8a21c6" is Douyin.
_LENT: Final = ("QQ Browser", "TikTok", "WeChat")
# Products whose value, not their name, tells the program: "FBAN/FBIOS".
_ENVELOPES = folded("appname, Browser, FBAN, FB_IAB")


def _known(product: Product) -> str:
    name, last = fold(product.name), product.name.rpartition(" ")[2]
    if fold(last) in _ENVELOPES and (inside := known_product(product.value)):
        return inside
    # Stray words count only when they are too long to be anything else ("LinkedInApp").
    if name in PLUMBING or not (product.is_marked or len(name) > 6):
        return ""
    return known_product(product.name) or known_product(last)


# Agents that act for a person, and what else is no browser: "(compatible; Name/1.0; +https://…)".
_COMMENTED = re.compile(
    r"\b[Cc]ompatible; ?([A-Za-z][\w .-]{1,30}?)(?:/[vV]?\d[\w.]*)?(?=\)|; ?(?:\+|https?:|[\w.-]+@))"
    r"|\(([A-Za-z][\w.-]{1,30})/\d[\w.]*; ?(?:\+|https?:|[\w.-]+@)"
)


def _commented(user_agent: str) -> str:
    """Return the name that is only in a comment, beside the operator's address."""
    match = _COMMENTED.search(user_agent)
    return product_name(match[1] or match[2]) if match else ""


_ENGINE = re.compile(r"AppleWebKit|Gecko|Presto|Trident", re.IGNORECASE)
_RELEASE = re.compile(r"v?(?!0\.0)\d+\.|\d{4}")  # 0.01 is an experiment, not a program
_CLOSING_WORD = re.compile(r"[A-Z][A-Za-z]{3,}")


def _stranger(products: list[Product]) -> str:
    """Return the first `Name/1.2` after the engine that is no plumbing: an unknown program.

    Failing that, the word that closes the string, if it is all letters.
    """
    names = [product.name for product in products]
    engine = next((place for place, name in enumerate(names) if _ENGINE.fullmatch(name)), -1)
    for name, value, _, is_on_platform in products[engine + 1 :]:
        if fold(name) == "appname" and (shown := product_name(value)):
            return shown
        if fold(name) in PLUMBING or not (_RELEASE.match(value) or is_on_platform):
            continue
        if is_on_platform and engine < 0:
            continue  # "Maker Model Android/14" is a device
        if 3 <= len(name) <= NAME_LENGTH and (shown := product_name(name)):
            return shown
    last = names[-1] if engine >= 0 and not products[-1].is_marked else ""
    return (
        product_name(last) if _CLOSING_WORD.fullmatch(last) and fold(last) not in PLUMBING else ""
    )


_LEADING_NAME = re.compile(r"[^/;:,()\[\]{}<>\"=]{2,40}")
# From a version on it is no name: " 2.1 build", "1.4" glued to it, or a plain number at its end.
_VERSION_ON = re.compile(r"[\s_-]+v?\d+\.\w.*|(?<=[A-Za-z])\d+\.[\d.]+.*|[\s_-]+v?\d[\w.]*\s*$")


_AMAZON = re.compile(r"Amazon;(AFT|Echo)")


def _leading(user_agent: str, products: list[Product]) -> str:
    """Return the name that an app or tool opens its user agent with."""
    if amazon := _AMAZON.match(user_agent):
        return "Amazon Fire" if amazon[1] == "AFT" else "Alexa"
    match = _LEADING_NAME.match(user_agent)
    if match and user_agent[match.end() :][:1].isalnum():
        return ""  # too long for a name
    if match and user_agent.startswith("/0.0.", match.end()):
        before = user_agent.partition(" Mozilla/")[0]
        return _stranger(products_of(before)) or product_name(match.group())
    name = _VERSION_ON.sub("", unquote(match.group()).partition(" - ")[0]).strip() if match else ""
    if known := known_product(name):
        return known
    words = name.split()
    is_system = bool(words) and fold(words[-1]) in PLUMBING - {"ios"}
    if match and is_system and user_agent[match.end() :][:1] == "/":
        return _stranger(products)  # "Maker Model System/1.0": a device opens it, no program
    while words and fold(words[-1]) in PLUMBING:
        words.pop()
    return product_name(" ".join(words[:4])) or _stranger(products)


def _engine(family: str, products: list[Product]) -> str:
    names = {fold(product.name) for product in products}
    if "opera" in names:
        return "Opera"
    if family != "Android" and (shown := known_product(family)):
        return shown
    return next((name for name in ("Chrome", "Firefox", "Safari") if name.lower() in names), "")


# A system's own browser, and the engines by which it shows where it does not name itself.
_STOCK_BROWSERS = {
    "HarmonyOS": ("Huawei Browser", ("", "Chrome")),
    "Tizen": ("Samsung Internet", ("", "Safari")),
    "Vega OS": ("Silk", ("", "Chrome")),
    "webOS": ("LG Browser", ("", "Safari")),
}
_SAMSUNG_WEBVIEW = re.compile(r"Version/[12]\.\d Chrome/")


def _stock_browser(engine: str, os: str, user_agent: str) -> str:
    """Name the browser that a system comes with where only that browser's engine shows."""
    stock, engines = _STOCK_BROWSERS.get(os, ("", ()))
    if engine in engines:
        return stock
    if os == "Android" and engine == "Chrome" and _SAMSUNG_WEBVIEW.search(user_agent):
        return "Samsung Internet"  # the webview of everyone else says Version/4.0
    is_android = os == "Android" or user_agent.startswith("Dalvik")
    if is_android and engine in ("", "Safari"):
        return "Android Browser"
    if os in ("iOS", "iPadOS", "macOS") and not engine and user_agent.startswith("Mozilla"):
        return "Safari"
    return engine
