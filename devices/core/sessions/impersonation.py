"""Impersonation: who acts, why, for a limited time. It confirms nothing, and sends no e-mails."""

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import database
from devices.core.clients import geolocation
from devices.core.clients.client import Client, describe_device
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.security_log import Event, log_on_commit
from devices.exceptions import AccountNotActive, Impersonated, SessionError
from devices.models import DeviceSession, RevokeReason

from . import validation
from .login import new_session
from .revocation import lock, revoke

METHOD = "impersonation"


def start_impersonated(
    user: AbstractBaseUser, client: Client, *, by: DeviceSession, note: str = ""
) -> DeviceSession:
    """Begin a session for a user in which somebody else acts, who is signed in by `by`.

    It ends after IMPERSONATION_MAX_AGE, with the session `by`, and with whatever ends sessions of the user.
    No second factor is asked for, no session of the user's makes room for it, and nothing is learned from it.
    `note` says why; staff alone read it. Whether they may is asked in `core.staff.accounts`.

    Raises AccountNotActive if the user is not active, and Impersonated if `by` is such a session itself.
    """
    if by.is_impersonated:
        raise Impersonated
    device, place = describe_device(client, conf.LABEL_RULES), geolocation.locate(client.ip_address)
    with database.atomic():
        account = lock(user)
        if account is None or not account.is_active:
            raise AccountNotActive
        now = timezone.now()
        session = new_session(
            account,
            client,
            device,
            place,
            now,
            now + conf.IMPERSONATION_MAX_AGE,
            login_method=METHOD,
            # Nobody proved to be the user; a time there has to be.
            authenticated_at=now,
            impersonator_id=by.user_id,
            impersonator_session_id=by.pk,
        )
        session.save(force_insert=True)
        told = {"method": METHOD} | ({"note": note} if note else {})
        address = client.ip_address
        activity.record_all(
            [
                Entry(session, "session.started", told, address, by=by.user_id),
                Entry(by, "session.impersonated", {"session": str(session.pk)}, address),
            ]
        )
        database.announce(signals.session_started, session=session)
        log_on_commit(Event.SESSION_STARTED, session, client, method=METHOD)
        log_on_commit(Event.SESSION_IMPERSONATED, session, client, by=str(by.user_id), note=note)
    return session


def end_impersonated(session: DeviceSession) -> DeviceSession:
    """End such a session, and return the one that it was begun in.

    Raises SessionError if that has ended meanwhile: then nobody is signed in any more.
    """
    by = session.impersonator
    revoke(session, reason=RevokeReason.IMPERSONATION, by=by)
    origin = validation.origin(session)
    validation.check(origin, timezone.now())
    if validation.ended_by_account(origin):
        raise SessionError
    return origin
