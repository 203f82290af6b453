"""What users do to their active sessions: rename, confirm, say whether a login was theirs."""

import uuid
from functools import cache
from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import DateTimeField
from django.utils import timezone

from devices.conf import conf
from devices.core import database, second_factor, trusted_devices
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.log import activity
from devices.core.log.export import SESSION_FIELDS
from devices.core.log.security_log import Event, log_on_commit
from devices.core.notifications import outbox
from devices.core.risk import assessment, login_history
from devices.core.statements import Parameter, Select
from devices.exceptions import Impersonated, ReviewLinkSpent, SessionRevoked
from devices.models import (
    DeviceSession,
    DeviceSessionQuerySet,
    NotificationKind,
    RevokeReason,
    password_stamp,
)

from .revocation import assign, lock, revoke, unrevoked


def list_active(user: AbstractBaseUser) -> list[DeviceSession]:
    """The user's active sessions, the last active first, with the columns that their list shows."""
    given = {
        "user_id": user.pk,
        "password_stamp": password_stamp(user.password),
        "now": timezone.now(),
    }
    return _active(database.alias()).run(given)


@cache
def _active(using: str) -> Select:
    """The statement of `list_active`."""
    fields: Any = DeviceSession._meta
    columns = {field.name for field in fields.concrete_fields}
    rows = DeviceSession.objects.filter(
        user_id=Parameter("user_id", fields.get_field("user")),
        password_stamp=Parameter("password_stamp", fields.get_field("password_stamp")),
    )
    active = rows.active(cast(Any, Parameter("now", DateTimeField())))
    shown = active.only(*columns.intersection(SESSION_FIELDS))
    return Select(shown.order_by("-last_active", "-created_at"), using)


def remember_provider(session: DeviceSession, digest: str) -> None:
    """Note with which session at an identity provider it began."""
    unrevoked(session).update(provider_sid=digest)


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
        proved["reauth_required_since"] = None
    with database.atomic():
        if not unrevoked(session).update(**proved):
            raise SessionRevoked
        invalidation.publish([session.user_id])
        assign([session], proved)
        confirmed = {"method": method}
        activity.record(session, "session.confirmed", confirmed, ip_address=client.ip_address)


def trust_device(session: DeviceSession, client: Client, *, factor: str = "") -> bool:
    """Let later logins on the device of this session begin without a second factor.

    For TRUSTED_DEVICE_MAX_AGE. `factor` is the one that was shown. False, and nothing changes, if no device
    is trusted; if no second factor was shown in the session, or a recovery code; if it is doubted, or
    somebody else's, or has ended; or if the client shows nothing by which only this device is known.
    """
    if conf.TRUSTED_DEVICE_MAX_AGE is None or session.is_impersonated:
        return False
    if session.mfa_at is None or factor == second_factor.RECOVERY:
        return False
    with database.atomic():
        # Under the lock that ends all trust, so that none is given after that.
        account = lock(session.user)
        if account is None or not account.is_active:
            return False
        mine = unrevoked(session).filter(
            password_stamp=password_stamp(account.password), reauth_required_since=None
        )
        if not mine.exists() or not trusted_devices.remember(account, session, client):
            return False
        activity.record(session, "device.trusted", ip_address=client.ip_address)
        log_on_commit(Event.DEVICE_TRUSTED, session, client)
    return True


def rename(session: DeviceSession, name: str) -> None:
    """Give a session a name of at most 64 characters. Raises SessionRevoked if it has ended."""
    with database.atomic():
        if not unrevoked(session).update(name=name):
            raise SessionRevoked
        activity.record(session, "session.renamed", {"from": session.name, "to": name})
        invalidation.publish([session.user_id])
        session.name = name


def get_pending_review(session_id: uuid.UUID) -> DeviceSession:
    """The session whose owner is asked whether it is theirs. Raises ReviewLinkSpent if they have said no."""
    session = _may_be_disowned().filter(pk=session_id).first()
    if session is None:
        raise ReviewLinkSpent
    return session


def review(session_id: uuid.UUID, *, is_mine: bool) -> DeviceSession:
    """Store the owner's answer whether a login was theirs. Raises ReviewLinkSpent if it was given before.

    Yes: the device and the place are known from now on, the doubt ends, and the owner gets an e-mail.
    No: the session ends, and the device counts as a stranger's. A No also works after a Yes, because an
    attacker may have said yes; a Yes works only once.

    The caller must know that the owner answers: by the link in the e-mail, or by another of their sessions
    that needs no confirmation (`core.step_up`). Never by the session in question.
    """
    with database.atomic():
        session = DeviceSession.objects.select_related("user").filter(pk=session_id).first()
        if session is None or lock(session.user) is None:
            raise ReviewLinkSpent
        answer: dict[str, Any] = {"reviewed_at": timezone.now()}
        asked = _may_be_disowned().filter(pk=session_id, user_id=session.user_id)
        if is_mine:
            answer["reauth_required_since"] = None
            asked = asked.filter(reviewed_at__isnull=True)
        if not asked.update(**answer):
            raise ReviewLinkSpent
        assign([session], answer)
        invalidation.publish([session.user_id])
        learn = login_history.mark_known if is_mine else login_history.mark_unknown
        learn(session.user_id, login_history.login_of(session))
        activity.record(session, "session.reviewed", {"mine": is_mine})
        if is_mine:
            facts = assessment.facts_of(session, at=session.created_at)
            outbox.write(session.user_id, NotificationKind.SESSION_APPROVED, facts, session.pk)
        else:
            revoke(session, reason=RevokeReason.NOT_ME)
    return session


def _may_be_disowned() -> DeviceSessionQuerySet:
    return DeviceSession.objects.exclude(revoke_reason=RevokeReason.NOT_ME)
