"""The timeline of a session: its log in words, and what its row adds."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from devices.core.notifications.reasons import place as place_name
from devices.core.notifications.reasons import sentences
from devices.models import Activity, Binding, DeviceSession, RevokeReason, Status

# As many lines of the log as are shown.
LENGTH = 100
# What staff should not overlook.
ALARMING = {
    "binding.failed",
    "binding.lost",
    "refresh.recovered",
    "refresh.reused",
    "login.suspicious",
    "refresh.suspicious",
    "session.suspicious",
}


class Moment(NamedTuple):
    """One event on the page of a session."""

    at: datetime
    what: str
    address: str | None = None
    # What there is to be told of it: a name, which may be empty, and text that clients may have sent.
    details: tuple[tuple[str, str], ...] = ()
    is_alarming: bool = False


class Timeline(NamedTuple):
    """The events of a session, the newest first."""

    moments: list[Moment]
    # Whether the log is longer than what is shown.
    is_cut: bool


def timeline(session: DeviceSession) -> Timeline:
    """The newest first. Two queries at most, however long the log is."""
    mine = session.activities.filter(user_id=session.user_id)
    log = mine.select_related("actor").order_by("-at", "-id")
    lines = list(log[: LENGTH + 1])
    is_cut = len(lines) > LENGTH
    moments = [_told(session, line) for line in lines[:LENGTH]]
    moments += _of_row(session, {line.kind for line in lines}, is_cut)
    # Stable: what happened in the same moment stays in the order of the log.
    return Timeline(sorted(moments, key=lambda moment: moment.at, reverse=True), is_cut)


def _told(session: DeviceSession, line: Activity) -> Moment:
    data = line.data if isinstance(line.data, dict) else {"": line.data}
    what, details = _words(session, line, data)
    return Moment(line.at, what, line.ip_address, tuple(details), line.kind in ALARMING)


def _words(
    session: DeviceSession, line: Activity, data: dict[str, Any]
) -> tuple[str, list[tuple[str, str]]]:
    match line.kind:
        case "session.started" if session.is_impersonated:
            return _("Signed in on the owner’s behalf"), [
                *_by(session, line.actor, data.get("by")),
                *_text(_("Reason"), data.get("note")),
                *_of_start(session),
            ]
        case "session.started":
            return _("Signed in"), _of_start(session)
        case "session.impersonated":
            return _("Signed in on somebody’s behalf"), _text(_("Session"), data.get("session"))
        case "session.renamed":
            # Names are dropped when a line has aged.
            if data.get("to") == "":
                return _("Name removed"), []
            return _("Named"), _text("", data.get("to"))
        case "session.confirmed":
            return _("Confirmed who they are"), _text(_("By"), data.get("method"))
        case "session.reviewed" if data.get("mine"):
            return _("The owner said that it was them"), []
        case "session.reviewed":
            return _("The owner said that it was not them"), []
        case "session.revoked":
            who = line.actor or (session.user if data.get("by") == str(line.user_id) else None)
            return _ended(data.get("reason")), [
                *_by(session, who, data.get("by")),
                *_text(_("Reason"), data.get("note")),
            ]
        case "binding.failed":
            return _("Used without the key of its device; the owner was told"), _of_key(data)
        case "binding.lost":
            return _("No longer bound to its device; the owner was told"), _of_key(data)
        case "refresh.recovered":
            return _("It went on after the database had lost its last rotations"), [
                (_("Rotation"), f"{data.get('generation')} / {data.get('current')}")
            ]
        case "refresh.reused":
            return _("A used refresh token was sent again"), [
                (_("Rotation"), f"{data.get('generation')} / {data.get('current')}")
            ]
        case "login.suspicious":
            return _("The sign-in was unusual; the owner is told:"), _unusual(data)
        case "refresh.suspicious" | "refresh.noted" | "session.suspicious":
            return _("It was used in an unusual way; the owner is told:"), _unusual(data)
        case "device.new":
            return _("First sign-in on this device"), []
    return line.kind, [(str(name), str(value)[:500]) for name, value in data.items()]


def _of_row(session: DeviceSession, kinds: set[str], is_cut: bool) -> Iterator[Moment]:
    """What no line of the log says; and what it would say, were it kept so long."""
    if "session.started" not in kinds and not is_cut:
        details = tuple(_of_start(session))
        yield Moment(session.created_at, _("Signed in"), session.ip_address, details)
    if session.generation:
        yield Moment(session.rotated_at, _("Tokens refreshed"), None, _times(session.generation))
    if session.binding_proofs and session.binding_proved_at is not None:
        details = _times(session.binding_proofs)
        yield Moment(session.binding_proved_at, _("Key proved"), None, details)
    if session.last_active > session.created_at:
        yield Moment(session.last_active, _("Last active"), session.last_ip)
    if session.revoked_at is not None and "session.revoked" not in kinds:
        who = _by(session, session.revoked_by, session.revoked_by_id)
        yield Moment(session.revoked_at, _ended(session.revoke_reason), None, tuple(who))
    if session.status is Status.EXPIRED:
        yield Moment(session.expires_at, _("Expired, because it was not used"))
    if session.status is Status.ACTIVE:
        yield Moment(session.expires_at, _("Will expire, unless it is used before"))


def _times(count: int) -> tuple[tuple[str, str], ...]:
    times = ngettext("%(n)s time so far", "%(n)s times so far", count)
    return (("", times % {"n": count}),)


def _of_start(session: DeviceSession) -> list[tuple[str, str]]:
    place = place_name(session.city, session.country, is_uncertain=session.is_place_uncertain)
    return [
        *_text(_("By"), session.login_method),
        *_text(_("Device"), session.device),
        *_text(_("Place"), place),
    ]


def _of_key(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        *_text(_("Binding"), dict(Binding.choices).get(data.get("binding", ""))),
        *_text(_("Reason"), data.get("reason")),
    ]


def _ended(reason: Any) -> str:
    known = dict(RevokeReason.choices)
    return _("Ended: %(reason)s") % {"reason": known.get(reason, reason)}


def _by(session: DeviceSession, who: AbstractBaseUser | None, key: Any) -> list[tuple[str, str]]:
    if who is None:
        return _text(_("By"), key and _("a deleted user (%(key)s)") % {"key": key})
    return [(_("By"), _("the owner") if who.pk == session.user_id else str(who))]


def _unusual(data: dict[str, Any]) -> list[tuple[str, str]]:
    told = [("", sentence) for sentence in sentences(data.get("reasons") or ())]
    return [*told, *_text(_("Score"), data.get("score"))]


def _text(name: str, value: Any) -> list[tuple[str, str]]:
    return [(name, str(value))] if value not in (None, "") else []
