"""The system and the kind of device that a parsed user agent shows."""

import re
from typing import Final

from user_agents.parsers import UserAgent

from devices.models import DeviceType

from .names import system_name
from .products import TOOLS, fold

# Where the library finds no system, or only the kernel's; the first mark that is there decides.
_VAGUE_SYSTEMS: Final = ("Other", "Linux", "Windows", "Mac OS X")
_SYSTEM_MARKS: Final = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"WPDesktop|\bWP[78]\b|\bwds \d", "Windows Phone"),
        (r"^WhatsApp/[\d.]+ i\b", "iOS"),
        (r"^WhatsApp/[\d.]+ A\b", "Android"),
        (r"Watch ?OS|Apple Watch", "watchOS"),
        (r"PlayStation [45]", "PlayStation"),
        (r"Nintendo (?:Switch|Wii|3DS)", "Nintendo"),
        (r"Tizen", "Tizen"),
        (r"[Ww]eb[O0]S", "webOS"),
        (r"VIDAA", "VIDAA"),
        (r"TiVoOS", "TiVo OS"),
        (r"VIZIO|ViziOS", "ViziOS"),
        (r"MorphOS", "MorphOS"),
        (r"Mac OS|\bOSX\b|macOS|Macintosh|os=Mac\b", "Mac OS X"),
        (r"\b(?i:iOS)\b|\biPhone|\biPh\d|\biPad", "iOS"),
        (r"(?i)andr[o0]id|\bAdr \d|\bFB4A\b|\bAFT[A-Z]{1,3}\w*\b", "Android"),
        (r"Windows|\b[Ww]in(?:10|11|7|8|32|64)\b", "Windows"),
        (r"Symbian|SymbOS|Series ?60", "Symbian OS"),
        (r"Haiku", "Haiku"),
        (r"OS/2", "OS/2"),
        (r"AmigaOS", "AmigaOS"),
        (r"[Ll]inux|X11", "Linux"),
    )
]
_IOS_BROWSER = re.compile(r"CriOS/|FxiOS/|EdgiOS/|OPT/|OPiOS/|GSA/")
_IPAD = re.compile(r"\biPad")
_ENDS_LIKE_IPAD = re.compile(r"[a-z]iPad")
_INTEL_DARWIN = re.compile(r"Darwin/[^(]*\((?:x86_64|i386)\)")


def system(parsed: UserAgent) -> str:
    """Name the operating system, "" where none is stated."""
    family: str = parsed.os.family
    user_agent: str = parsed.ua_string
    if family.startswith("Windows") and "Xbox" in user_agent:
        return "Windows"
    if family in _VAGUE_SYSTEMS:
        marks = (name for mark, name in _SYSTEM_MARKS if mark.search(user_agent))
        family = next(marks, family)
    match family:
        case "Other" | "Panasonic":  # the latter makes televisions
            return ""
        case "Android" if "Chromebook" in user_agent:
            return "ChromeOS"
        case "Android" if user_agent.startswith("Mozilla/5.0 (Windows "):
            return "Windows"
        case "Linux" if "SamsungBrowser" in user_agent:
            return "Android"  # in its desktop mode
        case "Mac OS X" if _IOS_BROWSER.search(user_agent):
            return "iPadOS"  # which asks for the desktop site unless told otherwise
        case "iOS" if _INTEL_DARWIN.search(user_agent):
            return "macOS"
        case "iOS" if _ENDS_LIKE_IPAD.search(user_agent):
            return ""
        case "iOS" if _IPAD.search(user_agent):
            return "iPadOS"
    return system_name(family)


_CRAWLER = re.compile(r"(?:bot|crawler|spider)\b")
_CONSOLES: Final = ("playstation", "xbox", "nintendo")
# A cheap look for the words first: nearly every agent has none of them.
_TELEVISION_WORDS: Final = (
    *("aft", "bravia", "crkey", "netcast", "roku", "tv", "viera", "vizio", "web0s"),
)
_TELEVISION = re.compile(
    r"\bsmart-?tv|\btv\b|hbbtv|google ?tv|apple ?tv|tivoos|\baft[a-z]+\b|\bbravia|\broku|\bviera"
    r"|crkey|netcast|vizio|web0s"
)
# Words and series that makers keep for tablets; phones of the same maker are named otherwise.
_TABLET_MODEL = re.compile(
    r"\b[Tt]ab|tab(?=[\W\d_]|$)|TAB(?=[\W\d_]|$)|[Tt]ablet|TABLET"
    r"|(?<!ool)(?<!ech)(?<!ech )[Pp](?:ad|AD)(?=[\W\d_]|$)"
    r"|\bSM-[TXP]\d|\bKF[A-Z]{2,6}\b|Kindle|\bTB-?\w?\d|\bYT-?\d|\bYOGA|IdeaTab|-W\d9\b"
    r"|Nexus (?:7|9|10)\b|\bLG-V\d{3}|\b[AB]\d-\d{3}|Iconia|\bP?M[IT][DT]\d|i[Pp]lay"
)


def is_tablet_model(model: str) -> bool:
    return bool(_TABLET_MODEL.search(model))


def device_type(parsed: UserAgent, browser: str, os: str) -> DeviceType:
    """Tell the kind of device; for a program on no known device, whether it is a tool or an app."""
    user_agent: str = parsed.ua_string
    lower = user_agent.lower()
    if fold(browser) in TOOLS:
        return DeviceType.CLI
    if parsed.is_bot or (os != "Android" and _CRAWLER.search(lower)):
        return DeviceType.BOT
    if any(word in lower for word in _CONSOLES):
        return DeviceType.CONSOLE
    if os == "iPadOS":
        return DeviceType.TABLET
    if os == "tvOS" or _is_television(lower):
        return DeviceType.TV
    if os == "Android":
        return DeviceType.TABLET if _is_android_tablet(user_agent) else DeviceType.MOBILE
    if parsed.is_tablet:
        return DeviceType.TABLET
    if parsed.is_mobile or os in ("iOS", "Windows Phone") or "Lumia" in user_agent:
        return DeviceType.MOBILE
    if "Mobile" in user_agent and not parsed.is_pc:
        return DeviceType.MOBILE
    if parsed.is_pc or os in ("Windows", "macOS", "Linux", "ChromeOS"):
        return DeviceType.DESKTOP
    return DeviceType.APP if browser else DeviceType.UNKNOWN


def _is_television(lower: str) -> bool:
    return any(word in lower for word in _TELEVISION_WORDS) and bool(_TELEVISION.search(lower))


def _is_android_tablet(user_agent: str) -> bool:
    # Chrome's rule: phones say Mobile, tablets do not. A string that was cut off says neither.
    if "obile" not in user_agent and "Safari/" in user_agent:
        return True
    model = user_agent.partition("Android")[2].partition(")")[0]
    return "ablet" in user_agent or is_tablet_model(model or user_agent)
