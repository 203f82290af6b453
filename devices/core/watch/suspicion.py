"""What comes of a judgement: lines for the log, a mail to the owner, a word to strangers after commit."""

from datetime import datetime
from typing import Any

from devices import signals
from devices.conf import conf
from devices.core.caller import geo
from devices.core.caller.client import Client, label, os_family
from devices.core.log.activity import Entry
from devices.core.log.audit import Event
from devices.core.log.telling import announce, log
from devices.models import DeviceSession, NoticeKind, RiskLevel

from . import notices
from .risk import Assessment, Bearer, assess_refresh


def facts_of(session: DeviceSession, at: datetime) -> dict[str, Any]:
    """What a mail says of a session."""
    return {
        "device": session.device,
        "country": session.country,
        "city": session.city,
        "at": at.isoformat(timespec="seconds"),
    }


def of_login(session: DeviceSession, judged: Assessment, client: Client) -> list[Entry]:
    """Tell of a login whatever is to be told; the lines for the log. In the login's transaction."""
    facts = facts_of(session, session.created_at) | judged.as_json()
    is_suspicious = judged.is_at_least(RiskLevel.MEDIUM)
    entries = []
    if new := [reason for reason in judged.reasons if reason.code == "new_device"]:
        data = judged.as_json() if not is_suspicious else new[0].as_json()
        entries.append(Entry(session, "device.new", data, client.ip_address))
        announce(signals.device_first_seen, session=session)
        if conf.NOTIFY_NEW_DEVICE and not is_suspicious:
            notices.write(session.user_id, NoticeKind.NEW_DEVICE, facts, session.pk)
    if is_suspicious:
        facts["refused"] = session.revoked_at is not None
        entries += _suspect(session, "login.suspicious", judged, client, facts)
    return entries


def judge_refresh(session: DeviceSession, client: Client) -> Assessment | None:
    """How strange it is who refreshes a session; None if no stranger than before. No query.

    What was found once is not found again at each refresh: only a higher score is news.
    """
    if client.user_agent == session.user_agent and client.ip_address == session.last_ip:
        return None
    now = label(client, conf.LABEL_RULES) if client.user_agent != session.user_agent else None
    judged = assess_refresh(
        Bearer(session.device_type, os_family(session.os), session.country, session.device),
        Bearer(
            now.device_type if now else session.device_type,
            os_family(now.os if now else session.os),
            geo.locate(client.ip_address).country,
            now.device if now else session.device,
        ),
    )
    return judged if judged.score > session.risk_score else None


def of_refresh(
    session: DeviceSession, judged: Assessment, client: Client, now: datetime
) -> list[Entry]:
    """As `of_login`, of a refresh."""
    place = geo.locate(client.ip_address)
    facts = facts_of(session, now) | judged.as_json()
    facts |= {"country": place.country, "city": place.city, "at_refresh": True}
    if judged.is_at_least(RiskLevel.MEDIUM):
        return _suspect(session, "refresh.suspicious", judged, client, facts)
    return [Entry(session, "refresh.noted", judged.as_json(), client.ip_address)]


def _suspect(
    session: DeviceSession, kind: str, judged: Assessment, client: Client, facts: dict[str, Any]
) -> list[Entry]:
    notices.write(session.user_id, NoticeKind.SUSPICIOUS_LOGIN, facts, session.pk)
    announce(signals.suspicious_login, session=session, **judged.as_json())
    log(
        Event.LOGIN_SUSPICIOUS,
        session,
        client,
        kind=kind,
        level_of_risk=str(judged.level),
        reasons=" ".join(reason.code for reason in judged.reasons),
    )
    return [Entry(session, kind, judged.as_json(), client.ip_address)]
