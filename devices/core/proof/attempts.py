"""How often a password, or a code, may be tried, for one account and from one address.

Every attempt is counted before its password is hashed, by one conditional UPDATE: parallel attempts in any
number of workers get no more than the limit between them.

Locks: the row of an address before that of an account, and that before the one of what the account knows.
"""

import hashlib
import ipaddress
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Case, F, IntegerField, PositiveIntegerField, Q, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest
from django.db.models.lookups import Exact
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.caller.client import Client
from devices.core.caller.device_key import proven_keys
from devices.exceptions import TooManyAttempts
from devices.models import DeviceSession, LoginLimit, RevokeReason

WINDOW = timedelta(minutes=1)
LONGEST_WINDOW = timedelta(hours=1)
# NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures on one account.
MAX_CONSECUTIVE = 100

# Who was signed in there was not the account's owner.
DISOWNED = (RevokeReason.REUSE, RevokeReason.NOT_ME, RevokeReason.RISK)

# How long an attempt waits for others that are being decided just now, before it is refused for them.
PATIENCE = 5.0
PAUSE = 0.05


@dataclass(frozen=True)
class Attempt:
    """A counted attempt, to be told how it ended. One never told counts until its window ends."""

    account: str
    # The account's own, or that of a known device of its owner.
    key: str

    def succeeded(self) -> None:
        before: dict[str, Combinable] = {
            "before_success": F("consecutive"),
            "consecutive": _count(0),
        }
        _settle(self.key, failures=_count(0), **before)
        if self.key != self.account:
            LoginLimit.objects.filter(key=self.account).update(**before)

    def failed(self) -> None:
        one = _count(1)
        _settle(self.key, failures=F("failures") + one, consecutive=F("consecutive") + one)


_counted: ContextVar[bool] = ContextVar("devices.counted", default=False)


@contextmanager
def counted() -> Iterator[None]:
    """Let it be known that a password is being checked whose attempt has been counted."""
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


def is_counted() -> bool:
    return _counted.get()


def begin(username: str, client: Client) -> Attempt:
    """Count an attempt at an account. Raises TooManyAttempts if none is left; then nothing may be tried.

    A device that the account was signed in on, and an address that it was signed in from, have attempts of
    their own, so that a stranger who uses up those of everybody else does not lock the owner out.
    """
    account = _key("account", username.casefold())
    # Clients without an address count as one.
    address = _key("address", _network(client.ip_address) if client.ip_address else "")
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


def failures_before(username: str) -> Subquery:
    """How many attempts failed in a row before the last that did not; to be selected along with something."""
    row = LoginLimit.objects.filter(key=_key("account", username.casefold()))
    return Subquery(row.values("before_success"))


def pardon(username: str) -> None:
    """Forget the failures at an account, whose password is a new one."""
    LoginLimit.objects.filter(key=_key("account", username.casefold())).delete()


def erase(username: str, places: Iterable[str]) -> int:
    """Delete what is counted of an account, also on its devices and at its addresses; how many rows."""
    name = username.casefold()
    keys = [_key(of_all, name) for of_all in ("account", "code")]
    for place in set(places):
        keys += [_key(of_known, name, place) for of_known in ("known", "known for codes")]
    some = [keys[start : start + 500] for start in range(0, len(keys), 500)]
    return sum(LoginLimit.objects.filter(pk__in=each).delete()[0] for each in some)


def forget(limit: int) -> int:
    """Delete the first so many rows that limit nobody any more; how many these were."""
    now = timezone.now()
    over = LoginLimit.objects.filter(window_ends__lt=now - LONGEST_WINDOW)
    idle = over.filter(Q(consecutive=0) | Q(window_ends__lt=now - conf.RETENTION_DAYS))
    with database.atomic():
        # Not one that is in use just now.
        free = idle.order_by("window_ends").select_for_update(skip_locked=True)
        keys = list(free.values_list("pk", flat=True)[:limit])
        return LoginLimit.objects.filter(pk__in=keys).delete()[0]


def _begin(of_all: str, of_known: str, username: str, client: Client) -> Attempt:
    account = _key(of_all, username.casefold())
    if _reserve_patiently(account):
        return Attempt(account, account)
    # By the address first: whoever knows an app's id uses up that device's attempts, but not at its home.
    if place := _known_address(username, client) or _known_device(username, client):
        known = _key(of_known, username.casefold(), place)
        if _reserve_patiently(known):
            return Attempt(account, known)
    raise _refusal(account)


class Held(Subquery):
    """How many rows a query finds; they are locked in its order, until the statement is done."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS held)"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        # Django's own select_for_update() wants a transaction around, and this is one by itself.
        locked = self.template.replace("(%(subquery)s)", "(%(subquery)s FOR UPDATE)")
        return self.as_sql(compiler, connection, template=locked)


def _reserve_patiently(key: str) -> bool:
    """Count one more attempt at an account; where only undecided ones are in the way, wait for them."""
    limit = conf.LOGIN_FAILURES_PER_ACCOUNT
    decided = Q(failures__gte=limit) | Q(consecutive__gte=MAX_CONSECUTIVE)
    deadline = time.monotonic() + PATIENCE
    while not (_reserve({key: limit}) or _reserve_anew({key: limit})):
        if time.monotonic() > deadline or LoginLimit.objects.filter(decided, key=key).exists():
            return False
        time.sleep(PAUSE)
    return True


def _reserve_anew(limits: dict[str, int]) -> bool:
    """As `_reserve`, for what may have no row yet."""
    # Over for everybody, also for who looked at the clock a little earlier: the first to count begins a
    # window. The first two to come may both make the row; then both count on the one there is.
    over = timezone.now() - WINDOW
    LoginLimit.objects.bulk_create(
        [LoginLimit(key=key, window_ends=over) for key in limits], ignore_conflicts=True
    )
    return _reserve(limits)


def _reserve(limits: dict[str, int]) -> bool:
    """Count one more attempt for each key, if the limit of each has room for it: for all or for none."""
    now = timezone.now()
    over, keys = Q(window_ends__lte=now), list(limits)
    limit = Case(*(When(key=key, then=_count(limit)) for key, limit in limits.items()))
    with_room = LoginLimit.objects.filter(
        over | Q(failures__lt=limit - F("pending")), key__in=keys, consecutive__lt=MAX_CONSECUTIVE
    ).order_by(Case(When(key=keys[0], then=0), default=1))
    counted = LoginLimit.objects.filter(
        Exact(Held(with_room.values("key")), len(keys)), key__in=keys
    ).update(
        failures=Case(When(over, then=_count(0)), default=F("failures")),
        pending=Case(When(over, then=_count(1)), default=F("pending") + _count(1)),
        # An address has no failures in a row.
        window_ends=Case(
            When(over, then=_window_end(now, limits[keys[-1]])), default=F("window_ends")
        ),
    )
    return bool(counted)


def _settle(key: str, **counts: Combinable) -> None:
    LoginLimit.objects.filter(key=key).update(
        pending=Greatest(F("pending") - _count(1), _count(0)), **counts
    )


def _window_end(now: datetime, limit: int) -> Case:
    """When a window beginning now ends: later the more failures there were since the last success."""
    lengths = [WINDOW * 2**full for full in range(6)]
    return Case(
        *(
            When(consecutive__lt=limit * (full + 1), then=Value(now + length))
            for full, length in enumerate(lengths)
        ),
        default=Value(now + LONGEST_WINDOW),
    )


def _known_device(username: str, client: Client) -> str:
    """The key of this very device, if the account was signed in on it and its owner never disowned that."""
    name = get_user_model().USERNAME_FIELD
    users = get_user_model()._default_manager.filter(**{f"{name}__iexact": username})
    for user_id in users.values_list("pk", flat=True):
        if keys := proven_keys(user_id, client):
            past = DeviceSession.objects.filter(user_id=user_id, device_key__in=keys)
            ended = set(past.values_list("revoke_reason", flat=True).distinct())
            if ended and ended.isdisjoint(DISOWNED):
                return keys[0]
    return ""


def _known_address(username: str, client: Client) -> str:
    """This address, if the account was signed in from it by somebody its owner did not disown."""
    if not client.ip_address:
        return ""
    name = get_user_model().USERNAME_FIELD
    # Not what only looks like it: an address that has aged stands for its network (core.forget.privacy).
    began = Q(ip_address=client.ip_address, created_at__gte=F("precise_since"))
    here = began | Q(last_ip=client.ip_address, last_active__gte=F("precise_since"))
    past = DeviceSession.objects.filter(
        # Staff on the user's behalf were somewhere else than the user.
        here,
        impersonator_session_id__isnull=True,
        **{f"user__{name}__iexact": username},
    )
    return client.ip_address if past.exclude(revoke_reason__in=DISOWNED).exists() else ""


def _refusal(key: str) -> TooManyAttempts:
    row = LoginLimit.objects.filter(key=key).first()
    wait = row.window_ends - timezone.now() if row else WINDOW
    return TooManyAttempts(retry_after=max(math.ceil(wait.total_seconds()), 1))


def _network(address: str) -> str:
    """What counts as one address: an IPv6 customer has a whole /64 to choose from."""
    ip = ipaddress.ip_address(address)
    return str(ip if ip.version == 4 else ipaddress.ip_network((ip, 64), strict=False))


def _count(number: int) -> Value:
    return Value(number, output_field=PositiveIntegerField())


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
