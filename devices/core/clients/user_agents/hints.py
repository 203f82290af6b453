"""Reads what a client states beside its user agent: Chromium's client hints, an app's own headers.

User-Agent Client Hints (WICG) are Structured Fields (RFC 9651): strings, booleans and lists of
strings with parameters. Values are cut before they are parsed; what does not parse says nothing.
"""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import unquote

from .names import NAME_LENGTH, package_name, product_name
from .products import OPERATING_SYSTEMS
from .tables import fold

# In lower case: the client hints that help to recognise a device, then what an app says of itself.
HINT_HEADERS: Final = (
    "sec-ch-ua",
    "sec-ch-ua-full-version-list",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-ch-ua-model",
    "sec-ch-ua-form-factors",
    "x-requested-with",
    "x-device-name",
    "x-device-model",
    "x-app-version",
)


class Hints(NamedTuple):
    """What the headers state; "" or None where they state nothing."""

    brand: str  # shown name; "Chrome" or "Chromium" if that is all there is
    platform: str  # shown name, with the version where that is part of it: "Windows 11"
    model: str
    form_factor: str  # "desktop", "mobile", "tablet"
    is_mobile: bool | None
    package_app: str  # the app around an Android webview, guessed from X-Requested-With
    app: str
    device_name: str


_NO_HINTS: Final = Hints("", "", "", "", None, "", "", "")
_VALUE_LENGTH: Final = 512  # characters of a header that are read at all


def read_hints(headers: Mapping[str, str]) -> Hints:
    """Read hint headers (lower-case name -> raw value). Any text is fine."""
    if not headers:
        return _NO_HINTS
    values = {name: headers[name][:_VALUE_LENGTH] for name in HINT_HEADERS if name in headers}
    stated_model = _string(values.get("sec-ch-ua-model", ""))
    return Hints(
        brand=_brand(values.get("sec-ch-ua") or values.get("sec-ch-ua-full-version-list", "")),
        platform=_platform(values),
        model=_claim(values.get("x-device-model", "")) or clean_name(stated_model),
        form_factor=_form_factor(values.get("sec-ch-ua-form-factors", "")),
        is_mobile={"?1": True, "?0": False}.get(values.get("sec-ch-ua-mobile", "").strip()),
        package_app=package_name(values.get("x-requested-with", "")),
        app=_app(values.get("x-app-version", "")),
        device_name=_claim(values.get("x-device-name", "")),
    )


# sf-string of RFC 9651, 3.3.3; as a list member it carries parameters: `"Chromium";v="124"`.
_STRING = re.compile(r'"((?:[^"\\]++|\\.){0,64}+)"')
_MEMBER = re.compile(_STRING.pattern + r'\s?;\s?v="')
_IRIDIUM = re.compile(r'"Chromium";v="20\d\d[."]')  # dates its Chromium, and does not name itself


def _string(value: str) -> str:
    match = _STRING.match(value.strip())
    return match.group(1) if match else ""


def _brand(value: str) -> str:
    """Return the brand that is the program: not GREASE, nor the engine, nor Chrome beside another.

    GREASE (WICG UA-CH, 6.2) is "Not A Brand" in any punctuation.
    """
    brands = {fold(brand): brand for brand in _MEMBER.findall(value)}
    brands.pop("notabrand", None)
    if not brands:
        return ""
    is_chrome = "googlechrome" in brands
    for engine in ("chromium", "googlechrome", "androidwebview", "microsoftedgesimulate"):
        brands.pop(engine, None)
    for brand in reversed(brands.values()):
        if shown := product_name(brand):
            return shown
    if is_chrome:
        return "Chrome"
    return "Iridium" if _IRIDIUM.search(value) else "Chromium"


def _platform(values: Mapping[str, str]) -> str:
    name = OPERATING_SYSTEMS.get(fold(_string(values.get("sec-ch-ua-platform", ""))), "")
    if name == "Windows":
        return _windows(_string(values.get("sec-ch-ua-platform-version", "")))
    return name


def _windows(version: str) -> str:
    """Name the Windows of a platform version: 13 and up is 11; 0.1, 0.2, 0.3 are 7, 8, 8.1."""
    major, _, minor = version.partition(".")
    if not (major.isascii() and major.isdigit()):
        return "Windows"
    if len(major) > 2 or int(major) >= 13:
        return "Windows 11"
    if int(major) > 0:
        return "Windows 10"
    return {"1": "Windows 7", "2": "Windows 8", "3": "Windows 8.1"}.get(minor[:1], "Windows")


def _form_factor(value: str) -> str:
    """Return the first form factor that is a device type of ours."""
    factors = (factor.lower() for factor in _STRING.findall(value))
    return next((factor for factor in factors if factor in ("desktop", "mobile", "tablet")), "")


def _app(value: str) -> str:
    """Return the app's name from "Example 2.3" or "Example/2.3"; a version alone names none."""
    name = re.split(r"/|\s+v?\d", _decoded(value).strip(), maxsplit=1)[0]
    return "" if re.match(r"v?\d", name) else product_name(name)


def _claim(value: str) -> str:
    return clean_name(_decoded(value))


def _decoded(value: str) -> str:
    """Read text that travelled in a header: as Latin-1 with UTF-8 in it, or percent-encoded."""
    value = unquote(value)
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    return value


_PUNCTUATION: Final = " '’-_.,+&#()"


def clean_name(text: str, limit: int = NAME_LENGTH) -> str:
    """Keep the letters, digits and little punctuation that names are made of, at most `limit`."""
    text = unicodedata.normalize("NFC", " ".join(text[:_VALUE_LENGTH].split()))
    kept = (c for c in text if unicodedata.category(c)[0] in "LMN" or c in _PUNCTUATION)
    return " ".join("".join(kept).split())[:limit].strip()
