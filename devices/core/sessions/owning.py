"""What people do to sessions of theirs that go on: name, confirm, say whether a login was theirs."""

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices.core import database
from devices.core.caller.client import Client
from devices.core.life import liveness
from devices.core.log import activity
from devices.core.watch import notices, past, suspicion
from devices.exceptions import Impersonated, ReviewLinkSpent, SessionRevoked
from devices.models import DeviceSession, DeviceSessionQuerySet, NoticeKind, RevokeReason

from .ending import revoke
from .rows import assign, lock, unrevoked


def count_active(user: AbstractBaseUser) -> int:
    return DeviceSession.objects.of(user).active().count()


def confirm(
    session: DeviceSession,
    client: Client,
    *,
    method: str,
    mfa: bool = False,
    ends_doubt: bool = False,
) -> None:
    """Note that the person has just proved again who they are; `mfa` if by a second factor.

    A second factor ends a doubt, and so does `ends_doubt`: a proof that nobody has who only knows the
    password, such as a code that was sent to the mailbox. The password itself ends none.
    Raises SessionRevoked if the session has ended, and Impersonated if it is not the user who is here.
    """
    if session.is_impersonated:
        raise Impersonated
    now = timezone.now()
    proved: dict[str, Any] = {"authenticated_at": now}
    if mfa:
        proved["mfa_at"] = now
    if mfa or ends_doubt:
        proved["doubted_at"] = None
    with database.atomic():
        if not unrevoked(session).update(**proved):
            raise SessionRevoked
        liveness.forget([session.user_id])
        assign([session], proved)
        confirmed = {"method": method}
        activity.record(session, "session.confirmed", confirmed, ip_address=client.ip_address)


def rename(session: DeviceSession, name: str) -> None:
    """Give a session a name of at most 64 characters. Raises SessionRevoked if it has ended."""
    with database.atomic():
        if not unrevoked(session).update(name=name):
            raise SessionRevoked
        activity.record(session, "session.renamed", {"from": session.name, "to": name})
        liveness.forget([session.user_id])
        session.name = name


def asked_about(session_id: uuid.UUID) -> DeviceSession:
    """The session whose owner is asked whether it is theirs. Raises ReviewLinkSpent if they have said no."""
    session = _may_be_disowned().filter(pk=session_id).first()
    if session is None:
        raise ReviewLinkSpent
    return session


def review(session_id: uuid.UUID, *, is_mine: bool) -> DeviceSession:
    """Take the owner's word for whether a login was theirs. Raises ReviewLinkSpent if it was taken before.

    Yes: the device and the place are known from now on, the doubt ends, and the owner is told by mail.
    No: the session ends, and the device is a stranger's. A No also counts after a Yes, since a stranger may
    have said that; a Yes counts after nothing.

    The caller knows that the owner speaks: by the link in the mail, or by another session of theirs that
    owes no proof (`core.stepup`). Never by the session that is asked about.
    """
    with database.atomic():
        session = DeviceSession.objects.select_related("user").filter(pk=session_id).first()
        if session is None or lock(session.user) is None:
            raise ReviewLinkSpent
        answer: dict[str, Any] = {"reviewed_at": timezone.now()}
        asked = _may_be_disowned().filter(pk=session_id, user_id=session.user_id)
        if is_mine:
            answer["doubted_at"] = None
            asked = asked.filter(reviewed_at__isnull=True)
        if not asked.update(**answer):
            raise ReviewLinkSpent
        assign([session], answer)
        liveness.forget([session.user_id])
        learn = past.trust if is_mine else past.disown
        learn(session.user_id, past.login_of(session))
        activity.record(session, "session.reviewed", {"mine": is_mine})
        if is_mine:
            facts = suspicion.facts_of(session, at=session.created_at)
            notices.write(session.user_id, NoticeKind.SESSION_APPROVED, facts, session.pk)
        else:
            revoke(session, reason=RevokeReason.NOT_ME)
    return session


def _may_be_disowned() -> DeviceSessionQuerySet:
    return DeviceSession.objects.exclude(revoke_reason=RevokeReason.NOT_ME)
