"""The kind of device that a parsed user agent shows."""

import re
from typing import Final

from user_agents.parsers import UserAgent

from devices.models import DeviceType

from .tools import is_tool

_CRAWLERS: Final = ("bot", "crawler", "spider")
_CRAWLER = re.compile(r"(?:bot|crawler|spider)\b")
# A program of this name may be anybody's; a crawler says whose it is.
_CRAWLERS_ADDRESS = re.compile(r"://|@|compatible;|www\.|\([^)]*(?:bot|spider)/\d|\bgoogle")
_CONSOLE_WORDS: Final = ("playstation", "xbox", "nintendo", "(ps3", "(ps4")
_CONSOLE = re.compile(
    r"[(;] ?(?:playstation|ps[34]\b|psp \(|xbox|nintendo|new nintendo)|^playstation|\bplaystation [345]"
)
# A cheap look for the words first: nearly every agent has none of them.
_TELEVISION_WORDS: Final = (
    *("tv", "aft", "bravia", "ce-html", "crkey", "chromecast", "hybridcast", "netcast", "roku"),
    *("viera", "vizio", "web0s", "tivo", "mibox", "stb", "brightsign", "wired)", "wireless)"),
    *("omi/", "espial"),
)
_ANDROID_WORDS: Final = ("tv", "aft", "bravia", "crkey", "chromecast", "shield", "omi/")
_TELEVISION = re.compile(
    r"\bsmart-?tv|\b(?!le|bn|h?dtv|q)[a-z]*tv(?![a-z\d]|-w\d)|\bdtv;|\(dtv\)"
    r"|\b[a-z]*tv(?:os|box)\b|hbbtv|inettv|\baft[a-z0-9]+\b"
    r"|\bbravia|\broku\b|\bviera|crkey|netcast|vizio|web0s|ce-html|hybridcast|\btivo\b|\bmibox"
    r"|\bstb(?:app)?\b|\bomi/\d|\bespial|brightsign|\bchromecast\b|, ?wire(?:d|less)\)"
)
# Boxes and sets with Android, many of which say Mobile: their model begins with a maker's series or with the
# inches of a screen, or it names what it is; or the system is of the branch for televisions (its T:
# "Build/STTL.240206.001").
_ANDROID_TELEVISION = re.compile(
    r"(?:X9[68]|H96|T9[5-8](?![\d-])|TX[3-9]|A95X|MXQ|HK1|KM[2369]|VONTAR|Transpeed|Tanix|Beelink"
    r"|MiTV|MI ?BOX|MiBOX|BeyondTV|MAG\d{3}|SEI\d{3}|Omnicast|MagentaTV|ADT-\d|TIVO|Google TV)"
    r"|(?:[A-Z]{1,5}[-_])?(?:LED)?(?:2[248]|32|39|4[0-389]|5[058]|6[05]|7[057]|8[256])"
    r"(?:LE|LU|U|H|F|D|G)[A-Z]{0,2}[-_\d ]"
)
_ANDROID_TELEVISION_WORDS: Final = ("LED", "TV", "hell", "ox", "OX", "Stick", "Build/")
_ANDROID_TELEVISION_MARK = re.compile(
    r"LED-?\d\d|_TV_|SMART_TV|(?<![A-Z])ATV(?![a-z])|[Ss]hell[ _]"
    r"|(?:Box|(?<![A-Za-z])box)(?![a-z])|BOX\b|\bStick\b|Build/[A-Z]T[A-Z]{1,2}\d?\.\d{6}\."
)
# Words and series that makers keep for tablets; phones of the same maker are named otherwise.
_TABLET_MODEL = re.compile(
    r"\b[Tt]ab(?![a-z]{3})|tab(?=[\W\d_]|$)|TAB(?=[\W\d_]|$)|[Tt]ablet|TABLET"
    r"|(?<!ool)(?<!ech)(?<!ech )[Pp](?:ad|AD)(?=[\W\d_]|$)"
    r"|\bSM-[TXP]\d|\bKF[A-Z]{2,6}\b|Kindle|\bTB-?\w?\d|\bYT-?\d|\bYOGA\b|IdeaTab|-W\d9\b|-W\d\d\b"
    r"|Nexus (?:7|9|10)\b|\bLG-V\d{3}|\b[AB]\d-\d{3}|Iconia|\bP?M[IT][DT]\d|i[Pp]lay"
)
_LEADING_NAME = re.compile(r"^[^/;(]*/")
_MOBILE = re.compile(r"(?<![\w-])Mobile(?![a-z])")
_HARMONY = re.compile(r"\((Phone|Tablet|PC|2in1|TV|Wearable|Watch)\b")
_HARMONY_TYPES: Final = {
    "Phone": DeviceType.MOBILE,
    "Tablet": DeviceType.TABLET,
    "PC": DeviceType.DESKTOP,
    "2in1": DeviceType.DESKTOP,
    "TV": DeviceType.TV,
}
_DESKTOP_SYSTEMS: Final = frozenset(
    ("Windows", "macOS", "Linux", "ChromeOS", "FreeBSD", "OpenBSD", "NetBSD", "DragonFly")
) | {"Solaris", "Haiku", "OS/2", "AmigaOS", "MorphOS", "RISC OS", "BeOS", "IRIX"}


def is_tablet_model(model: str) -> bool:
    """Return whether an Android model is a tablet, by its name."""
    return bool(_TABLET_MODEL.search(model))


def device_type(parsed: UserAgent, browser: str, os: str) -> DeviceType:
    """Tell the kind of device; for a program on no known device, whether it is a tool or an app."""
    user_agent: str = parsed.ua_string
    lower = user_agent.lower()
    if is_tool(browser, user_agent) and os not in ("Android", "iOS", "iPadOS"):
        return DeviceType.CLI
    if _is_crawler(parsed, lower, os):
        return DeviceType.BOT
    if _is_console(parsed.ua_string, lower, os):
        return DeviceType.CONSOLE
    if os == "iPadOS":
        return DeviceType.TABLET
    if os in ("tvOS", "Vega OS") or (
        os not in ("iOS", "macOS", "Windows") and _is_television(user_agent, lower, os)
    ):
        return DeviceType.TV
    if os == "HarmonyOS" and (stated := _HARMONY.search(user_agent)):
        return _HARMONY_TYPES.get(stated[1], DeviceType.UNKNOWN)
    if os == "Android":
        return DeviceType.TABLET if _is_android_tablet(user_agent) else DeviceType.MOBILE
    # Where the library's system did not hold, neither does its device.
    is_believed = os not in ("", "macOS") or parsed.os.family == "Other"
    if is_believed and parsed.is_tablet:
        return DeviceType.TABLET
    if is_believed and parsed.is_mobile or os in ("iOS", "Windows Phone") or "Lumia" in user_agent:
        return DeviceType.MOBILE
    if "Mobile" in user_agent and not parsed.is_pc and _MOBILE.search(user_agent):
        return DeviceType.MOBILE
    if parsed.is_pc or os in _DESKTOP_SYSTEMS:
        return DeviceType.DESKTOP
    return DeviceType.APP if browser else DeviceType.UNKNOWN


def _is_crawler(parsed: UserAgent, lower: str, os: str) -> bool:
    if not parsed.is_bot:
        if os == "Android" or not any(word in lower for word in _CRAWLERS):
            return False  # phones may be called "… bot"
        if not _CRAWLER.search(lower):
            return False
    is_app = bool(os) and not parsed.ua_string.startswith("Mozilla")
    return not is_app or bool(_CRAWLERS_ADDRESS.search(lower))


def _is_console(user_agent: str, lower: str, os: str) -> bool:
    # The app of a console's maker runs on a phone.
    if os in ("iOS", "iPadOS", "macOS", "Android") and not user_agent.startswith("Mozilla"):
        return False
    return any(word in lower for word in _CONSOLE_WORDS) and bool(_CONSOLE.search(lower))


def _is_television(user_agent: str, lower: str, os: str) -> bool:
    if os == "Android":
        # The name of an app says nothing: people watch "Acme TV" on their phones.
        comment = user_agent.partition("(")[2].partition(")")[0]
        if any(map(_ANDROID_TELEVISION.match, comment.split("; ")[1:])):
            return True
        has_word = any(word in comment for word in _ANDROID_TELEVISION_WORDS)
        if has_word and _ANDROID_TELEVISION_MARK.search(comment):
            return True
        if "Mobile" in user_agent or "Mozilla/" not in user_agent:
            lower = _LEADING_NAME.sub("", lower)
    words = _ANDROID_WORDS if os == "Android" else _TELEVISION_WORDS
    return any(word in lower for word in words) and bool(_TELEVISION.search(lower))


def _is_android_tablet(user_agent: str) -> bool:
    # Chrome's rule: phones say Mobile, tablets do not. A string that was cut off says neither.
    if "obile" not in user_agent and "Safari/" in user_agent:
        return True
    model = user_agent.partition("Android")[2].partition(")")[0]
    return "ablet" in user_agent or is_tablet_model(model or user_agent.partition("/")[2])
