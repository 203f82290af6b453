"""The system that a parsed user agent states."""

import re
from collections.abc import Iterator
from typing import Final

from user_agents.parsers import UserAgent

from .names import system_name


def _word(pattern: str) -> str:
    """Match whole words, and those of "AcmeAndroid" and "android_app", but not the middle of "Blinux"."""
    return rf"(?:(?<![A-Za-z])|(?<=[a-z\d])(?=[A-Z]))(?:{pattern})(?![a-z])"


# The library finds these anywhere, also inside of other words.
_FOUND_ANYWHERE: Final = {
    "Android": re.compile(_word("[Aa]ndroid|ANDROID")),
    "Linux": re.compile(_word("[Ll]inux|LINUX") + "|[Ll]inux-|X11"),
    "Windows": re.compile(_word("[Ww]indows|[Ww]in(?:32|64|NT|10|11|[78])?|WINDOWS")),
}
# Where the library finds no system, or only the kernel's; the first mark that is there decides.
_VAGUE_SYSTEMS: Final = ("Other", "Linux", "Windows", "Mac OS X")
# Each is a regular expression after a cheap look for one of its words: nearly every agent has none.
_SYSTEM_MARKS: Final = [
    (tuple(words.split(",")), re.compile(pattern), name)
    for words, pattern, name in (
        ("WP,wds", r"\bWPDesktop|\bWP[78]\b|\bwds \d", "Windows Phone"),
        ("WhatsApp", r"^WhatsApp/[\d.]+ i\b", "iOS"),
        ("WhatsApp", r"^WhatsApp/[\d.]+ A\b", "Android"),
        ("atch", r"\b[Ww]atch ?OS\b|\bApple Watch", "watchOS"),
        ("Harmony", r"\b(?:Open)?Harmony(?:OS)?\b", "HarmonyOS"),
        ("Kepler,Vega", r"\bKepler[ /]\d|\bVega ?OS\b", "Vega OS"),
        ("PlayStation", r"\bPlayStation [45]", "PlayStation"),
        ("Nintendo", r"\bNintendo (?:Switch|Wii|3DS)", "Nintendo"),
        ("Tizen", _word("Tizen"), "Tizen"),
        ("eb", r"(?<![A-Za-z])[Ww]eb[O0]S(?![a-z])|\bLGwebOS", "webOS"),
        ("VIDAA", _word("VIDAA"), "VIDAA"),
        ("TiVoOS", r"\bTiVoOS\b", "TiVo OS"),
        ("VIZIO,ViziOS", r"\bVIZIO\b|\bViziOS\b", "ViziOS"),
        ("MorphOS", r"\bMorphOS\b", "MorphOS"),
        ("Mac,OSX,mac", _word("Mac ?OS|OSX|macOS|Macintosh") + r"|\bos=Mac\b", "Mac OS X"),
        ("arwin", r"\b[Dd]arwin[ /_-](?:arm|x|amd)\w*\b|-apple-darwin", "Mac OS X"),
        ("Darwin/", r"^(?!.*CFNetwork).*\bDarwin/\d", "Mac OS X"),  # a tool asks the kernel
        ("iOS,ios,IOS,iP", _word("iOS|ios|IOS|iPhone|iPad") + r"|\biP(?:ad|h|hone)\d", "iOS"),
        (
            "ndr,NDR,Adr,FB4A,AFT",
            _word("[Aa]ndr[o0]id|ANDROID") + r"|\bAdr \d|\bFB4A\b|\bAFT[A-Z]{1,3}\w*\b",
            "Android",
        ),
        (
            "in,WIN",
            _word("[Ww]indows|WINDOWS") + r"|\b[Ww]in(?:10|11|7|8|32|64)\b",
            "Windows",
        ),
        ("Symb,Series", r"\bSymbian|\bSymbOS\b|\bSeries ?60", "Symbian OS"),
        ("Haiku", _word("Haiku"), "Haiku"),
        ("OS/2", r"\bOS/2\b", "OS/2"),
        ("AmigaOS", r"\bAmigaOS\b", "AmigaOS"),
        ("inux,INUX,X11", _word("[Ll]inux|LINUX") + "|X11", "Linux"),
    )
]
_IOS_BROWSER = re.compile(r"CriOS/|FxiOS/|EdgiOS/|OPT/|OPiOS/|GSA/")
_IPAD = re.compile(r"\biPad")
_ENDS_LIKE_IPAD = re.compile(r"[a-z]iPad")

# Apps on Apple's systems send only the kernel's version, which iOS and macOS share. Up to Darwin 19 each Mac
# adds its processor, and so do Intel's up to 20.
_DARWIN = re.compile(r"\bDarwin/(\d{1,3})\b")
_MAC_DARWIN = re.compile(r"Darwin/[^(]*\((?:x86_64|i386|Power)|^(?:Safari|com\.apple\.Safari)\b")
_STATES_IOS = re.compile(_word("iOS|ios|IOS|iPhone|iPad|iPod|Mobile[\\d.]*") + "|watchOS|iOS/")
_DARWIN_OF_BOTH: Final = 20


def system(parsed: UserAgent) -> str:
    """Name the operating system, "" where none is stated."""
    family: str = parsed.os.family
    user_agent: str = parsed.ua_string
    if family.startswith("Windows") and "Xbox" in user_agent:
        return "Windows"
    if family in _FOUND_ANYWHERE and not user_agent.startswith(("Mozilla", "JUC")):
        family = family if _FOUND_ANYWHERE[family].search(user_agent) else "Other"
    if family in _VAGUE_SYSTEMS:
        family = next(_marked(user_agent), family)
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
        case "iOS":
            return _apple_system(user_agent)
    return system_name(family)


def _marked(user_agent: str) -> Iterator[str]:
    for words, mark, name in _SYSTEM_MARKS:
        if any(word in user_agent for word in words) and mark.search(user_agent):
            yield name


def _apple_system(user_agent: str) -> str:
    """Tell apart what the library takes for iOS."""
    if "(Macintosh" in user_agent:
        return "iPadOS"
    if _ENDS_LIKE_IPAD.search(user_agent):
        return ""
    if _IPAD.search(user_agent):
        return "iPadOS"
    if (darwin := _DARWIN.search(user_agent)) and not _STATES_IOS.search(user_agent):
        if _MAC_DARWIN.search(user_agent):
            return "macOS"
        return "iOS" if int(darwin[1]) < _DARWIN_OF_BOTH else ""
    return "iOS"
