"""The outbox of e-mails: stored with their event, taken by one worker, sent once.

The only writer of Notification and NotificationPreferences.
"""

import logging
import re
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language

from devices.conf import conf
from devices.core import database
from devices.core.notifications import emails, worker
from devices.models import (
    Notification,
    NotificationKind,
    NotificationOutcome,
    NotificationPreferences,
    RiskLevel,
)

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
CHANGES_OF_ADDRESS: Final = (NotificationKind.ADDRESS_CHANGED, NotificationKind.ACCOUNT_RECOVERED)
# Not "Etc/GMT-5", whose sign nobody expects, and not the names from before there were these.
PLACES: Final = re.compile(
    "(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/"
)
CRITICAL: Final = (RiskLevel.HIGH, RiskLevel.CRITICAL)

# How many mails about sessions one user gets, and in which time: of each kind, and of critical ones apart.
# Who has the password can cause as many of these as they like.
ABOUT_SESSIONS: Final = (
    NotificationKind.NEW_DEVICE,
    NotificationKind.SUSPICIOUS_LOGIN,
    NotificationKind.SESSION_APPROVED,
    NotificationKind.REFRESH_REUSED,
    NotificationKind.BINDING_FAILED,
    NotificationKind.BINDING_LOST,
)
LIMIT: Final = 10
LIMIT_PERIOD: Final = timedelta(hours=1)


def write(
    user_id: Any,
    kind: NotificationKind,
    data: dict[str, Any],
    session_id: uuid.UUID | None = None,
    *,
    address: str | None = None,
) -> Notification:
    """Note in the caller's transaction that a mail has to be sent, and have that done after its commit.

    It goes to `address`, or to the address that the account has now: who changes that later does not get it.
    """
    now = timezone.now()
    notice = Notification(
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
    database.on_commit(lambda: worker.enqueue(deliver, str(notice.pk), schema), robust=True)
    return notice


def tell_address_changed(
    user_id: Any, before: str, now: str, session_id: uuid.UUID | None = None
) -> None:
    """Tell both addresses that the account has another one; `session_id` is where that was done.

    For TOLD_TO_BOTH all further notices go to both, so that nobody silences them by taking the address over.
    """
    data = {"at": timezone.now().isoformat(timespec="seconds")}
    write(user_id, NotificationKind.ADDRESS_CHANGED, data, session_id, address=before)
    write(user_id, NotificationKind.ADDRESS_CHANGED, data, address=now)


def tell_staff_changed(user_id: Any) -> None:
    """E-mail the account's address that staff change a sign-in method. Call it before the change."""
    write(
        user_id,
        NotificationKind.STAFF_CHANGED,
        {"at": timezone.now().isoformat(timespec="seconds")},
    )


def tell_method_added(user_id: Any, method: str, session_id: uuid.UUID | None = None) -> None:
    """Tell the account's address of a new sign-in method: an "address", an "identity" or a "factor".

    `session_id` is where that was done. Call it in the transaction of the change, or after it.
    """
    data = {"at": timezone.now().isoformat(timespec="seconds"), "method": method}
    write(user_id, NotificationKind.METHOD_ADDED, data, session_id)


def tell_account_recovered(user_id: Any, address: str, displaced: Iterable[str]) -> None:
    """Tell all addresses of the last week that the owner of one of them took the account back.

    From then on nothing is told to the displaced ones.
    """
    data = {
        "at": timezone.now().isoformat(timespec="seconds"),
        "displaced": sorted(set(displaced)),
    }
    write(user_id, NotificationKind.ACCOUNT_RECOVERED, data, address=address)


def oldest_due() -> float:
    """For how many seconds the oldest unsent e-mail has been due; 0 if there is none."""
    now = timezone.now()
    due = Notification.objects.filter(done_at__isnull=True, due_at__lte=now)
    oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
    return (now - oldest).total_seconds() if oldest else 0.0


@worker.huey.task(name="devices.deliver")  # type: ignore[untyped-decorator]
def deliver(notice_id: str, schema: str = "") -> None:
    """Send one notice, unless somebody else has it or had it."""
    with worker.in_schema(schema):
        send(uuid.UUID(notice_id))


@worker.periodic("devices.deliver_due")
def deliver_due() -> None:
    """Send what is left: of workers that died, of a queue that was away, of mail servers that were."""
    _send_due()


@worker.huey.on_startup(name="devices.deliver_due")  # type: ignore[untyped-decorator]
def begin() -> None:
    """Deliver what an earlier worker left, when a worker starts."""
    deliver_due()


def send_due() -> int:
    """Send every notice that is due; how many were sent. Each schema's stop at the first that cannot be."""
    return sum(_send_due() for _ in database.each_schema())


def _send_due() -> int:
    sent = 0
    while due := list(_due(timezone.now()).order_by("due_at").values_list("pk", flat=True)[:ROUND]):
        for notice_id in due:
            if worker.is_stopping() or not send(notice_id):
                return sent
            sent += 1
    return sent


def send(notice_id: uuid.UUID) -> bool:
    """Take a notice, send it, and note that it was. False if the mail could not be sent; it comes again.

    Whoever takes it has it for NOTICE_LEASE, by one conditional UPDATE. A worker that dies before the mail
    server has the mail leaves it to the next.
    """
    with worker.in_hand():
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


def preferences_of(user: AbstractBaseUser) -> dict[str, Any]:
    """Which mails the user wants, of those that can be switched off; and the `time_zone` of times in them."""
    row = (
        NotificationPreferences.objects.filter(user_id=user.pk).first() or NotificationPreferences()
    )
    return {name: getattr(row, name) for name in (*PREFERENCES, "time_zone")}


def switched_off(user: AbstractBaseUser, **wanted: Any) -> list[str]:
    """Which e-mails the user would no longer get. Switching them off needs a recent confirmation."""
    now = preferences_of(user) if False in wanted.values() else {}
    return [name for name in PREFERENCES if now.get(name) and not wanted.get(name, True)]


def prefer(user: AbstractBaseUser, **wanted: Any) -> dict[str, Any]:
    """Store what the user prefers; the rest stays as it is. Switching e-mails off sends an e-mail."""
    if not wanted:
        return preferences_of(user)
    with database.atomic():
        if switched_off(user, **wanted):
            data = {"at": timezone.now().isoformat(timespec="seconds")}
            write(user.pk, NotificationKind.NOTICES_OFF, data)
        NotificationPreferences.objects.bulk_create(
            [NotificationPreferences(user_id=user.pk, **wanted)],
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=list(wanted),
        )
    return preferences_of(user)


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names of the zones that a user may choose, as far as this machine knows them."""
    return ("UTC", *sorted(name for name in available_timezones() if PLACES.match(name)))


def reset_preferences(user: AbstractBaseUser) -> None:
    """Switch all e-mails of the user on again."""
    NotificationPreferences.objects.filter(user_id=user.pk).delete()


def withdraw() -> int:
    """Cancel all waiting e-mails, as in a copy of a database, and return how many."""
    return Notification.objects.filter(done_at__isnull=True).delete()[0]


def purge(limit: int) -> int:
    """Delete at most so many old e-mails that are done with, or that nobody sent, and return how many.

    Also remove the addresses from as many that were not sent in time, for example without a worker.
    """
    now = timezone.now()
    late = Notification.objects.filter(
        done_at__isnull=True,
        created_at__lt=now - PERSISTENCE,
        data__has_key="address",
    )
    waiting = list(late[:limit])
    for notice in waiting:
        del notice.data["address"]
    Notification.objects.bulk_update(waiting, ["data"])
    kept_from = now - conf.RETENTION_DAYS
    done = Notification.objects.filter(done_at__lt=kept_from).order_by("done_at")
    # Without a worker it is due since it was written.
    unsent = Notification.objects.filter(done_at__isnull=True, due_at__lt=kept_from - PERSISTENCE)
    deleted = 0
    for old in (done, unsent.order_by("due_at")):
        keys = list(old.values_list("pk", flat=True)[:limit])
        deleted += Notification.objects.filter(pk__in=keys).delete()[0]
    return len(waiting) + deleted


def _due(now: datetime) -> Any:
    return Notification.objects.filter(done_at__isnull=True, due_at__lte=now)


def _take(notice_id: uuid.UUID) -> Notification | None:
    now = timezone.now()
    taken = {"taken_at": now, "due_at": now + conf.NOTICE_LEASE}
    if not _due(now).filter(pk=notice_id).update(**taken):
        return None
    return Notification.objects.select_related("user").filter(pk=notice_id).first()


def _outcome(notice: Notification) -> NotificationOutcome:
    preferred = preferences_of(notice.user)
    if not _is_wanted(notice, preferred):
        return NotificationOutcome.UNWANTED
    before = _told_lately(notice) if notice.kind in ABOUT_SESSIONS else 0
    if before >= LIMIT:
        return NotificationOutcome.LIMITED
    is_last = before == LIMIT - 1
    addresses = _addresses_of(notice)
    for address in addresses:
        emails.send(notice, address, preferred["time_zone"], is_last=is_last)
    return NotificationOutcome.SENT if addresses else NotificationOutcome.NO_ADDRESS


def _addresses_of(notice: Notification) -> list[str]:
    """The notice's own address first, and those the account had within TOLD_TO_BOTH before it.

    Not those that were displaced since they had it: whoever took the account over hears no more of it.
    """
    if notice.kind == NotificationKind.DEVICE_CODE:
        # The link gives access to the account, so it goes to the current address only.
        return [notice.address] if notice.address else []
    former: list[str] = []
    if notice.kind != NotificationKind.ADDRESS_CHANGED:
        lately = (notice.created_at - TOLD_TO_BOTH, notice.created_at)
        changes = Notification.objects.filter(
            user_id=notice.user_id, kind__in=CHANGES_OF_ADDRESS, created_at__range=lately
        ).exclude(pk=notice.pk)
        for kind, address, data in changes.order_by("created_at").values_list(
            "kind", "address", "data"
        ):
            former.append(address)
            if kind == NotificationKind.ACCOUNT_RECOVERED:
                former = [each for each in former if each not in data["displaced"]]
    return [address for address in dict.fromkeys([notice.address, *former]) if address]


def address_field() -> str:
    """The name of the user model's field for the email address; "" if it has none."""
    model = get_user_model()
    name = model.get_email_field_name()
    return name if any(field.name == name for field in model._meta.concrete_fields) else ""


def read_address(users: QuerySet[Any]) -> str | None:
    """The address of the one user there, as the model gives it; None if there is no user."""
    name = address_field()
    if is_plain(name):
        return users.values_list(name, flat=True).first()
    user = users.first()
    return None if user is None else str(getattr(user, name))


def is_plain(name: str) -> bool:
    """Whether the column of an address has its text: of a field that is not Django's own, nobody knows.

    It may be encrypted, or a hash.
    """
    return type(get_user_model()._meta.get_field(name)).__module__.startswith("django.")


def _address_of(user_id: Any) -> Any:
    """The account's address, as a subquery."""
    name = address_field()
    if not name:
        return ""
    user = get_user_model()._base_manager.filter(pk=user_id)
    if conf.CITUS or not is_plain(name):
        # Citus takes no subquery there.
        return read_address(user.using(database.alias())) or ""
    return Coalesce(Subquery(user.values(name)), Value(""), output_field=TextField())


def _is_wanted(notice: Notification, preferred: dict[str, Any]) -> bool:
    return notice.data.get("level") in CRITICAL or bool(preferred.get(notice.kind, True))


def _told_lately(notice: Notification) -> int:
    """How many mails like this the user got lately. Workers that send at once may miss each other's."""
    lately = timezone.now() - LIMIT_PERIOD
    sent = Notification.objects.filter(
        user_id=notice.user_id,
        kind=notice.kind,
        outcome=NotificationOutcome.SENT,
        done_at__gt=lately,
    )
    is_critical = notice.data.get("level") in CRITICAL
    levels = sent.values_list("data__level", flat=True)
    return sum((level in CRITICAL) == is_critical for level in levels)


def _finish(notice: Notification, outcome: NotificationOutcome) -> None:
    # It was for the mail. Sessions and their log keep it as long as it may be kept.
    data = {name: value for name, value in notice.data.items() if name != "address"}
    Notification.objects.filter(pk=notice.pk, done_at__isnull=True).update(
        done_at=timezone.now(), outcome=outcome, attempts=notice.attempts + 1, data=data
    )


def _give_back(notice: Notification, error: Exception) -> None:
    """Leave the notice to a later attempt, unless that was the last."""
    logger.warning("An e-mail could not be sent yet: %s", type(error).__name__)
    now, attempts = timezone.now(), notice.attempts + 1
    if now - notice.created_at > PERSISTENCE:
        logger.error("An e-mail was given up after %s attempts.", attempts)
        _finish(notice, NotificationOutcome.GIVEN_UP)
        return
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    # Only if it is still ours: the lease may be over, and another have it.
    ours = Notification.objects.filter(pk=notice.pk, taken_at=notice.taken_at, done_at__isnull=True)
    ours.update(due_at=now + wait, attempts=attempts)
