"""What staff see of all sessions at a glance. The only writer of StatsSnapshot.

Counting reads every active session, so it is done once for all who look, by a fixed number of statements, and
so seldom that it takes a hundredth of the time at most. Where it takes longer than a request may,
`manage.py count_sessions` does it.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.log import counters
from devices.core.log import failures as log
from devices.core.log.export import iso
from devices.core.log.security_log import Event
from devices.models import DeviceSession, StatsSnapshot

from . import timeouts
from .timeouts import Ask

# The figures are at least this old before they are counted anew, and a hundred times as old as it took.
MIN_AGE = timedelta(seconds=60)
SELDOM = 100
# What one who looks may have to wait for the count.
PATIENCE = timedelta(seconds=2)
# The figures of the day, and those by the quarter hour.
PAST = timedelta(days=1)
# How far back they go; but no further than ended sessions are kept.
DAYS = 30
# Of addresses and of people: those with the most active sessions.
TOP = 10
# Of browsers, countries and so on.
COMMON = 8

# The fields by which active sessions are counted.
TRAITS = ("device_type", "os", "browser", "country", "login_method")
FAILED = {Event.LOGIN_FAILED.value, Event.OTP_FAILED.value}
BLOCKED = {Event.LOGIN_BLOCKED.value, Event.OTP_BLOCKED.value}

# (start, kind, how many), as `counters.quarters` has them.
Failures = list[tuple[datetime, str, int]]

# There is one row.
ROW = 1


class TakesTooLong(Exception):
    """There are too many sessions to count them while somebody waits."""


def current() -> StatsSnapshot:
    """The figures, counted anew if they are due for it and somebody may wait for that.

    With `counted_at` None there are none yet.
    """
    row = StatsSnapshot.objects.filter(pk=ROW).first()
    if row is None:
        StatsSnapshot.objects.bulk_create([StatsSnapshot(pk=ROW)], ignore_conflicts=True)
        row = StatsSnapshot(pk=ROW)
    if _is_due(row):
        # Of those who come at once, one counts. The others see what there is.
        claim = StatsSnapshot.objects.filter(pk=ROW, begun_at=row.begun_at)
        if claim.update(begun_at=timezone.now()):
            try:
                return count(limit=PATIENCE)
            except TakesTooLong:
                pass
    return row


def count(*, limit: timedelta | None = None) -> StatsSnapshot:
    """Count now. Raises TakesTooLong if that is longer than somebody would wait (PostgreSQL)."""
    now, started = timezone.now(), time.monotonic()
    row = StatsSnapshot.objects.filter(pk=ROW)
    try:
        with database.atomic(), timeouts.within(limit) as ask:
            data = _figures(now, ask)
    except OperationalError as error:
        if not timeouts.is_over(error):
            raise
        row.update(begun_at=now, took=time.monotonic() - started)
        raise TakesTooLong from error
    figures = StatsSnapshot(pk=ROW, begun_at=now, counted_at=now, data=data)
    figures.took = time.monotonic() - started
    StatsSnapshot.objects.bulk_create(
        [figures],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=["begun_at", "counted_at", "data", "took"],
    )
    counters.purge()
    return figures


def people(figures: StatsSnapshot) -> list[tuple[AbstractBaseUser, int]]:
    """Those with the most active sessions who are still there, and how many they have."""
    top = {each["value"]: each["sessions"] for each in figures.data["top"]["users"]}
    users = get_user_model()._default_manager.filter(pk__in=top)
    found = [(user, top[str(user.pk)]) for user in users]
    return sorted(found, key=lambda each: each[1], reverse=True)


def clear(before: datetime | None = None) -> int:
    """Have them counted anew before anybody sees them, without who has gone since; how many there were.

    With a time only if they are of before it: they name addresses.
    """
    counted = Q(counted_at__isnull=False) if before is None else Q(counted_at__lt=before)
    return StatsSnapshot.objects.filter(counted).update(data={}, counted_at=None, begun_at=None)


def _is_due(row: StatsSnapshot) -> bool:
    pause = max(MIN_AGE, SELDOM * timedelta(seconds=row.took))
    return row.begun_at is None or timezone.now() - row.begun_at >= pause


def _figures(now: datetime, ask: Ask) -> dict[str, Any]:
    active = DeviceSession.objects.order_by().active(now)
    traits = _traits(active, ask)
    first = _first_day(now)
    failures = counters.quarters(min(_begin_of(first), now - PAST))
    days, reasons = _days(now, first, failures, ask)
    return {
        "live": {
            "sessions": sum(traits["device_type"].values()),
            "people": ask(active.values("user_id").distinct().count),
        },
        "waiting": ask(DeviceSession.objects.pending_review().count),
        "past_day": _past(now - PAST, failures, ask),
        "quarters": _quarters(now, failures),
        "failures_by_country": _by_country(ask(lambda: log.by_country(now - PAST))),
        "days": days,
        "by": {trait: _most_common(values) for trait, values in traits.items()},
        "revocations_by_reason": [_value(*each) for each in reasons.most_common()],
        "top": {
            "addresses": ask(_top(active.filter(ip_address__isnull=False), "ip_address")),
            "users": ask(_top(active, "user_id")),
        },
    }


def _traits(active: QuerySet, ask: Ask) -> dict[str, Counter[str]]:
    """How many have which value: by one reading of all, in the combinations there are."""
    combinations = active.values(*TRAITS).annotate(n=Count("pk")).values_list(*TRAITS, "n")
    traits = {trait: Counter[str]() for trait in TRAITS}
    for *values, n in ask(lambda: list(combinations)):
        for trait, value in zip(TRAITS, values, strict=True):
            traits[trait][value] += n
    return traits


def _most_common(values: Counter[str]) -> list[dict[str, Any]]:
    """The most common ones; all the others together, if there are any, as None."""
    common = values.most_common(COMMON)
    others = values.total() - sum(n for _value, n in common)
    return [_value(*each) for each in common] + ([_value(None, others)] if others else [])


def _top(active: QuerySet, column: str) -> Callable[[], list[dict[str, Any]]]:
    counted = active.values(column).annotate(n=Count("pk")).order_by("-n", column)[:TOP]
    return lambda: [_value(str(key), n) for key, n in counted.values_list(column, "n")]


def _past(since: datetime, failures: Failures, ask: Ask) -> dict[str, int]:
    late = [(kind, n) for start, kind, n in failures if start > since - counters.QUARTER]
    return {
        "logins": ask(DeviceSession.objects.filter(created_at__gte=since).count),
        "revocations": ask(DeviceSession.objects.filter(revoked_at__gte=since).count),
        "failed_logins": sum(n for kind, n in late if kind in FAILED),
        "blocked_logins": sum(n for kind, n in late if kind in BLOCKED),
    }


def _quarters(now: datetime, failures: Failures) -> list[dict[str, Any]]:
    """The failures of the past day by the quarter hour, the current one last."""
    counted: Counter[tuple[datetime, bool]] = Counter()
    for start, kind, n in failures:
        counted[start, kind in FAILED] += n
    last = counters.quarter_of(now)
    starts = [last - ago * counters.QUARTER for ago in reversed(range(PAST // counters.QUARTER))]
    return [
        {
            "at": iso(start),
            "failed_logins": counted[start, True],
            "blocked_logins": counted[start, False],
        }
        for start in starts
    ]


def _by_country(failures: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Whence most sign-ins failed in the past day; all the others together, if there are any, as None."""
    counted: dict[str, Counter[bool]] = {}
    for country, kind, n in failures:
        counted.setdefault(country, Counter())[kind in BLOCKED] += n
    ordered = sorted(counted, key=lambda country: (-counted[country].total(), country))
    shown: list[tuple[str | None, Counter[bool]]] = [
        (each, counted[each]) for each in ordered[:COMMON]
    ]
    if rest := sum((counted[each] for each in ordered[COMMON:]), Counter[bool]()):
        shown.append((None, rest))
    return [
        {"value": country, "failed_logins": counts[False], "blocked_logins": counts[True]}
        for country, counts in shown
    ]


def _first_day(now: datetime) -> date:
    number = max(1, min(DAYS, conf.RETENTION_DAYS.days))
    return timezone.localdate(now) - timedelta(days=number - 1)


def _begin_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def _days(
    now: datetime, first: date, failures: Failures, ask: Ask
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """What happened day by day, and for which reasons sessions were revoked meanwhile."""
    since = _begin_of(first)
    logins = DeviceSession.objects.filter(created_at__gte=since).values(day=TruncDate("created_at"))
    ended = DeviceSession.objects.filter(revoked_at__gte=since)
    ends = ended.values("revoke_reason", day=TruncDate("revoked_at"))
    counted: dict[str, Counter[date]] = {
        kind: Counter() for kind in ("logins", "revocations", "failed_logins", "blocked_logins")
    }
    reasons: Counter[str] = Counter()
    for each in ask(lambda: list(logins.annotate(n=Count("pk")).order_by())):
        counted["logins"][each["day"]] += each["n"]
    for each in ask(lambda: list(ends.annotate(n=Count("pk")).order_by())):
        counted["revocations"][each["day"]] += each["n"]
        reasons[each["revoke_reason"]] += each["n"]
    for start, kind, n in failures:
        name = "failed_logins" if kind in FAILED else "blocked_logins"
        counted[name][timezone.localdate(start)] += n
    number = (timezone.localdate(now) - first).days + 1
    days = [first + timedelta(days=ago) for ago in range(number)]
    return [
        {"day": str(day), **{kind: counts[day] for kind, counts in counted.items()}} for day in days
    ], reasons


def _value(value: Any, n: int) -> dict[str, Any]:
    return {"value": value, "sessions": n}
