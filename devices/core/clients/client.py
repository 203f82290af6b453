"""The client of a request, and the label of its device."""

import logging
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from devices.core.binding.dpop import Presentation
from devices.models import DeviceType

from .user_agents.agent import Agent, read_agent
from .user_agents.device_types import is_tablet_model
from .user_agents.hints import Hints, clean_name, read_hints
from .user_agents.products import CHROMEBOOKS, STACKS
from .user_agents.tables import fold

logger = logging.getLogger(__name__)

USER_AGENT_LENGTH: Final = 512
LABEL_LENGTH: Final = 64


@dataclass(frozen=True)
class Client:
    """The client of a request. All but the IP address is the client's own claim."""

    ip_address: str | None = None
    user_agent: str = ""  # as `clean_user_agent` leaves it
    hints: Mapping[str, str] = field(default_factory=dict)  # lower-case HINT_HEADERS -> raw value

    # Which device this is, for those who sign in; see `core.clients.device_key`.
    app_id: str = ""  # kept and sent by an app
    browser_id: str = ""  # from the signed cookie, or about to be handed out in it
    origin: str = ""  # of the page that the browser shows, as the browser says

    # What shows that it holds a key; None where there is no request, or one that is signed in by a cookie.
    presentation: Presentation | None = field(default=None, compare=False)


class Label(NamedTuple):
    """How a device is named and classified."""

    device: str  # "Chrome on Windows", at most 64 characters
    device_type: str  # one of DeviceType
    browser: str  # "Chrome", or the app or tool; "" if not known
    os: str  # "macOS", "Windows 11"; "" if not stated


LabelRule = Callable[[Client], Label | None]


def clean_user_agent(raw: str) -> str:
    """Cut a user agent to 512 characters, then drop what is no text.

    That is control, bidi, surrogate, private and unassigned characters, and any blank but the
    space. The cut comes first, since servers let a megabyte through.
    """
    text = raw[:USER_AGENT_LENGTH]
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (c for c in text if c == " " or unicodedata.category(c)[0] not in "CZ")
    return "".join(kept).strip()


def os_family(os: str) -> str:
    """Return the system without the version that hints add: an update makes no other device."""
    return "Windows" if os.startswith("Windows ") and os[8].isdigit() else os


_VERSIONS: Final = {
    "Windows": ("Windows 7", "Windows 8", "Windows 8.1", "Windows 10", "Windows 11")
}


def os_versions(os: str) -> tuple[str, ...]:
    """Return a system and its versions as labels have them: what somebody means who asks for it."""
    return (os, *_VERSIONS.get(os, ()))


def describe_device(client: Client, rules: Sequence[LabelRule] = ()) -> Label:
    """Name the device of a client: by the first of the host's rules that knows it, else by ours.

    Never raises: a rule that fails is logged and passed over, for no rule may break a login.
    """
    for rule in rules:
        try:
            if own := rule(client):
                return _clamped(own)
        except Exception as error:  # whatever a stranger's rule may raise
            logger.warning("The label rule %r failed: %s", rule, type(error).__name__)
    agent = read_agent(clean_user_agent(client.user_agent))
    hints = read_hints(client.hints)
    browser = _browser(agent, hints)
    os = _os(agent, hints)
    device = _device(browser, os, hints.device_name or hints.model)
    return Label(device, _device_type(agent, hints, os), browser, os)


def _clamped(own: Label) -> Label:
    """Bring what a rule made, perhaps of a client's text, into the limits that the model has."""
    browser, os = clean_name(own.browser), clean_name(own.os)
    device = clean_name(own.device, LABEL_LENGTH) or _device(browser, os, "")
    is_known = own.device_type in tuple(DeviceType)
    device_type = DeviceType(own.device_type) if is_known else DeviceType.UNKNOWN
    return Label(device, device_type, browser, os)


def _browser(agent: Agent, hints: Hints) -> str:
    if hints.app:
        return hints.app
    if not agent.is_engine:
        return agent.browser
    if hints.package_app:
        return hints.package_app
    if hints.brand == "Chromium":
        # Every Chromium says so, the plain one and those that hide their brand.
        return agent.browser if agent.browser not in ("", "Android Browser") else "Chrome"
    return hints.brand or agent.browser


def _os(agent: Agent, hints: Hints) -> str:
    if fold(hints.model) in CHROMEBOOKS or agent.os == "ChromeOS":
        return "ChromeOS"
    if not hints.platform:
        return agent.os or _os_of(hints.model) or _os_of(hints.device_name)
    # An iPad's agent is finer than its hint, and a Mac that plays a phone still hints at macOS.
    if hints.platform in ("iOS", "macOS") and agent.os in ("iOS", "iPadOS"):
        return agent.os
    # HarmonyOS, Tizen and the like are more than the Android or Linux inside of them.
    if hints.platform in ("Android", "Linux") and agent.os not in ("", "Linux", "Windows", "macOS"):
        return agent.os
    return hints.platform


# An app on Apple's systems may leave out which of them it runs on; the device that it states tells.
_APPLE_DEVICES: Final = {"iPhone": "iOS", "iPad": "iPadOS", "MacBook": "macOS", "iMac": "macOS"}


def _os_of(device: str) -> str:
    return next((os for word, os in _APPLE_DEVICES.items() if word in device), "")


def _device_type(agent: Agent, hints: Hints, os: str) -> DeviceType:
    if os == "ChromeOS":
        return DeviceType.DESKTOP
    if agent.device_type in (DeviceType.TV, DeviceType.CONSOLE, DeviceType.BOT):
        return agent.device_type
    if hints.model and is_tablet_model(hints.model):
        return DeviceType.TABLET
    if hints.form_factor:
        return DeviceType(hints.form_factor)
    if not agent.os and os in _APPLE_TYPES:
        return _APPLE_TYPES[os]
    if hints.is_mobile:
        return DeviceType.TABLET if agent.device_type == DeviceType.TABLET else DeviceType.MOBILE
    if hints.is_mobile is False and os == "Android":
        return DeviceType.TABLET
    is_app = hints.app or hints.device_name or hints.model
    if is_app and agent.device_type in (DeviceType.UNKNOWN, DeviceType.CLI):
        return DeviceType.APP
    return agent.device_type


_APPLE_TYPES: Final = {
    "iOS": DeviceType.MOBILE,
    "iPadOS": DeviceType.TABLET,
}


def _device(browser: str, os: str, detail: str) -> str:
    """Compose "Chrome on Android (Pixel 8)" and its shorter forms, at most 64 characters."""
    if detail and (not browser or fold(browser) in STACKS):
        return detail  # "OkHttp" would tell people nothing beside the name of their phone
    text = f"{browser or 'Unknown browser'} on {os}" if os else browser or "Unknown device"
    room = LABEL_LENGTH - len(text) - 3
    return f"{text} ({detail[:room].rstrip()})" if detail and room >= 4 else text
