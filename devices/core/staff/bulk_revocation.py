"""What staff do to a whole set of other people's sessions: see how large it is, and end it."""

import math
import secrets
import time
import uuid
from collections.abc import Collection, Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Permission, PermissionsMixin
from django.db import router
from django.db.models import BooleanField, Case, Count, Exists, OuterRef, Q, QuerySet, When

from devices.core import sessions
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.models import DeviceSession, DeviceSessionQuerySet, RevokeReason

# As many as are counted of a set that is larger.
COUNTED = 100_000
# How many values describe a set of sessions.
FREQUENT = 8
# As many as are ended in one transaction, and held in memory.
BATCH = 250
# As many as are named in one statement.
ASKED = 500
# How long one request works. A larger set takes several.
PATIENCE = timedelta(seconds=3)


Rows = TypeVar("Rows", bound=QuerySet)


class Survey(NamedTuple):
    """What revoking a set would do."""

    sessions: int
    people: int
    # Whether these are only those among the first COUNTED.
    more: bool
    # Left as they are: they have ended, are those of people with rights that the asker has not, or are the
    # one session that the asker is in.
    ended: int
    protected: int
    spared: int


class Revoked(NamedTuple):
    """How many sessions were ended."""

    sessions: int
    people: int
    # Whether time was up before all were ended.
    more: bool
    # The ID in the log entries that finds the incident again.
    incident: str = ""


def permitted(chosen: DeviceSessionQuerySet, by: AbstractBaseUser) -> DeviceSessionQuerySet:
    """Those of a set that this staff member may end: not those of users with more rights."""
    return within_reach(chosen, by, "user")


def out_of_reach(rows: QuerySet, by: AbstractBaseUser, person: str) -> QuerySet:
    """Those of any rows that are of somebody who may do what this member of staff may not.

    `person` is the lookup from a row to its user, "" if the rows are users.
    """
    # Where rights are written: a replica may not know them yet.
    rows = rows.using(router.db_for_write(rows.model))
    return rows.filter(reduce(or_, _above(by, person), Q(pk__in=[])))


def reaches(by: AbstractBaseUser, user_id: Any) -> bool:
    """Whether this member of staff may act on a user: not on one who may do what they may not."""
    users = get_user_model()._base_manager.filter(pk=user_id)
    return not out_of_reach(users, by, "").exists()


def within_reach(rows: Rows, by: AbstractBaseUser, person: str) -> Rows:
    """The others."""
    # One by one, so that the database can tell each from the tables of rights, which are small.
    for above in _above(by, person):
        rows = rows.exclude(above)
    return rows


def still_active(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Those of these sessions that are active; in no order."""
    given = list(ids)
    found: list[uuid.UUID] = []
    for first in range(0, len(given), ASKED):
        batch = given[first : first + ASKED]
        found += DeviceSession.objects.filter(pk__in=batch).active().values_list("pk", flat=True)
    return found


def survey(
    chosen: DeviceSessionQuerySet, *, by: AbstractBaseUser, spare: uuid.UUID | None = None
) -> Survey:
    """What `revoke` would do to a set. `spare` is the session the asker is in, unless they want it ended."""
    active = chosen.active().order_by()
    protected = reduce(or_, _above(by, "user"), Q(pk__in=[]))
    due = Q(is_protected=False) if spare is None else Q(is_protected=False) & ~Q(pk=spare)
    looked_at = active.annotate(
        is_protected=Case(When(protected, then=True), default=False, output_field=BooleanField())
    )[:COUNTED]
    figures = looked_at.aggregate(
        sessions=Count("pk", filter=due),
        people=Count("user_id", filter=due, distinct=True),
        protected=Count("pk", filter=Q(is_protected=True)),
    )
    # Two counts, each by its index; an OR over both would read the table in search of few.
    ended = _count(chosen.revoked()) + _count(chosen.expired())
    return Survey(
        **figures,
        more=active[COUNTED : COUNTED + 1].exists(),
        ended=min(ended, COUNTED),
        spared=0 if spare is None else active.filter(pk=spare).count(),
    )


def breakdown(
    chosen: DeviceSessionQuerySet, *, by: AbstractBaseUser, spare: uuid.UUID | None = None
) -> dict[str, list[tuple[Any, int]]]:
    """What `revoke` would end, by "country", "device" and "user": the most frequent, and how many of each."""
    # An IN of one or none, since a comparison with None would leave out all.
    spared = [] if spare is None else [spare]
    due = permitted(chosen.active(), by).exclude(pk__in=spared).order_by()
    frequent: dict[str, list[tuple[Any, int]]] = {}
    for column in ("country", "device", "user_id"):
        counted = due.values(column).annotate(n=Count("pk")).order_by("-n", column)[:FREQUENT]
        frequent[column] = list(counted.values_list(column, "n"))
    people = get_user_model()._base_manager.in_bulk([pk for pk, _n in frequent["user_id"]])
    frequent["user"] = [(people.get(pk, pk), n) for pk, n in frequent.pop("user_id")]
    return frequent


def revoke(
    chosen: DeviceSessionQuerySet,
    *,
    by: AbstractBaseUser,
    note: str,
    spare: uuid.UUID | None = None,
    patience: timedelta = PATIENCE,
) -> Revoked:
    """End the active sessions of a set, batch by batch, until all have ended or time is up."""
    *_steps, done = revoking(chosen, by=by, note=note, spare=spare, patience=patience)
    return done


def revoking(
    chosen: DeviceSessionQuerySet,
    *,
    by: AbstractBaseUser | None,
    note: str,
    spare: uuid.UUID | None = None,
    patience: timedelta | None = PATIENCE,
) -> Iterator[Revoked]:
    """The same, telling after each batch what is done so far. Whoever stops asking stops it.

    By None it is done on the machine itself, by somebody who may do anything; a patience of None never ends.
    """
    people: set[Any] = set()
    revoked = 0
    incident = secrets.token_hex(6)
    deadline = math.inf if patience is None else time.monotonic() + patience.total_seconds()
    may = chosen.active() if by is None else permitted(chosen.active(), by)
    due = may.order_by("-created_at", "-id")
    if spare is not None:
        due = due.exclude(pk=spare)
    try:
        ahead, more = due, True
        while more:
            batch = list(ahead[:BATCH])
            ended = sessions.revoke_batch(
                batch, reason=RevokeReason.ADMIN, by=by, note=note, incident=incident
            )
            revoked += len(ended)
            people |= {session.user_id for session in ended}
            more = len(batch) == BATCH
            if more:
                # Not from the front again, over all that have just ended.
                ahead = due.filter(created_at__lte=batch[-1].created_at)
                if time.monotonic() > deadline:
                    yield Revoked(revoked, len(people), ahead.exists(), incident)
                    break
            yield Revoked(revoked, len(people), more, incident)
    finally:
        security_log.log(
            Event.STAFF_REVOKED,
            user_id=by.pk if by else None,
            sessions=str(revoked),
            people=str(len(people)),
            note=note,
            incident=incident,
        )


def _above(by: AbstractBaseUser, person: str) -> list[Q]:
    """Rows of users who have a permission, in Django's own tables, that this user lacks."""
    model = get_user_model()
    # A user model without rights of Django's has none to protect.
    if not issubclass(model, PermissionsMixin) or getattr(by, "is_superuser", True):
        return []
    mine = by.get_all_permissions()  # type: ignore[attr-defined]
    names = Permission.objects.values_list("pk", "content_type__app_label", "codename")
    lacking = [pk for pk, label, codename in names if f"{label}.{codename}" not in mine]
    theirs, groups = model.user_permissions, model.groups
    of = f"{person}__" if person else ""
    above = [
        Q(**{f"{of}is_superuser": True}),
        _has(theirs, person, permission__in=lacking),
        _has(groups, person, group__permissions__in=lacking),
    ]
    if hasattr(model, "is_staff") and not getattr(by, "is_staff", False):
        above.append(Q(**{f"{of}is_staff": True}))
    return above


def _has(relation: Any, person: str, **rights: Any) -> Q:
    holder = relation.field.m2m_field_name()
    key = f"{person}_id" if person else "pk"
    held = relation.through._default_manager.filter(**{holder: OuterRef(key)}, **rights)
    return Q(Exists(held))


def _count(chosen: DeviceSessionQuerySet) -> int:
    return chosen.order_by()[:COUNTED].count()
