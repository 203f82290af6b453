"""What happens to an account happens to its sessions."""

from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractBaseUser

from devices.core import database
from devices.core.life import liveness
from devices.core.log import activity
from devices.core.proof import attempts
from devices.core.watch import past
from devices.exceptions import AccountNotActive
from devices.models import DeviceSession, RevokeReason, auth_stamp

from .ending import end, end_values, note_end, revoke_all
from .rows import is_same, lock, unrevoked


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
        unrevoked(keep).update(auth_stamp=auth_stamp(user.password))
        user.save(update_fields=["password"])
        keep.auth_stamp = auth_stamp(user.password)


def check_password(user: AbstractBaseUser, password: str | None) -> bool:
    """As the user model's own, but a password that is merely hashed anew, by a better hasher, ends nothing.

    For user models: `def check_password(self, password): return sessions.check_password(self, password)`.
    """

    def rehash(password: str) -> None:
        with database.atomic():
            account = lock(user)
            if account is None or account.password != user.password:
                # Hashed anew by a login beside this one, or changed.
                if account and hashers.check_password(password, account.password):
                    user.password = account.password
                return
            sessions = DeviceSession.objects.of(user)
            hashed = hashers.make_password(password)
            sessions.filter(revoked_at__isnull=True).update(auth_stamp=auth_stamp(hashed))
            user.password = hashed
            user.save(update_fields=["password"])

    return hashers.check_password(password, user.password, rehash)


def account_changed(user: AbstractBaseUser, *, keep: DeviceSession | None = None) -> None:
    """End what the saved account ends: every session if inactive, else those under another password.

    The one to keep, if it is the user's own, goes on under the new password.
    """
    sessions = DeviceSession.objects.filter(user_id=user.pk)
    with database.atomic():
        lock(user)
        if user.is_active:
            stamp = auth_stamp(user.password)
            if keep is not None and keep.user_id == user.pk and keep.auth_stamp != stamp:
                # Unless another change of the password was faster.
                unrevoked(keep).filter(auth_stamp=keep.auth_stamp).update(auth_stamp=stamp)
                keep.auth_stamp = stamp
            stale = sessions.exclude(auth_stamp=stamp)
            entries = end(stale, RevokeReason.PASSWORD_CHANGED)
        else:
            entries = end(sessions, RevokeReason.DEACTIVATED)
        liveness.forget([user.pk])
        activity.record_all(entries)


def disown_all(user: AbstractBaseUser) -> None:
    """End all sessions of an account that its owner has only now proved to be theirs; learn from none."""
    with database.atomic():
        revoke_all(user, reason=RevokeReason.NOT_ME)
        past.forget(user.pk)
        attempts.pardon(user.get_username())


def account_leaves(user: AbstractBaseUser) -> None:
    """End the sessions of an account that is being deleted, in its transaction; their rows go with it.

    Logins wait until that is over, and then find nobody. Whoever listens for the end of sessions is told of
    each active one.
    """
    lock(user)
    active = list(DeviceSession.objects.filter(user_id=user.pk).active())
    note_end(active, end_values(RevokeReason.DEACTIVATED, None), "")
    liveness.forget([user.pk])
