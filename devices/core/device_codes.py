"""Codes by mail for logins on new devices: the only writer of DeviceCode.

A login that waits for its code has no session and no tokens, and nothing is learned from it. `core.sessions`
asks whether one is owed, and takes the code.
"""

import math
import uuid
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import F, Min, Sum
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from devices.core import database, second_factor
from devices.core.clients.client import Client, Label
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.notifications import outbox
from devices.core.notifications.codes import codes_of
from devices.core.risk import login_history
from devices.exceptions import DeviceCodeInvalid, TooManyAttempts
from devices.models import DeviceCode, NotificationKind, password_stamp

LIFETIME: Final = timedelta(minutes=10)
# Guesses at one challenge. All challenges of an account share the count of `throttling.begin_code`, too.
MAX_ATTEMPTS: Final = 5
# Within this time the e-mail is still on its way, and is not sent again.
RESEND_AFTER: Final = timedelta(minutes=1)
# Mails to one account in MAILS_WITHIN. Known devices of the owner need none.
MAX_MAILS: Final = 6
MAILS_WITHIN: Final = timedelta(hours=1)


def is_owed(account: AbstractBaseUser, key: str) -> bool:
    """Whether a login by one of DEVICE_CODE_METHODS needs a code, on the device of this key ("": of none).

    `account` is the locked row, with its past. Who has no address to send a code to needs none.
    """
    if login_history.knows(account, key):
        return False
    name = outbox.address_field()
    return bool(name and getattr(account, name))


def begin(
    account: AbstractBaseUser,
    client: Client,
    device: Label,
    key: str,
    *,
    method: str,
    remember: bool,
) -> DeviceCode:
    """Let a login wait for a code, and send that; the same challenge again if it waits already.

    `account` is the locked row. Raises TooManyAttempts if too many mails were sent.
    """
    now = timezone.now()
    mine = DeviceCode.objects.filter(user_id=account.pk)
    waiting = mine.filter(
        device_key=key,
        password_stamp=password_stamp(account.password),
        login_method=method,
        redeemed_at=None,
        attempts__lt=MAX_ATTEMPTS,
        created_at__gt=now - LIFETIME,
    )
    pending = waiting.order_by("-created_at").first()
    if pending is not None and now - pending.sent_at < RESEND_AFTER:
        return pending
    lately = mine.filter(created_at__gt=now - MAILS_WITHIN)
    sent = lately.aggregate(n=Sum("mails"), since=Min("created_at"))
    if (sent["n"] or 0) >= MAX_MAILS:
        wait = sent["since"] + MAILS_WITHIN - now
        raise TooManyAttempts(retry_after=math.ceil(wait.total_seconds()))
    if pending is None:
        pending = DeviceCode.objects.create(
            user_id=account.pk,
            device_key=key,
            password_stamp=password_stamp(account.password),
            login_method=method,
            remember=remember,
            created_at=now,
            sent_at=now,
        )
    else:
        mine.filter(pk=pending.pk).update(sent_at=now, mails=F("mails") + 1)
    _send(pending, device.device, client.ip_address)
    database.on_commit(
        lambda: security_log.log(Event.DEVICE_CODE_SENT, user_id=account.pk, client=client)
    )
    return pending


def keep(pending: DeviceCode) -> None:
    """Write what waits, and its mail, again if the transaction of the request was rolled back since."""
    with database.atomic():
        if not DeviceCode.objects.filter(pk=pending.pk).exists():
            pending.save(force_insert=True)
            _send(pending, "")


def redeem(challenge: str, code: str, key_of: Any, client: Client) -> DeviceCode:
    """Use up what waits for this code. Of any number of requests at once, one gets it.

    `key_of(user)` is the key of the device that asks. Each try counts, at the challenge and at the account.
    Raises DeviceCodeInvalid or TooManyAttempts.
    """
    pending = _find(challenge)
    user = pending.user
    attempt = second_factor.begin_attempt(user, client)
    here = DeviceCode.objects.filter(
        pk=pending.pk,
        redeemed_at=None,
        attempts__lt=MAX_ATTEMPTS,
        created_at__gt=timezone.now() - LIFETIME,
    )
    is_right = (
        # Counted before it is looked at, so that guesses at once are not more.
        here.update(attempts=F("attempts") + 1) == 1
        and constant_time_compare(key_of(user), pending.device_key)
        and any(constant_time_compare(code, each) for each in codes_of(pending.pk))
        and pending.password_stamp == password_stamp(user.password)
    )
    mine = DeviceCode.objects.filter(pk=pending.pk, redeemed_at=None)
    if not is_right or not mine.update(redeemed_at=timezone.now()):
        attempt.failed()
        security_log.log(Event.DEVICE_CODE_FAILED, user_id=user.pk, client=client)
        raise DeviceCodeInvalid
    attempt.succeeded()
    return pending


def purge(limit: int) -> int:
    """Delete at most so many expired challenges, and return how many."""
    old = DeviceCode.objects.filter(created_at__lt=timezone.now() - MAILS_WITHIN)
    keys = list(old.order_by("created_at").values_list("pk", flat=True)[:limit])
    return old.filter(pk__in=keys).delete()[0]


def _find(challenge: str) -> DeviceCode:
    try:
        pk = uuid.UUID(challenge)
    except ValueError as error:
        raise DeviceCodeInvalid from error
    pending = DeviceCode.objects.select_related("user").filter(pk=pk).first()
    if pending is None:
        raise DeviceCodeInvalid
    return pending


def _send(pending: DeviceCode, device: str, address: str | None = None) -> None:
    facts = {
        "address": address,
        "challenge": str(pending.pk),
        "device": device,
        "at": pending.sent_at.isoformat(timespec="seconds"),
    }
    outbox.write(pending.user_id, NotificationKind.DEVICE_CODE, facts)
