"""What happened here, in the words of CAEP 1.0. Knows no stream and no service."""

import time
import uuid
from typing import Any, Final, NamedTuple

from django.utils import translation
from rest_framework_simplejwt import settings as simplejwt

from devices.core.log.activity import Entry
from devices.models import Notification, NotificationKind, RevokeReason

_CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
SESSION_REVOKED: Final = f"{_CAEP}session-revoked"
CREDENTIAL_CHANGE: Final = f"{_CAEP}credential-change"
ASSURANCE_LEVEL_CHANGE: Final = f"{_CAEP}assurance-level-change"
DEVICE_COMPLIANCE_CHANGE: Final = f"{_CAEP}device-compliance-change"
VERIFICATION: Final = "https://schemas.openid.net/secevent/ssf/event-type/verification"

# What a service may ask for. Verification events come in any case.
SUPPORTED: Final = (
    SESSION_REVOKED,
    CREDENTIAL_CHANGE,
    ASSURANCE_LEVEL_CHANGE,
    DEVICE_COMPLIANCE_CHANGE,
)

Subject = dict[str, Any]

# Who ended a session (CAEP 1.0 §2): people, staff, a rule of ours, or what happened to the account.
_BY_USER: Final = (
    RevokeReason.LOGOUT,
    RevokeReason.USER,
    RevokeReason.USER_ALL,
    RevokeReason.NOT_ME,
)
_BY_STAFF: Final = (RevokeReason.ADMIN, RevokeReason.IMPERSONATION)
_BY_RULE: Final = (
    RevokeReason.LIMIT,
    RevokeReason.SUPERSEDED,
    RevokeReason.RISK,
    RevokeReason.REUSE,
    RevokeReason.PROVIDER,
)


class Event(NamedTuple):
    """An event that streams may ask for."""

    type: str
    subject: Subject
    body: dict[str, Any]
    # The key of the person: what is about them comes in order.
    about: str

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of its SET that are the same for each service (RFC 8417 §2.2)."""
        return {
            "iat": int(time.time()),
            "txn": uuid.uuid4().hex,
            "sub_id": self.subject,
            "events": {self.type: self.body},
        }


def of_entry(entry: Entry) -> Event | None:
    """The event that a line of the activity log is, if it is one."""
    session = entry.session
    about, subject = str(session.user_id), of_session(session.user_id, session.pk)
    match entry.kind:
        case "session.revoked":
            reason = RevokeReason(entry.data["reason"])
            with translation.override("en"):
                told = {"en": str(reason.label)}
            body = {"initiating_entity": _initiator(reason), "reason_admin": told}
            return Event(SESSION_REVOKED, subject, body | _now(), about)
        case "session.confirmed" if session.mfa_at == session.authenticated_at:
            body = {
                # The value of `amr` that says so (RFC 8176).
                "namespace": "RFC8176",
                "current_level": "mfa",
                "initiating_entity": "user",
            }
            return Event(ASSURANCE_LEVEL_CHANGE, subject, body | _now(), about)
        case "binding.lost":
            body = {
                "previous_status": "compliant",
                "current_status": "not-compliant",
                "initiating_entity": "system",
            }
            return Event(DEVICE_COMPLIANCE_CHANGE, subject, body | _now(), about)
    return None


def of_notification(notice: Notification) -> Event | None:
    """The event that an e-mail reports, if it is one."""
    match notice.kind, notice.data.get("method"):
        case NotificationKind.PASSWORD_CHANGED, _:
            changed = {"credential_type": "password", "change_type": "update"}
        case NotificationKind.METHOD_ADDED, ("factor" | "identity") as method:
            changed = {"credential_type": str(method), "change_type": "create"}
        case _:
            return None
    return _of_credential(notice.user_id, **changed)


def of_removal(user_id: Any, credential_type: str) -> Event:
    """The event that somebody's second factor, or account elsewhere, counts no more."""
    return _of_credential(user_id, credential_type=credential_type, change_type="revoke")


def _of_credential(user_id: Any, **changed: str) -> Event:
    return Event(CREDENTIAL_CHANGE, of_user(user_id), changed | _now(), str(user_id))


def of_user(user_id: Any) -> Subject:
    """Return the subject identifier of a user (RFC 9493)."""
    return {"format": "iss_sub", "iss": issuer(), "sub": str(user_id)}


def of_session(user_id: Any, session_id: uuid.UUID) -> Subject:
    """A user and one of their sessions: `sub` and `sid` of our access tokens."""
    session = {"format": "opaque", "id": str(session_id)}
    return {"format": "complex", "user": of_user(user_id), "session": session}


def issuer() -> str:
    """Return SIMPLE_JWT["ISSUER"], or ""."""
    return simplejwt.api_settings.ISSUER or ""


def matches(subject: Subject, event: Subject) -> bool:
    """Whether a subject that a service named is that of an event (SSF 1.0 §8.1.3.1).

    A person matches whatever is about them, and a session what is about it.
    """
    named, told = _members(subject), _members(event)
    common = named.keys() & told.keys()
    return bool(common) and all(named[name] == told[name] for name in common)


def is_subject(subject: Any) -> bool:
    """Whether this names a person or a session of ours."""
    if not isinstance(subject, dict):
        return False
    members = _members(subject)
    known = {"user": {"format", "iss", "sub"}, "session": {"format", "id"}}
    return bool(members) and all(
        name in known
        and isinstance(member, dict)
        and set(member) == known[name]
        and all(is_text(value, 255) for value in member.values())
        and member["format"] == ("iss_sub" if name == "user" else "opaque")
        for name, member in members.items()
    )


def is_text(value: Any, longest: int) -> bool:
    """Whether this is a string of at most so many characters that every database holds."""
    return isinstance(value, str) and len(value) <= longest and "\0" not in value


def _members(subject: Subject) -> dict[str, Any]:
    match subject.get("format"):
        case "complex":
            return {name: value for name, value in subject.items() if name != "format"}
        case "opaque":
            return {"session": subject}
    return {"user": subject}


def _initiator(reason: RevokeReason) -> str:
    if reason in _BY_USER:
        return "user"
    if reason in _BY_STAFF:
        return "admin"
    return "policy" if reason in _BY_RULE else "system"


def _now() -> dict[str, int]:
    return {"event_timestamp": int(time.time())}
