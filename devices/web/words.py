"""What pages say of a session, in the words and the language of who reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from babel.dates import format_timedelta
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from devices.core.watch.reasons import country, locale, sentences
from devices.models import Activity, DeviceSession, RevokeReason

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
    """City and country; "" where neither is known."""
    return ", ".join(part for part in (session.city, country(session.country)) if part)


def method(session: DeviceSession) -> str:
    """How somebody signed in. A way of the host project's own is shown by its own name."""
    known = METHODS.get(session.login_method)
    return str(known) if known else session.login_method.replace("_", " ").capitalize()


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
        case "refresh.reused":
            return gettext("A key to this session was used twice, so it was signed out"), ()
        case "login.suspicious":
            return gettext("The sign-in was unusual"), reasons(data)
        case "refresh.suspicious" | "refresh.noted" | "session.suspicious":
            return gettext("It was used in an unusual way"), reasons(data)
        case "session.reviewed":
            said = gettext("You said that it was you")
            return said if data.get("mine") else gettext("You said that it was not you"), ()
        case "device.new":
            return gettext("Signed in here for the first time"), ()
    return entry.kind, [f"{key}: {value}" for key, value in data.items()]


def _ending(data: Mapping[str, Any]) -> Sequence[str]:
    reason = data.get("reason")
    return [str(RevokeReason(reason).label)] if reason in RevokeReason.values else []


def reasons(data: Mapping[str, Any]) -> list[str]:
    """Why a login was strange, one sentence each."""
    return sentences(data.get("reasons") or ())


def _roughly(time: timedelta) -> str:
    return format_timedelta(time, add_direction=True, threshold=1, locale=locale())
