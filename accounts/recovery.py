"""Account recovery: the owner of an account's former address takes the account back.

A stranger who knows the password, and is not doubted, may add a sign-in method of their own, and then take
the owner's away. So each way that is added leaves a `RecoveryPoint`: the mail about it has a link that puts
the account back to the address it had, for `LIFETIME`. Of several links the earliest wins. docs/security.md
says what it does and what it does not do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import urlencode

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import signing
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.account import (
    NOTIFIED_AT_BOTH_ADDRESSES,
    account_changed,
    account_recovered,
    get_page_url,
)
from devices.exceptions import OtpInvalid, OtpRequired
from devices.hooks import Client
from devices.shortcuts import get_client, verify_second_factor

from .models import FACTORS, RecoveryPoint, User

# As long as both addresses are told of everything (core.notifications.outbox).
LIFETIME: Final = NOTIFIED_AT_BOTH_ADDRESSES
# Ours have 76; longer ones are refused before they are hashed.
LONGEST: Final = 200
# Of the link's query.
TOKEN: Final = "token"

_by_staff: ContextVar[bool] = ContextVar("accounts.by_staff", default=False)


class RecoveryError(Exception):
    """The link does nothing; `status` is that of the answer."""

    status: ClassVar[int] = 404
    message: ClassVar[str | Promise] = _("This link is not one of ours. Was it copied whole?")


class RecoveryClosed(RecoveryError):
    """It did once, but is too old, or somebody with an earlier link, or staff, were faster."""

    status = 410
    message = _(
        "This link does not work any more. It is older than seven days, or the account was put right by "
        "an earlier link or by staff."
    )


class RecoveryConflict(RecoveryError):
    """The address was proved for another account meanwhile, by somebody who reads its mail."""

    status = 409
    message = _(
        "There is another account with this address now. Give that account another address, then follow "
        "this link again."
    )


class Plan(NamedTuple):
    """What following a link does, as the page says beforehand."""

    point: RecoveryPoint
    moves_address: bool
    other_addresses: int
    identities: int
    factors: int
    # Whether a code of a second factor is asked for that the account had before.
    needs_code: bool


@contextmanager
def by_staff() -> Iterator[None]:
    """Within, sign-in methods are added by staff: that leaves no way back, and is told elsewhere."""
    token = _by_staff.set(True)
    try:
        yield
    finally:
        _by_staff.reset(token)


def note_added(user_id: Any, added: models.Model) -> bool:
    """Leave a way back from a sign-in method that was just added; False if there is none to leave.

    That is so before the account's address is proved, for that address itself, and for what staff do. Where
    an account returns to an address that it left within LIFETIME, that is a way back by itself: what lies
    between leaves none.
    """
    mine = User.objects.filter(
        pk=user_id, emailaddress__email=F("email"), emailaddress__verified=True
    )
    email = mine.values_list("email", flat=True).first()
    if email is None or _by_staff.get():
        return False
    now = timezone.now()
    if isinstance(added, EmailAddress):
        if added.email == email:
            return False
        if earlier := _open(user_id).filter(email=added.email).first():
            _open(user_id).filter(created_at__gt=earlier.created_at).update(closed_at=now)
            return False
    RecoveryPoint.objects.filter(changed_at__lt=now - LIFETIME).delete()
    point, is_new = RecoveryPoint.objects.get_or_create(
        user_id=user_id,
        email=email,
        closed_at=None,
        defaults={"factors": _factors_of(user_id, but=added), "created_at": now, "changed_at": now},
    )
    if not is_new:
        RecoveryPoint.objects.filter(pk=point.pk).update(changed_at=now)
    return True


def close(user_id: Any) -> None:
    """Let no link put the account back any more: staff have given it another address."""
    _open(user_id).update(closed_at=timezone.now())


def url_for(user_id: Any, email: str) -> str:
    """The link for this address in a mail about the account, or "": DEVICES["ACCOUNT_RECOVERY_URL"].

    It is made when the mail is sent, so that no database holds it.
    """
    point = _open(user_id).filter(email=email).first()
    page = get_page_url("account_recover")
    return f"{page}?{urlencode({TOKEN: _signer().sign(point.pk.hex)})}" if point and page else ""


def find(token: str) -> RecoveryPoint:
    """The point a link leads to. Raises RecoveryError, or RecoveryClosed unless it did its work itself."""
    if len(token) > LONGEST or not token.isascii():
        raise RecoveryError
    try:
        point = RecoveryPoint.objects.get(pk=_signer().unsign(token))
    except signing.BadSignature as error:
        raise RecoveryError from error
    except RecoveryPoint.DoesNotExist as error:
        raise RecoveryClosed from error
    _demand_open(point)
    return point


def plan(point: RecoveryPoint) -> Plan:
    """What following the link would do now."""
    user, kept = point.user, _kept(point)
    addresses = EmailAddress.objects.filter(user_id=user.pk).exclude(email=point.email)
    factors = Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS)
    return Plan(
        point,
        moves_address=user.email != point.email,
        other_addresses=addresses.count(),
        identities=SocialAccount.objects.filter(user_id=user.pk).count(),
        factors=factors.exclude(pk__in=kept).count(),
        needs_code=bool(kept),
    )


def recover(point: RecoveryPoint, request: HttpRequest, code: str = "") -> User:
    """Put an account back to the address it had at this point, and to nothing else.

    That address is verified and the only one. All identities go, and all second factors that were not there
    at this point; those that were are asked for, by `code`. The password is unusable, all sessions end, what
    was learned of logins is forgotten, and both addresses are told. A link that has done so does nothing when
    it comes again.

    Raises RecoveryClosed, RecoveryConflict, OtpRequired, OtpInvalid or TooManyAttempts.
    """
    if not point.was_used and (kept := _kept(point)):
        _demand_code(point.user, kept, code, request)
    try:
        with transaction.atomic():
            user = User.objects.select_for_update().get(pk=point.user_id)
            point.refresh_from_db()
            _demand_open(point)
            if not point.was_used:
                _restore(user, point, get_client(request))
    except IntegrityError as error:
        # Somebody proved the address for another account at this very moment.
        raise RecoveryConflict from error
    return user


def choose_password_url(user: User) -> str:
    """Where somebody who has just proved the account's mailbox chooses a password at once."""
    keys = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return reverse("account_reset_password_from_key", kwargs=keys)


def _restore(user: User, point: RecoveryPoint, client: Client) -> None:
    since = _open(user.pk).filter(created_at__gte=point.created_at)
    displaced = {user.email, *since.values_list("email", flat=True)} - {point.email}
    kept = _kept(point)
    _take_from_others(user, point.email)
    addresses = EmailAddress.objects.filter(user_id=user.pk)
    addresses.exclude(email=point.email).delete()
    # Here and below not by save(): it would be told, and asked about, as any other change.
    if not addresses.update(verified=True, primary=True):
        own = EmailAddress(user=user, email=point.email, verified=True, primary=True)
        EmailAddress.objects.bulk_create([own])
    SocialAccount.objects.filter(user_id=user.pk).delete()
    Authenticator.objects.filter(user_id=user.pk).exclude(pk__in=kept).delete()
    user.email = point.email
    account_recovered(user, client, address=point.email, displaced=displaced)
    user.set_unusable_password()
    User.objects.filter(pk=user.pk).update(email=user.email, password=user.password)
    # A later address whose link was used before has not got the account any more.
    RecoveryPoint.objects.filter(user=user).update(was_used=False)
    since.update(closed_at=timezone.now())
    RecoveryPoint.objects.filter(pk=point.pk).update(was_used=True)


def _take_from_others(user: User, email: str) -> None:
    """An account that has registered the address meanwhile, unverified, does not block the recovery.

    Their account is deactivated and left to staff. Raises RecoveryConflict if the address was proved.
    """
    if EmailAddress.objects.filter(email=email, verified=True).exclude(user=user).exists():
        raise RecoveryConflict
    for other in User.objects.select_for_update().filter(email=email).exclude(pk=user.pk):
        if other.is_staff or other.is_superuser:
            raise RecoveryConflict
        EmailAddress.objects.filter(user=other, email=email).delete()
        # Not by save(): the address that would be told is the one that comes back.
        given_up = {"email": f"{other.pk}@released.invalid", "is_active": False}
        User.objects.filter(pk=other.pk).update(**given_up)
        other.is_active = False
        account_changed(other)


def _demand_open(point: RecoveryPoint) -> None:
    if point.changed_at < timezone.now() - LIFETIME or not point.user.is_active:
        raise RecoveryClosed
    if point.closed_at is not None and not point.was_used:
        raise RecoveryClosed


def _demand_code(user: User, kept: list[int], code: str, request: HttpRequest) -> None:
    if not code:
        raise OtpRequired
    factor = verify_second_factor(request, user, code)
    # Of a factor from before, not of one that the attacker enrolled.
    if not Authenticator.objects.filter(user_id=user.pk, type=factor, pk__in=kept).exists():
        raise OtpInvalid


def _kept(point: RecoveryPoint) -> list[int]:
    """The factors that stay: those from before, with their recovery codes; none if only codes are left."""
    there = Authenticator.objects.filter(user_id=point.user_id, pk__in=point.factors)
    kept = list(there)
    return [each.pk for each in kept] if any(each.type in FACTORS for each in kept) else []


def _factors_of(user_id: Any, *, but: models.Model) -> list[int]:
    mine = Authenticator.objects.filter(user_id=user_id)
    if isinstance(but, Authenticator):
        mine = mine.exclude(pk=but.pk)
    return list(mine.order_by("pk").values_list("pk", flat=True))


def _open(user_id: Any) -> models.QuerySet[RecoveryPoint]:
    since = timezone.now() - LIFETIME
    return RecoveryPoint.objects.filter(
        user_id=user_id, closed_at__isnull=True, changed_at__gte=since
    )


def _signer() -> signing.Signer:
    return signing.Signer(salt="accounts.recovery")
