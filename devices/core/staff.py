"""What staff do to a whole set of other people's sessions: see how large it is, and end it."""

from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count

from devices.models import DeviceSessionQuerySet, RevokeReason

from . import sessions

# As many as one request ends, so that it answers in time. A larger set takes several.
AT_ONCE = 1000
# As many as are held in memory.
BATCH = 250


class Survey(NamedTuple):
    """What revoking a set would do."""

    sessions: int
    people: int
    # Whether these are only the first AT_ONCE.
    more: bool
    # Left as they are, since they have ended, or are a superuser's and the asker is none. Counted up to
    # AT_ONCE.
    ended: int
    protected: int


class Revoked(NamedTuple):
    sessions: int
    people: int


def permitted(chosen: DeviceSessionQuerySet, by: AbstractBaseUser) -> DeviceSessionQuerySet:
    """Those of a set that this member of staff may end: a superuser's only if they are one themselves."""
    return chosen if _is_superuser(by) else chosen.exclude(user__is_superuser=True)


def survey(chosen: DeviceSessionQuerySet, *, by: AbstractBaseUser) -> Survey:
    active = chosen.active()
    due = permitted(active, by)
    figures = due.values("user_id")[:AT_ONCE].aggregate(
        sessions=Count("*"), people=Count("user_id", distinct=True)
    )
    protected = active.none() if _is_superuser(by) else active.filter(user__is_superuser=True)
    # Two counts, each by its index; an OR over both would read the table in search of few.
    ended = _count(chosen.revoked()) + _count(chosen.expired())
    return Survey(
        **figures,
        more=due[AT_ONCE : AT_ONCE + 1].exists(),
        ended=min(ended, AT_ONCE),
        protected=_count(protected),
    )


def revoke(chosen: DeviceSessionQuerySet, *, by: AbstractBaseUser, note: str) -> Revoked:
    """End up to AT_ONCE of the active sessions of a set, each in a transaction of its own."""
    people: set[Any] = set()
    revoked = seen = 0
    # What has been revoked drops out of it, so each batch is the next one.
    due = permitted(chosen.active(), by).select_related("user")
    while seen < AT_ONCE and (batch := list(due[: min(BATCH, AT_ONCE - seen)])):
        seen += len(batch)
        for session in batch:
            if sessions.revoke(session, reason=RevokeReason.ADMIN, by=by, note=note):
                revoked += 1
                people.add(session.user_id)
    return Revoked(revoked, len(people))


def _count(chosen: DeviceSessionQuerySet) -> int:
    return chosen.order_by()[:AT_ONCE].count()


def _is_superuser(by: AbstractBaseUser) -> bool:
    # A user model without superusers has none to protect.
    return getattr(by, "is_superuser", True)
