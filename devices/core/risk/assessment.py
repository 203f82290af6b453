"""What comes of a judgement: lines for the log, a mail to the owner, a word to strangers after commit."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from devices import signals
from devices.conf import conf
from devices.core import database
from devices.core.clients import geolocation
from devices.core.clients.client import Client, describe_device, os_family
from devices.core.log.activity import Entry
from devices.core.log.security_log import Event, log_on_commit
from devices.core.notifications import outbox
from devices.models import DeviceSession, NotificationKind, RiskLevel

from .rules import Assessment, Bearer, Kind, assess_refresh, is_other_kind

LENGTH: Final = 255  # of DeviceSession.unusual_uses
# Prefixes what was logged, but not reported.
NOTED: Final = "~"


def facts_of(session: DeviceSession, at: datetime, client: Client | None = None) -> dict[str, Any]:
    """What a mail says of a session; with the address of `client`, if somebody else may be there now."""
    return {
        "address": client.ip_address if client else session.ip_address,
        "device": session.device,
        "country": session.country,
        "city": session.city,
        "is_place_uncertain": session.is_place_uncertain,
        "at": at.isoformat(timespec="seconds"),
    }


def of_login(session: DeviceSession, judged: Assessment, client: Client) -> list[Entry]:
    """Report a login in its transaction, and return the entries for the log."""
    facts = facts_of(session, session.created_at) | judged.as_json()
    is_suspicious = judged.is_at_least(RiskLevel.MEDIUM)
    entries = []
    if new := [reason for reason in judged.reasons if reason.code == "new_device"]:
        data = judged.as_json() if not is_suspicious else new[0].as_json()
        entries.append(Entry(session, "device.new", data, client.ip_address))
        database.announce(signals.device_first_seen, session=session)
        if conf.NOTIFY_NEW_DEVICE and not is_suspicious:
            outbox.write(session.user_id, NotificationKind.NEW_DEVICE, facts, session.pk)
    if is_suspicious:
        facts["refused"] = session.revoked_at is not None
        entries += _suspect(session, "login.suspicious", judged, client, facts)
    return entries


class Use(NamedTuple):
    """A use of a session that is unlike its beginning, in a way that was not found before."""

    judged: Assessment
    # For the session's `unusual_uses`.
    found: str

    @property
    def is_doubtful(self) -> bool:
        """Whether the session is doubted because of this use."""
        return self.judged.is_at_least(RiskLevel.HIGH)


def judge_use(session: DeviceSession, client: Client, *, is_noted: bool = False) -> Use | None:
    """How unusual it is who uses a session; None if nothing is unusual that was not found before. No query.

    Countries and kinds of device are found once each, and not again at each use. What was only noted
    (`is_noted`: written into the security log, told to nobody) can still be found later.
    """
    if client.user_agent == session.user_agent and client.ip_address == session.last_ip:
        return None
    if session.is_impersonated:
        # The owner who gets the e-mail is not the one in this session.
        return None
    began, now = _began(session), _bearer(session, client)
    judged = assess_refresh(began, now)
    before = session.unusual_uses.splitlines()
    marks = [_mark(reason.code, now) for reason in judged.reasons]
    if is_noted:
        marks = [NOTED + mark for mark in marks if mark not in before]
    new = [mark for mark in marks if mark not in before]
    return Use(judged, _shortened([*new, *before])) if new else None


def is_elsewhere(session: DeviceSession, client: Client) -> bool:
    """Whether this is another kind of device, or in another country, than whoever rotated last. No query.

    What the session was seen to be used by before is no other kind; the country it began in is no other.
    """
    began, now = _began(session), _bearer(session, client)
    if is_other_kind(began.kind, now.kind):
        return _mark("refresh_device_class", now) not in session.unusual_uses.splitlines()
    last, country = geolocation.locate(session.last_ip).certain_country, now.certain_country
    return bool(country and last) and country not in (last, began.country)


def values_of(session: DeviceSession, use: Use, now: datetime) -> dict[str, Any]:
    """What an unusual use changes in the row: the owner is asked again, and the session may be doubted."""
    values: dict[str, Any] = {"unusual_uses": use.found}
    judged = use.judged
    if judged.score > session.risk_score:
        values |= {"risk_score": judged.score, "risk_level": judged.level}
    if judged.is_at_least(RiskLevel.MEDIUM):
        values["reviewed_at"] = None
    if use.is_doubtful:
        values["reauth_required_since"] = now
    return values


def of_refresh(session: DeviceSession, use: Use, client: Client, now: datetime) -> list[Entry]:
    """As `of_login`, of a refresh."""
    if use.judged.is_at_least(RiskLevel.MEDIUM):
        facts = _facts_of_use(session, use, client, now)
        return _suspect(session, "refresh.suspicious", use.judged, client, facts)
    return [Entry(session, "refresh.noted", use.judged.as_json(), client.ip_address)]


def of_cookie(session: DeviceSession, use: Use, client: Client, now: datetime) -> list[Entry]:
    """As `of_login`, of a cookie that is doubted."""
    facts = _facts_of_use(session, use, client, now)
    return _suspect(session, "session.suspicious", use.judged, client, facts)


def note_use(session: DeviceSession, use: Use, client: Client) -> None:
    """Write a use into the security log, and nowhere else."""
    reasons = " ".join(reason.code for reason in use.judged.reasons)
    log_on_commit(Event.SESSION_USED_ELSEWHERE, session, client, reasons=reasons)


def _facts_of_use(
    session: DeviceSession, use: Use, client: Client, now: datetime
) -> dict[str, Any]:
    place = geolocation.locate(client.ip_address)
    there = {
        "country": place.country,
        "city": place.city,
        "is_place_uncertain": place.is_uncertain,
        "at_refresh": True,
    }
    return facts_of(session, now, client) | use.judged.as_json() | there


def _began(session: DeviceSession) -> Bearer:
    kind = Kind(session.device_type, os_family(session.os))
    return Bearer(kind, session.country, session.device, session.is_place_uncertain)


def _bearer(session: DeviceSession, client: Client) -> Bearer:
    place = geolocation.locate(client.ip_address)
    if client.user_agent == session.user_agent:
        return _began(session)._replace(country=place.country, is_uncertain=place.is_uncertain)
    now = describe_device(client, conf.LABEL_RULES)
    kind = Kind(now.device_type, os_family(now.os))
    return Bearer(kind, place.country, now.device, place.is_uncertain)


def _mark(code: str, now: Bearer) -> str:
    return now.country if code == "refresh_country" else "/".join(now.kind)


def _shortened(marks: list[str]) -> str:
    """The latest that fit, a line for each."""
    text = "\n".join(marks)
    return text if len(text) <= LENGTH else text[: LENGTH + 1].rpartition("\n")[0]


def _suspect(
    session: DeviceSession, kind: str, judged: Assessment, client: Client, facts: dict[str, Any]
) -> list[Entry]:
    outbox.write(session.user_id, NotificationKind.SUSPICIOUS_LOGIN, facts, session.pk)
    database.announce(signals.suspicious_login, session=session, **judged.as_json())
    log_on_commit(
        Event.LOGIN_SUSPICIOUS,
        session,
        client,
        kind=kind,
        level_of_risk=str(judged.level),
        reasons=" ".join(reason.code for reason in judged.reasons),
    )
    return [Entry(session, kind, judged.as_json(), client.ip_address)]
