"""Login throttling: how often a password or a code may be tried, for one account and from one address.

Every attempt is counted before its password is hashed, by one conditional UPDATE: parallel attempts in any
number of workers get no more than the limit between them. Counting does not wait for PostgreSQL's disk.

Locks: the row of an address before that of an account, and that before the one of what the account knows.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    F,
    IntegerField,
    PositiveIntegerField,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest
from django.db.models.lookups import Exact
from django.utils import timezone

from devices.conf import conf
from devices.core import database, logins
from devices.core.clients.client import Client
from devices.core.clients.device_key import proven_keys
from devices.core.clients.ip_address import customer_block
from devices.core.statements import AsynchronousUpdate, Parameter
from devices.exceptions import TooManyAttempts
from devices.models import DeviceSession, LoginThrottle, RevokeReason

WINDOW = timedelta(minutes=1)
LONGEST_WINDOW = timedelta(hours=1)
# No window lasts so long, though clocks differ. One that ends later is of a clock that was wrong.
IMPOSSIBLE_WINDOW = 2 * LONGEST_WINDOW
# How many times a window is twice as long as the one before.
LENGTHS = 6
# NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures on one account.
MAX_CONSECUTIVE = 100

# How many names that no account has are remembered at once, and how many beyond that go with each failure.
MOST_UNKNOWN = 100_000
AT_ONCE = 100

# Reasons that say: this session was not the owner's.
DISOWNED = (RevokeReason.REUSE, RevokeReason.NOT_ME, RevokeReason.RISK)


def _count(number: int) -> Value:
    return Value(number, output_field=PositiveIntegerField())


AFTER_SUCCESS: dict[str, Combinable] = {
    "before_success": F("consecutive"),
    "consecutive": _count(0),
}


@dataclass(frozen=True)
class Attempt:
    """A counted attempt. Report its result; without one it counts until its window ends."""

    account: str
    # The account's own, or that of a known device of its owner.
    key: str

    def succeeded(self) -> None:
        """Count the attempt as successful: it resets the failures of the account."""
        using = database.alias()
        _success(using).run({"key": self.key})
        if self.key != self.account:
            LoginThrottle.objects.using(using).filter(key=self.account).update(**AFTER_SUCCESS)

    def failed(self, *, is_unknown: bool = False) -> None:
        """Count the failure; `is_unknown` if there is no account of this name."""
        _failure(database.alias()).run({"key": self.key, "is_unknown": is_unknown})
        if is_unknown:
            _forget_unknown()

    def forgiven(self) -> None:
        """Count the failure as a success after all: another backend knows the password."""
        one, none = _count(1), _count(0)
        LoginThrottle.objects.using(database.alias()).filter(key=self.key).update(
            failures=Greatest(F("failures") - one, none),
            consecutive=Greatest(F("consecutive") - one, none),
            pending=F("pending") + one,
            is_unknown=False,
        )
        self.succeeded()


_counted: ContextVar[bool] = ContextVar("devices.counted", default=False)


@contextmanager
def counted() -> Iterator[None]:
    """Mark that a password is being checked whose attempt has been counted."""
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


def is_counted() -> bool:
    """Return whether the current code has counted an attempt already."""
    return _counted.get()


def begin(username: str, client: Client) -> Attempt:
    """Count an attempt at an account. Raises TooManyAttempts if none is left; then nothing may be tried.

    Devices and addresses from which the account was signed in before have their own attempts, so that an
    attacker who uses up the others does not lock the owner out.
    """
    account = account_key(username)
    address = _address_key("address", client)
    per_address = {address: conf.LOGIN_ATTEMPTS_PER_ADDRESS}
    if _reserve(per_address | {account: conf.LOGIN_FAILURES_PER_ACCOUNT}):
        return Attempt(account, account)
    # One of the two has no room, or no row yet; nothing is counted so far.
    if not (_reserve(per_address) or _reserve_anew(per_address)):
        raise _refusal(address)
    return _begin("account", "known", username, client)


def begin_code(username: str, client: Client) -> Attempt:
    """Count an attempt at a code of the account's second factor, as `begin` counts those at its password.

    The two do not share a count. The address was counted with the password, or with the session's login.
    """
    return _begin("code", "known for codes", username, client)


def count_service_failure(client: Client) -> None:
    """Count that a service gave a wrong secret. Raises TooManyAttempts beyond LOGIN_ATTEMPTS_PER_ADDRESS."""
    address = _address_key("service", client)
    limit = {address: conf.LOGIN_ATTEMPTS_PER_ADDRESS}
    if not (_reserve(limit) or _reserve_anew(limit)):
        raise _refusal(address)


def account_key(username: str) -> str:
    """The key of the row that counts attempts at an account."""
    return _key("account", username.casefold())


def failures_before(key: str | Parameter) -> Subquery:
    """How many attempts failed in a row before the last that did not; to be selected along with something."""
    return Subquery(LoginThrottle.objects.filter(key=key).values("before_success"))


def reset(username: str) -> None:
    """Forget the failures at an account, whose password is a new one."""
    LoginThrottle.objects.filter(key=account_key(username)).delete()


def erase(username: str, places: Iterable[str]) -> int:
    """Delete what is counted of an account, also on its devices and at its addresses; how many rows."""
    name = username.casefold()
    keys = [_key(of_all, name) for of_all in ("account", "code")]
    for place in set(places):
        keys += [_key(of_known, name, place) for of_known in ("known", "known for codes")]
    some = [keys[start : start + 500] for start in range(0, len(keys), 500)]
    return sum(LoginThrottle.objects.filter(pk__in=each).delete()[0] for each in some)


def purge(limit: int) -> int:
    """Delete at most so many rows that no longer limit anybody, and return how many."""
    now = timezone.now()
    over = LoginThrottle.objects.filter(window_ends__lt=now - LONGEST_WINDOW)
    idle = over.filter(Q(consecutive=0) | Q(window_ends__lt=now - conf.RETENTION_DAYS))
    with database.atomic():
        # Not one that is in use just now.
        free = idle.order_by("window_ends").select_for_update(skip_locked=True)
        keys = list(free.values_list("pk", flat=True)[:limit])
        return LoginThrottle.objects.filter(pk__in=keys).delete()[0]


def _forget_unknown() -> None:
    """Delete the oldest rows of names that no account has, beyond MOST_UNKNOWN.

    Anybody can create such rows without limit, and failures are stored for long. Rows of existing accounts
    stay, so that nobody gets new attempts by trying other names.
    """
    unknown = LoginThrottle.objects.filter(is_unknown=True)
    newest_first = unknown.order_by("-window_ends").values_list("pk", flat=True)
    if keys := list(newest_first[MOST_UNKNOWN : MOST_UNKNOWN + AT_ONCE]):
        with database.atomic():
            # Not one that is in use just now.
            free = unknown.filter(pk__in=keys).select_for_update(skip_locked=True)
            LoginThrottle.objects.filter(pk__in=list(free.values_list("pk", flat=True))).delete()


def _begin(of_all: str, of_known: str, username: str, client: Client) -> Attempt:
    account = _key(of_all, username.casefold())
    limit = conf.LOGIN_FAILURES_PER_ACCOUNT
    if _reserve({account: limit}) or _reserve_anew({account: limit}):
        return Attempt(account, account)
    # By the address first: an attacker with an app's ID can use up that device's attempts, but not these.
    users = get_user_model()._default_manager.filter(logins.named(username))
    ids = list(users.values_list("pk", flat=True))
    if place := _known_address(ids, client) or _known_device(ids, client):
        known = _key(of_known, username.casefold(), place)
        if _reserve({known: limit}) or _reserve_anew({known: limit}):
            return Attempt(account, known)
    raise _refusal(account, limit)


class Held(Subquery):
    """How many rows a query finds; they are locked in its order, until the statement is done."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS held)"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Lock the row that the subquery reads."""
        # Django's own select_for_update() wants a transaction around, and this is one by itself.
        locked = self.template.replace("(%(subquery)s)", "(%(subquery)s FOR UPDATE)")
        return self.as_sql(compiler, connection, template=locked)


def _reserve_anew(limits: dict[str, int]) -> bool:
    """As `_reserve`, for what may have no row yet."""
    # In the past for everybody, also for a process that read the clock earlier: the first count starts the
    # window. Two processes may try to create the row; then both count in the same one.
    over = timezone.now() - WINDOW
    rows = LoginThrottle.objects.using(database.alias()).filter(key__in=limits)
    for _ in range(3):
        LoginThrottle.objects.bulk_create(
            [LoginThrottle(key=key, window_ends=over) for key in limits], ignore_conflicts=True
        )
        if _reserve(limits):
            return True
        # A new password deletes the row (`reset`), which says nothing about the limit.
        if rows.count() == len(limits):
            break
    return False


def _reserve(limits: dict[str, int]) -> bool:
    """Count one more attempt for each key, if the limit of each has room for it: for all or for none."""
    now, (*_, most) = timezone.now(), limits.values()
    given: dict[str, Any] = {"now": now}
    for place, (key, limit) in enumerate(limits.items()):
        given |= {f"key{place}": key, f"limit{place}": limit}
    for full in range(LENGTHS):
        # An address has no failures in a row.
        given |= {f"full{full}": most * (full + 1), f"end{full}": now + WINDOW * 2**full}
    given |= {"longest": now + LONGEST_WINDOW, "impossible": now + IMPOSSIBLE_WINDOW}
    return bool(_reservation(database.alias(), len(limits)).run(given))


@cache
def _reservation(using: str, count: int) -> AsynchronousUpdate:
    """The statement of `_reserve`, for so many keys."""
    now, longest, impossible = (
        Parameter(name, DateTimeField()) for name in ("now", "longest", "impossible")
    )
    keys = [Parameter(f"key{place}", CharField()) for place in range(count)]
    limits = [Parameter(f"limit{place}", PositiveIntegerField()) for place in range(count)]
    over = Q(window_ends__lte=now) | Q(window_ends__gt=impossible)
    limit = Case(*(When(key=key, then=limit) for key, limit in zip(keys, limits, strict=True)))
    with_room = LoginThrottle.objects.filter(
        over | Q(failures__lt=limit - F("pending")), key__in=keys, consecutive__lt=MAX_CONSECUTIVE
    ).order_by(Case(When(key=keys[0], then=0), default=1))
    # When a window that begins now ends: later the more failures there were since the last success.
    end = Case(
        *(
            When(
                consecutive__lt=Parameter(f"full{full}", PositiveIntegerField()),
                then=Parameter(f"end{full}", DateTimeField()),
            )
            for full in range(LENGTHS)
        ),
        default=longest,
    )
    return AsynchronousUpdate(
        LoginThrottle.objects.filter(Exact(Held(with_room.values("key")), count), key__in=keys),
        using,
        failures=Case(When(over, then=_count(0)), default=F("failures")),
        pending=Case(When(over, then=_count(1)), default=F("pending") + _count(1)),
        window_ends=Case(When(over, then=end), default=F("window_ends")),
    )


@cache
def _success(using: str) -> AsynchronousUpdate:
    """The statement of `Attempt.succeeded`."""
    return _settled(using, failures=_count(0), **AFTER_SUCCESS)


@cache
def _failure(using: str) -> AsynchronousUpdate:
    """The statement of `Attempt.failed`."""
    return _settled(
        using,
        failures=F("failures") + _count(1),
        consecutive=F("consecutive") + _count(1),
        is_unknown=Parameter("is_unknown", BooleanField()),
    )


def _settled(using: str, **values: Combinable) -> AsynchronousUpdate:
    rows = LoginThrottle.objects.filter(key=Parameter("key", CharField()))
    pending = Greatest(F("pending") - _count(1), _count(0))
    return AsynchronousUpdate(rows, using, pending=pending, **values)


def _known_device(ids: Iterable[Any], client: Client) -> str:
    """The key of this very device, if a user was signed in on it and its owner never disowned that."""
    for user_id in ids:
        if keys := proven_keys(user_id, client):
            past = DeviceSession.objects.filter(user_id=user_id, device_key__in=keys)
            ended = set(past.values_list("revoke_reason", flat=True).distinct())
            if ended and ended.isdisjoint(DISOWNED):
                return keys[0]
    return ""


def _known_address(ids: Iterable[Any], client: Client) -> str:
    """This address, if a user was signed in from it by somebody the owner did not disown."""
    if not client.ip_address:
        return ""
    # A shortened address means its whole network, so it does not count (core.retention.anonymization).
    began = Q(ip_address=client.ip_address, created_at__gte=F("pii_since"))
    here = began | Q(last_ip=client.ip_address, last_active__gte=F("pii_since"))
    # Staff on the user's behalf were somewhere else than the user.
    past = DeviceSession.objects.filter(here, impersonator_session_id__isnull=True)
    owned = past.exclude(revoke_reason__in=DISOWNED)
    # One by one: with the name of a user instead of their key, Citus would ask all shards.
    return client.ip_address if any(owned.filter(user_id=each).exists() for each in ids) else ""


def _refusal(key: str, limit: int = 0) -> TooManyAttempts:
    """The refusal of an attempt: for a moment, if fewer have failed than `limit` and others are undecided."""
    row = LoginThrottle.objects.filter(key=key).first()
    if row and row.failures < limit and row.consecutive < MAX_CONSECUTIVE:
        return TooManyAttempts(retry_after=1)
    wait = row.window_ends - timezone.now() if row else WINDOW
    return TooManyAttempts(retry_after=max(math.ceil(wait.total_seconds()), 1))


def _address_key(kind: str, client: Client) -> str:
    # Clients without an address count as one.
    return _key(kind, customer_block(client.ip_address) if client.ip_address else "")


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
