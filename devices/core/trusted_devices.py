"""Devices that sign in without a second factor for a while: the only writer of TrustedDevice.

A device becomes trusted after its user has shown a second factor there (`core.sessions.trust_device`), and
only a login asks. It takes the place of no proof: such a session has no `mfa_at`.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices.conf import conf
from devices.core import second_factor
from devices.core.clients.client import Client
from devices.core.clients.device_key import proven_key
from devices.models import (
    Binding,
    DeviceSession,
    RevokeReason,
    TrustedDevice,
    TrustedDeviceQuerySet,
    password_stamp,
)

# An id of an app that is shorter may be guessed, and is known by no secret.
APP_ID_LENGTH: Final = 16
# For these a session ends because its device, or who has it, is not trusted any more. LOGOUT is none.
ENDING: Final = {
    RevokeReason.USER,
    RevokeReason.USER_ALL,
    RevokeReason.ADMIN,
    RevokeReason.REUSE,
}


def key_of(user_id: Any, client: Client, thumbprint: str = "") -> str:
    """The key by which this device can be trusted; "" if it shows nothing that only it has."""
    if not thumbprint and client.app_id and len(client.app_id) < APP_ID_LENGTH:
        return ""
    return proven_key(user_id, client, thumbprint)


def of_user(user: AbstractBaseUser) -> TrustedDeviceQuerySet:
    """Return a queryset of the devices on which the user signs in without a second factor, latest first."""
    max_age = conf.TRUSTED_DEVICE_MAX_AGE
    if max_age is None:
        return TrustedDevice.objects.none()
    since = timezone.now() - max_age
    mine = TrustedDevice.objects.for_user(user).filter(trusted_at__gt=since)
    if not mine.exists():
        return mine.none()
    return mine.filter(factor_stamp=second_factor.stamp(user)).order_by("-trusted_at")


def until(trusted: TrustedDevice) -> datetime:
    """When a device that is trusted now is not any more."""
    return trusted.trusted_at + (conf.TRUSTED_DEVICE_MAX_AGE or timedelta())


def is_trusted(user: AbstractBaseUser, key: str) -> bool:
    """Whether the user's device of this key signs in without a second factor."""
    if not key or conf.TRUSTED_DEVICE_MAX_AGE is None:
        return False
    return of_user(user).filter(device_key=key).exists()


def remember(user: AbstractBaseUser, session: DeviceSession, client: Client) -> bool:
    """Trust the device of this session, from now on and not longer than TRUSTED_DEVICE_MAX_AGE.

    `user` is the locked row. False if nothing shows that it is this device, or no device is trusted at all.
    """
    thumbprint = session.binding_key if session.binding == Binding.DPOP else ""
    key = key_of(user.pk, client, thumbprint)
    # A session may have another key than its client shows: see `login_history.is_another_kind`.
    if conf.TRUSTED_DEVICE_MAX_AGE is None or not key or key != session.device_key:
        return False
    TrustedDevice.objects.update_or_create(
        user_id=user.pk,
        device_key=key,
        defaults={
            "device": session.device,
            "device_type": session.device_type,
            "password_stamp": password_stamp(user.password),
            "factor_stamp": second_factor.stamp(user),
            "trusted_at": timezone.now(),
        },
    )
    return True


def forget(user_id: Any, *, keep: uuid.UUID | None = None) -> int:
    """Remove the trust in all devices of the user, except that of the session to keep; return how many."""
    if conf.TRUSTED_DEVICE_MAX_AGE is None:
        # None is trusted, and the clean-up deletes them.
        return 0
    mine = TrustedDevice.objects.filter(user_id=user_id)
    if keep is not None:
        kept = DeviceSession.objects.filter(pk=keep, user_id=user_id)
        mine = mine.exclude(device_key__in=kept.values("device_key"))
    return mine.delete()[0]


def forget_one(user: AbstractBaseUser, pk: uuid.UUID) -> bool:
    """Trust this device of the user no more. False if it was not trusted."""
    return bool(of_user(user).filter(pk=pk).order_by().delete()[0])


def sessions_ended(sessions: Iterable[DeviceSession], reason: str) -> None:
    """Do not trust the devices of these sessions any more, if they ended for a reason that says so."""
    if reason == RevokeReason.NOT_ME:
        # Somebody has the password, and perhaps a copy of what one of the devices is known by.
        TrustedDevice.objects.filter(user_id__in={session.user_id for session in sessions}).delete()
    elif reason in ENDING:
        # A key is that of one user's device.
        TrustedDevice.objects.filter(device_key__in={each.device_key for each in sessions}).delete()


def hashed_anew(user: AbstractBaseUser, hashed: str) -> None:
    """The user's password is the same under another hash: their devices stay trusted."""
    if conf.TRUSTED_DEVICE_MAX_AGE is None:
        return
    mine = TrustedDevice.objects.for_user(user)
    mine.update(password_stamp=password_stamp(hashed))


def purge(limit: int) -> int:
    """Delete at most so many rows that count no more, and return how many."""
    old = TrustedDevice.objects.all()
    if (max_age := conf.TRUSTED_DEVICE_MAX_AGE) is not None:
        old = old.filter(trusted_at__lte=timezone.now() - max_age)
    keys = list(old.order_by("trusted_at").values_list("pk", flat=True)[:limit])
    return old.filter(pk__in=keys).delete()[0]
