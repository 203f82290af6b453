"""What happens to an account happens to its sessions."""

from collections.abc import Iterable, Sequence
from typing import Final

from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from devices import signals
from devices.core import database, hashing, logins, throttling, trusted_devices
from devices.core.clients.client import Client
from devices.core.liveness import invalidation
from devices.core.log import activity, security_log
from devices.core.log.security_log import Event
from devices.core.notifications import outbox
from devices.core.risk import login_history
from devices.exceptions import AccountNotActive, SessionRevoked
from devices.models import DeviceSession, RevokeReason, password_stamp

from .revocation import (
    after_revoke,
    is_same,
    lock,
    revocation_values,
    revoke_all,
    revoke_rows,
    unrevoked,
)

# PostgreSQL, appendix A.
LOCK_NOT_AVAILABLE: Final = "55P03"


def change_password(user: AbstractBaseUser, password: str, *, keep: DeviceSession) -> None:
    """Give the user another password; all sessions but the one to keep end with the old one.

    Raises AccountNotActive if the account was deactivated or got another password meanwhile.
    """
    with database.atomic():
        account = lock(user)
        if not is_same(account, user):
            raise AccountNotActive
        user.set_password(password)
        # Before the save, which ends whatever is not under the new password.
        unrevoked(keep).update(password_stamp=password_stamp(user.password))
        user.save(using=database.alias(), update_fields=["password"])
        keep.password_stamp = password_stamp(user.password)


def recheck(session: DeviceSession) -> None:
    """Look once more whether the session of a request is active, before or after it changes the account.

    The session may have ended since the request was authenticated. Call it in the transaction of the change,
    where it holds the user's row, or right after the change, to take that back. Raises SessionRevoked.
    """
    with database.atomic():
        account = lock(session.user)
        if account is None or not account.is_active:
            raise SessionRevoked
        if not unrevoked(session).filter(password_stamp=password_stamp(account.password)).exists():
            raise SessionRevoked


def check_password(user: AbstractBaseUser, password: str | None) -> bool:
    """Return whether this is the user's password, for `check_password` of a user model of your own.

    A password that is hashed anew by a better hasher then ends no session. It counts as no attempt; views use
    `devices.shortcuts.check_password`.
    """

    def rehash(password: str) -> None:
        with database.atomic():
            account = lock(user)
            if account is None or account.password != user.password:
                # Hashed anew by a login beside this one, or changed.
                if account and hashers.check_password(password, account.password):
                    user.password = account.password
                return
            sessions = DeviceSession.objects.for_user(user)
            try:
                hashed = hashers.make_password(password)
            except ValueError:
                if hashing.is_too_long(password):
                    # The better hasher does not take it; it stays under the one before.
                    return
                raise
            trusted_devices.hashed_anew(user, hashed)
            sessions.filter(revoked_at__isnull=True).update(password_stamp=password_stamp(hashed))
            user.password = hashed
            user.save(using=database.alias(), update_fields=["password"])

    return hashing.is_right(
        lambda given: hashers.check_password(given, user.password, rehash), password
    )


def account_changed(
    user: AbstractBaseUser, *, has_new_password: bool, keep: DeviceSession | None = None
) -> None:
    """End what the saved account ends: every session if inactive, else those under another password.

    The session to keep, if it is the user's own, gets the new password's stamp. Whether the password is new,
    and not only hashed anew, is for `all_sessions_revoked`.
    """
    sessions = DeviceSession.objects.filter(user_id=user.pk)
    with database.atomic():
        # Also where it finds nothing to end: the account may have been saved in a transaction before this.
        database.commit_durably()
        lock(user)
        if user.is_active:
            stamp = password_stamp(user.password)
            if keep is not None and keep.user_id == user.pk and keep.password_stamp != stamp:
                # Unless another change of the password was faster.
                unrevoked(keep).filter(password_stamp=keep.password_stamp).update(
                    password_stamp=stamp
                )
                keep.password_stamp = stamp
            stale = sessions.exclude(password_stamp=stamp)
            reason = RevokeReason.PASSWORD_CHANGED
            entries = revoke_rows(stale, reason)
        else:
            trusted_devices.forget(user.pk)
            reason = RevokeReason.DEACTIVATED
            entries = revoke_rows(sessions, reason)
        if has_new_password or not user.is_active:
            database.announce(signals.all_sessions_revoked, user=user, reason=str(reason))
        invalidation.publish([user.pk])
        activity.record_all(entries)


def revoke_all_as_unknown(user: AbstractBaseUser) -> None:
    """End all sessions of an account that its owner has only now proved to be theirs, and learn from none.

    For the first verification of an address: somebody else may have registered it.
    """
    with database.atomic():
        revoke_all(user, reason=RevokeReason.NOT_ME)
        # No link that asks about an earlier session has anything learned from it.
        asked = DeviceSession.objects.filter(user_id=user.pk, reviewed_at__isnull=True)
        asked.update(reviewed_at=timezone.now())
        login_history.erase(user.pk)
        throttling.reset(logins.username_of(user))


def account_recovered(
    user: AbstractBaseUser, client: Client, *, address: str, displaced: Iterable[str]
) -> None:
    """End all sessions of an account that its owner has taken back; record it, and e-mail the owner.

    All e-mails that can be switched off are on again. Call it in the transaction that restores the account.

    Args:
        user: the owner.
        client: who took it back, as `devices.shortcuts.get_client` returns it.
        address: the address that the account has from now on.
        displaced: the addresses of whoever had taken it, which get no further e-mails.
    """
    with database.atomic():
        revoke_all_as_unknown(user)
        last = DeviceSession.objects.filter(user_id=user.pk).order_by("-created_at").first()
        if last is not None:
            activity.record(last, "account.recovered", ip_address=client.ip_address)
        outbox.reset_preferences(user)
        outbox.tell_account_recovered(user.pk, address, displaced)
        database.on_commit(
            lambda: security_log.log(Event.ACCOUNT_RECOVERED, user_id=user.pk, client=client)
        )


def account_leaves(user: AbstractBaseUser) -> None:
    """End the sessions of an account that is being deleted, in its transaction; their rows go with it.

    Logins wait for the transaction, and then find no user. `session_revoked` is sent for each active
    session.
    """
    lock(user)
    account_left(user, active_of(user))


def active_of(user: AbstractBaseUser) -> list[DeviceSession]:
    """The active sessions of an account."""
    return list(DeviceSession.objects.filter(user_id=user.pk).active())


def refuse_to_wait(user: AbstractBaseUser, using: str) -> None:
    """Raise TransactionManagementError if a deletion of the account by this alias would wait for ours.

    PostgreSQL sees no deadlock where one of the two waits in Python. A request notes that its session is in
    use in whatever transaction a view has begun.
    """
    rows = DeviceSession.objects.using(using).filter(user_id=user.pk).order_by("pk")
    try:
        list(rows.select_for_update(nowait=True).values_list("pk"))
    except OperationalError as error:
        if database.sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise TransactionManagementError(
            f"The account is deleted by the alias {using!r} within a transaction of {database.alias()!r}, "
            "which may have locked its sessions. Delete it after that transaction, or by its alias."
        ) from error


def account_left(user: AbstractBaseUser, active: Sequence[DeviceSession]) -> None:
    """Tell of these sessions of an account that they end, in the transaction that deletes it, or after it."""
    database.commit_durably()
    activity.tell(after_revoke(active, revocation_values(RevokeReason.DEACTIVATED, None), ""))
    invalidation.publish([user.pk])
