"""The mails that have to be sent: written with what they tell of, taken by one worker, sent once.

The only writer of Notice and NoticePreferences.
"""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Subquery, TextField, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language
from huey import crontab

from devices.conf import conf
from devices.core import database
from devices.models import Notice, NoticeKind, NoticeOutcome, NoticePreferences, RiskLevel

from . import background, notifications

logger = logging.getLogger(__name__)

# After a failure the next attempt waits, each time twice as long; after this time it is given up.
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
PERSISTENCE: Final = timedelta(days=3)
# For so long after a change of address mails go to the former one, too.
TOLD_TO_BOTH: Final = timedelta(days=7)
# How many a round looks for.
ROUND: Final = 100

# What can be switched off, but where it is critical.
PREFERENCES: Final = ("new_device", "suspicious_login")
CRITICAL: Final = (RiskLevel.HIGH, RiskLevel.CRITICAL)


def write(
    user_id: Any,
    kind: NoticeKind,
    data: dict[str, Any],
    session_id: uuid.UUID | None = None,
    *,
    address: str | None = None,
) -> Notice:
    """Note in the caller's transaction that a mail has to be sent, and have that done after its commit.

    It goes to `address`, or to the address that the account has now: who changes that later does not get it.
    """
    now = timezone.now()
    notice = Notice(
        user_id=user_id,
        session_id=session_id,
        kind=kind,
        address=_address_of(user_id) if address is None else address,
        data=data,
        language=get_language() or "",
        created_at=now,
        due_at=now,
    )
    notice.save(force_insert=True)
    _, schema = database.place()
    database.on_commit(lambda: background.ring(deliver, str(notice.pk), schema), robust=True)
    return notice


def tell_address_changed(
    user_id: Any, before: str, now: str, session_id: uuid.UUID | None = None
) -> None:
    """Tell both addresses that the account has another one; `session_id` is where that was done.

    For TOLD_TO_BOTH all further notices go to both, so that nobody silences them by taking the address over.
    """
    data = {"at": timezone.now().isoformat(timespec="seconds")}
    write(user_id, NoticeKind.ADDRESS_CHANGED, data, session_id, address=before)
    write(user_id, NoticeKind.ADDRESS_CHANGED, data, address=now)


def tell_staff_changed(user_id: Any) -> None:
    """Tell the account's address that staff changed a way to sign in. Call it before the change."""
    write(user_id, NoticeKind.STAFF_CHANGED, {"at": timezone.now().isoformat(timespec="seconds")})


@background.huey.task(name="devices.deliver")  # type: ignore[untyped-decorator]
def deliver(notice_id: str, schema: str = "") -> None:
    """Send one notice, unless somebody else has it or had it."""
    try:
        with database.within(schema):
            send(uuid.UUID(notice_id))
    finally:
        background.put_connections_back()


@background.huey.periodic_task(crontab(minute="*"), name="devices.deliver_due")  # type: ignore[untyped-decorator]
def deliver_due() -> None:
    """Send what is left: of workers that died, of a queue that was away, of mail servers that were."""
    try:
        send_due()
    finally:
        background.put_connections_back()


@background.huey.on_startup(name="devices.deliver_due")  # type: ignore[untyped-decorator]
def begin() -> None:
    deliver_due()


def send_due() -> int:
    """Send every notice that is due; how many were sent. Each schema's stop at the first that cannot be."""
    return sum(_send_due() for _ in database.each_schema())


def _send_due() -> int:
    sent = 0
    while due := list(_due(timezone.now()).order_by("due_at").values_list("pk", flat=True)[:ROUND]):
        for notice_id in due:
            if not send(notice_id):
                return sent
            sent += 1
    return sent


def send(notice_id: uuid.UUID) -> bool:
    """Take a notice, send it, and note that it was. False if the mail could not be sent; it comes again.

    Whoever takes it has it for NOTICE_LEASE, by one conditional UPDATE. A worker that dies before the mail
    server has the mail leaves it to the next.
    """
    notice = _take(notice_id)
    if notice is None:
        return True
    try:
        outcome = _outcome(notice)
    except Exception as error:  # whatever a mail server or its backend may raise
        _give_back(notice, error)
        return False
    _finish(notice, outcome)
    return True


def preferences_of(user: AbstractBaseUser) -> dict[str, bool]:
    """Which mails the user wants, of those that can be switched off."""
    row = NoticePreferences.objects.filter(user_id=user.pk).first() or NoticePreferences()
    return {name: getattr(row, name) for name in PREFERENCES}


def switched_off(user: AbstractBaseUser, **wanted: bool) -> list[str]:
    """Which mails the user would not get any more. Whoever does without them proves who they are first."""
    now = preferences_of(user) if False in wanted.values() else {}
    return [name for name, is_wanted in now.items() if is_wanted and not wanted.get(name, True)]


def prefer(user: AbstractBaseUser, **wanted: bool) -> dict[str, bool]:
    """Note which mails the user wants; what is not named stays as it is. Switching off is told by mail."""
    if not wanted:
        return preferences_of(user)
    with database.atomic():
        if switched_off(user, **wanted):
            data = {"at": timezone.now().isoformat(timespec="seconds")}
            write(user.pk, NoticeKind.NOTICES_OFF, data)
        NoticePreferences.objects.bulk_create(
            [NoticePreferences(user_id=user.pk, **wanted)],
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=list(wanted),
        )
    return preferences_of(user)


def withdraw() -> int:
    """Send nothing of what waits, as in a copy of a database; how many these were."""
    return Notice.objects.filter(done_at__isnull=True).delete()[0]


def forget(limit: int) -> int:
    """Delete the first so many notices that were done with long ago; how many these were."""
    old = Notice.objects.filter(done_at__lt=timezone.now() - conf.RETENTION_DAYS)
    keys = list(old.order_by("done_at").values_list("pk", flat=True)[:limit])
    return Notice.objects.filter(pk__in=keys).delete()[0]


def _due(now: datetime) -> Any:
    return Notice.objects.filter(done_at__isnull=True, due_at__lte=now)


def _take(notice_id: uuid.UUID) -> Notice | None:
    now = timezone.now()
    taken = {"taken_at": now, "due_at": now + conf.NOTICE_LEASE}
    if not _due(now).filter(pk=notice_id).update(**taken):
        return None
    return Notice.objects.select_related("user").filter(pk=notice_id).first()


def _outcome(notice: Notice) -> NoticeOutcome:
    if not _is_wanted(notice):
        return NoticeOutcome.UNWANTED
    addresses = _addresses_of(notice)
    for address in addresses:
        notifications.send(notice, address)
    return NoticeOutcome.SENT if addresses else NoticeOutcome.NO_ADDRESS


def _addresses_of(notice: Notice) -> list[str]:
    """The notice's own address first, and those the account had within TOLD_TO_BOTH before it."""
    addresses = [notice.address]
    if notice.kind != NoticeKind.ADDRESS_CHANGED:
        lately = (notice.created_at - TOLD_TO_BOTH, notice.created_at)
        changes = Notice.objects.filter(
            user_id=notice.user_id, kind=NoticeKind.ADDRESS_CHANGED, created_at__range=lately
        )
        addresses += changes.order_by("created_at").values_list("address", flat=True)
    return [address for address in dict.fromkeys(addresses) if address]


def address_field() -> str:
    """The name of the user model's field for the email address; "" if it has none."""
    model = get_user_model()
    name = model.get_email_field_name()
    return name if any(field.name == name for field in model._meta.concrete_fields) else ""


def _address_of(user_id: Any) -> Any:
    """The account's address, read by the statement that it stands in."""
    name = address_field()
    if not name:
        return ""
    user = get_user_model()._base_manager.filter(pk=user_id)
    return Coalesce(Subquery(user.values(name)), Value(""), output_field=TextField())


def _is_wanted(notice: Notice) -> bool:
    if notice.kind not in PREFERENCES or notice.data.get("level") in CRITICAL:
        return True
    return preferences_of(notice.user)[notice.kind]


def _finish(notice: Notice, outcome: NoticeOutcome) -> None:
    Notice.objects.filter(pk=notice.pk, done_at__isnull=True).update(
        done_at=timezone.now(), outcome=outcome, attempts=notice.attempts + 1
    )


def _give_back(notice: Notice, error: Exception) -> None:
    """Leave the notice to a later attempt, unless that was the last."""
    logger.warning("A notice could not be sent: %s", type(error).__name__)
    now, attempts = timezone.now(), notice.attempts + 1
    if now - notice.created_at > PERSISTENCE:
        logger.error("A notice was given up after %s attempts.", attempts)
        _finish(notice, NoticeOutcome.GIVEN_UP)
        return
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    # Only if it is still ours: the lease may be over, and another have it.
    ours = Notice.objects.filter(pk=notice.pk, taken_at=notice.taken_at, done_at__isnull=True)
    ours.update(due_at=now + wait, attempts=attempts)
