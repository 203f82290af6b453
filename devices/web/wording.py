"""What pages say of a session, in the words and the language of who reads it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from babel.dates import format_timedelta
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from devices.core.clients.client import os_family
from devices.core.notifications.reasons import locale, sentences
from devices.core.notifications.reasons import place as place_name
from devices.models import Activity, DeviceSession, DeviceType, RevokeReason, TrustedDevice

# Activity is noted once a minute, and of what runs in the background, too; no page knows it better.
NOW: Final = timedelta(minutes=5)

METHODS: Final[dict[str, str | Promise]] = {
    "password": _("Password"),
    "passkey": _("Passkey"),
    "code": _("Code by mail"),
    "recovery_code": _("Recovery code"),
    "google": "Google",
    "github": "GitHub",
    "gitlab": "GitLab",
    "apple": "Apple",
    "microsoft": "Microsoft",
    "oidc": "OpenID Connect",
    "password_reset": _("New password by mail"),
    "device_code": _("Code typed in a browser"),
    "impersonation": _("Staff, on your behalf"),
}


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago, roughly: "now" under five minutes, "3 hours ago", "2 weeks ago"."""
    passed = (now or timezone.now()) - then
    if passed < NOW:
        return gettext("now")
    return _roughly(-passed)


def ahead(then: datetime, now: datetime | None = None) -> str:
    """In how long, roughly: "in 4 weeks"."""
    left = then - (now or timezone.now())
    return _roughly(max(left, timedelta(minutes=1)))


def isolated(session: DeviceSession) -> str:
    """What a device is called, for text that holds no markup: whatever turns around in it, turns that alone.

    In markup <bdi> does so.
    """
    return f"\u2068{session}\u2069"


def place(session: DeviceSession) -> str:
    """City and country, and whether that is uncertain; "" where neither is known."""
    return place_name(session.city, session.country, is_uncertain=session.is_place_uncertain)


# The systems that people tell apart, each on the device that it runs on; the symbols of icons.svg.
_MARKED: Final = {
    (DeviceType.DESKTOP, "Windows"): "desktop-windows",
    (DeviceType.DESKTOP, "macOS"): "desktop-macos",
    (DeviceType.DESKTOP, "Linux"): "desktop-linux",
    (DeviceType.DESKTOP, "ChromeOS"): "desktop-chromeos",
    (DeviceType.MOBILE, "iOS"): "mobile-ios",
    (DeviceType.MOBILE, "Android"): "mobile-android",
    (DeviceType.TABLET, "iPadOS"): "tablet-ipados",
    (DeviceType.TABLET, "Android"): "tablet-android",
}


def icon(session: DeviceSession | TrustedDevice) -> str:
    """The symbol of a device: of its kind and system, else of its kind."""
    kind = DeviceType(session.device_type)
    if isinstance(session, TrustedDevice):
        return str(kind)
    return _MARKED.get((kind, os_family(session.os)), str(kind))


# What people call the devices of these types together.
_COMPUTERS, _PHONES = _("Computers"), _("Phones and tablets")
_TVS, _PROGRAMS = _("TVs and consoles"), _("Apps and programs")
_KINDS: Final[dict[DeviceType, Promise]] = {
    DeviceType.DESKTOP: _COMPUTERS,
    DeviceType.MOBILE: _PHONES,
    DeviceType.TABLET: _PHONES,
    DeviceType.TV: _TVS,
    DeviceType.CONSOLE: _TVS,
    DeviceType.APP: _PROGRAMS,
    DeviceType.CLI: _PROGRAMS,
    DeviceType.BOT: _PROGRAMS,
    DeviceType.UNKNOWN: _("Others"),
}


def kind(session: DeviceSession) -> str:
    """What devices like this one are called together: "Phones and tablets"."""
    return str(_KINDS[DeviceType(session.device_type)])


def countries_called(text: str) -> list[str]:
    """The codes of the countries in whose name, in the reader's language, this text is."""
    names = locale().territories.items()
    return [code for code, name in names if len(code) == 2 and text.casefold() in name.casefold()]


def method(session: DeviceSession) -> str:
    """How somebody signed in. A way of the host project's own is shown by its own name."""
    known = METHODS.get(session.login_method)
    return str(known) if known else session.login_method.replace("_", " ").capitalize()


class Happening(NamedTuple):
    """Something that happened in a session, as a sentence, and what else is to be said of it."""

    entry: Activity
    what: str
    details: Sequence[str]


# What is written beside "session.started", of the same sign-in.
_OF_SIGN_IN: Final = ("login.suspicious", "device.new")


def happenings(entries: Iterable[Activity]) -> list[Happening]:
    """What happened, the newest first as given, with all details of one sign-in in one place."""
    told: list[Happening] = []
    for entry in entries:
        what, details = happening(entry)
        if entry.kind == "session.started":
            while told and told[-1].entry.kind in _OF_SIGN_IN:
                more = told.pop()
                details = [more.what, *more.details, *details]
        told.append(Happening(entry, what, details))
    return told


def happening(entry: Activity) -> tuple[str, Sequence[str]]:
    """An entry of the log as a sentence, and what else is to be said of it.

    What the host project records is shown as it is: its kind, and its data by key.
    """
    data = entry.data if isinstance(entry.data, dict) else {"": entry.data}
    match entry.kind:
        case "session.started" if data.get("method") == "impersonation":
            return gettext("Staff signed in on your behalf"), ()
        case "session.started":
            return gettext("Signed in"), ()
        case "session.impersonated":
            return gettext("Signed in on somebody’s behalf"), ()
        case "session.renamed":
            if "to" not in data:
                # Names are dropped when a line has aged.
                return gettext("Given another name"), ()
            name = data.get("to")
            return (gettext("Named: %(name)s") % {"name": name}) if name else gettext(
                "Name removed"
            ), ()
        case "session.confirmed":
            return gettext("Confirmed that it was you"), ()
        case "session.revoked":
            return gettext("Signed out"), _ending(data)
        case "binding.failed":
            return gettext("Somebody used a copy of it without the key of this device"), ()
        case "binding.lost":
            return gettext("It is no longer bound to this device"), ()
        case "refresh.recovered":
            return gettext("It went on after a failure of the database"), ()
        case "refresh.reused":
            return gettext("A key to this session was used twice, so it was signed out"), ()
        case "login.suspicious":
            return gettext("The sign-in was unusual"), reasons(data)
        case "refresh.suspicious" | "refresh.noted" | "session.suspicious":
            return gettext("It was used in an unusual way"), reasons(data)
        case "session.reviewed":
            said = gettext("You said that it was you")
            return said if data.get("mine") else gettext("You said that it was not you"), ()
        case "account.recovered":
            return gettext("The account was restored to an earlier email address"), ()
        case "device.trusted":
            return gettext("You chose to trust this device"), ()
        case "device.new":
            return gettext("Signed in here for the first time"), ()
    return entry.kind, [f"{key}: {value}" for key, value in data.items()]


def _ending(data: Mapping[str, Any]) -> Sequence[str]:
    reason = data.get("reason")
    return [str(RevokeReason(reason).label)] if reason in RevokeReason.values else []


def reasons(data: Mapping[str, Any]) -> list[str]:
    """Why a login was unusual, one sentence each."""
    return sentences(data.get("reasons") or ())


def _roughly(time: timedelta) -> str:
    return format_timedelta(time, add_direction=True, threshold=1, locale=locale())
