"""How a session begins: a login, and what it finds in its way."""

from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    Manager,
    Model,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import Query
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import (
    citus,
    database,
    device_codes,
    logins,
    second_factor,
    throttling,
    trusted_devices,
)
from devices.core.binding import dpop
from devices.core.clients import geolocation
from devices.core.clients.client import Client, Label, describe_device
from devices.core.clients.device_key import fingerprint, proven_key
from devices.core.clients.operators import asn_of
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.security_log import Event, log_on_commit
from devices.core.retention import cleanup
from devices.core.risk import assessment, login_history
from devices.core.risk.rules import Assessment
from devices.core.statements import Insert, Parameter, Select, Update
from devices.exceptions import (
    AccountNotActive,
    DeviceCodeRequired,
    LoginTooStrange,
    OtpRequired,
    TooManySessions,
)
from devices.models import (
    SUSPICIOUS,
    Binding,
    DeviceSession,
    RevokeReason,
    RiskLevel,
    password_stamp,
)

from . import validation
from .policy import SessionPolicy, policy_of, shorten
from .revocation import after_revoke, assign, is_same, lock, revocation_values


def start(
    user: AbstractBaseUser,
    client: Client,
    *,
    method: str = "password",
    mfa: bool = False,
    remember: bool = True,
    is_device_proved: bool = False,
    proved_at: datetime | None = None,
    authenticated_at: datetime | None = None,
) -> DeviceSession:
    """Start a session for a user who has just proved who they are; `mfa`: with a second factor, too.

    A user with a second factor needs it (OtpRequired), except on a trusted device in a login that is not
    unusual; such a session has shown no second factor. Without `remember` it ends after
    SHORT_SESSION_MAX_AGE. `proved_at` is when a user who was moved from another system signed in there:
    step-up uses it, and the login is not assessed. `authenticated_at` is when they proved it to an identity
    provider that has kept them signed in since; step-up uses it unless a second factor was shown now.

    It replaces the session of the same device, and keeps its name. The least recently active sessions
    beyond MAX_SESSIONS end, doubted ones first, or as SESSION_POLICY says, which may raise TooManySessions.
    A doubted session ends only doubted ones.

    On a new device it waits for a code by e-mail if DEVICE_CODE_METHODS says so (DeviceCodeRequired), but
    not after a second factor, with `is_device_proved`, or with `proved_at`.

    It is bound to the key that the client proves (DPoP); the setting DPOP says who must prove one.

    Raises InvalidDPoPProof or DPoPNonceRequired if that proof is invalid, or missing where it is required.
    Raises AccountNotActive if the account was deactivated, deleted or given another password since the
    proof; and LoginTooStrange if the login is too unusual, or doubted and there is no room for it. Then no
    other session ends.
    """
    thumbprint = dpop.begin(client.presentation, user, client)
    device = describe_device(client, conf.LABEL_RULES)
    place = geolocation.locate(client.ip_address)
    proven = proven_key(user.pk, client, thumbprint)
    with database.atomic():
        account = _lock_with_history(user)
        if not is_same(account, user):
            raise AccountNotActive
        # Checked under the lock: it may have been enrolled since the password was checked.
        owes_factor = not mfa and second_factor.required_of(account)
        now = timezone.now()
        if login_history.is_another_kind(account, proven, device):
            # An ID that comes from another type of device does not identify it.
            proven = ""
        if owes_factor and not _is_trusted(account, client, proven, thumbprint):
            raise OtpRequired
        may_owe_code = method in conf.DEVICE_CODE_METHODS and not (mfa or owes_factor)
        if (
            may_owe_code
            and not (is_device_proved or proved_at)
            and device_codes.is_owed(account, proven)
        ):
            key = _key_here(client, thumbprint, account)
            pending = device_codes.begin(
                account, client, device, key, method=method, remember=remember
            )
            session = None
        else:
            session = _begin(
                account,
                client,
                device,
                place,
                now,
                proven,
                thumbprint,
                method=method,
                mfa=mfa,
                owes_factor=owes_factor,
                remember=remember,
                proved_at=proved_at,
                authenticated_at=authenticated_at,
            )
    if session is None:
        raise DeviceCodeRequired(str(pending.pk), pending)
    if session.revoke_reason == RevokeReason.RISK:
        raise LoginTooStrange
    return session


def start_by_code(challenge: str, code: str, client: Client) -> DeviceSession:
    """Begin the session of a login that waited for a code by mail, on the device that began it.

    Raises DeviceCodeInvalid or TooManyAttempts, and what `start` raises.
    """
    thumbprint = dpop.begin(client.presentation, None, client)
    pending = device_codes.redeem(challenge, code, partial(_key_here, client, thumbprint), client)
    return start(
        pending.user,
        client,
        method=pending.login_method,
        remember=pending.remember,
        is_device_proved=True,
    )


def _key_here(client: Client, thumbprint: str, user: AbstractBaseUser) -> str:
    """By what the device that asks is known, as when it began to sign in."""
    return proven_key(user.pk, client, thumbprint) or fingerprint(
        user.pk, describe_device(client, conf.LABEL_RULES)
    )


def _begin(
    account: AbstractBaseUser,
    client: Client,
    device: Label,
    place: geolocation.Location,
    now: datetime,
    proven: str,
    thumbprint: str,
    *,
    method: str,
    mfa: bool,
    owes_factor: bool,
    remember: bool,
    proved_at: datetime | None,
    authenticated_at: datetime | None,
) -> DeviceSession:
    """Write the session of a login that owes nothing more, in the transaction that holds the account.

    One that is too unusual ends with that, for RevokeReason.RISK. `proven` is the device's key, if any.
    """
    absolute = now + conf.SESSION_MAX_AGE
    if not remember:
        absolute = min(absolute, now + conf.SHORT_SESSION_MAX_AGE)
    session = new_session(
        account,
        client,
        device,
        place,
        now,
        absolute,
        device_key=proven or fingerprint(account.pk, device),
        login_method=method,
        authenticated_at=proved_at or (now if mfa else min(authenticated_at or now, now)),
        mfa_at=proved_at or now if mfa else None,
        binding=Binding.DPOP if thumbprint else Binding.NONE,
        binding_key=thumbprint,
    )
    failures = getattr(account, "failures_before", 0) if method == "password" else 0
    judged, is_news = login_history.judge(account, login_history.login_of(session, failures or 0))
    if owes_factor and judged.level in SUSPICIOUS:
        # Trust is for what the device does every day. Nothing is learned from this attempt.
        raise OtpRequired
    if proved_at is not None:
        judged = Assessment()
    is_doubted = judged.is_at_least(RiskLevel.HIGH)
    session.risk_score, session.risk_level = judged.score, judged.level
    policy = policy_of(account, session)
    shorten(session, policy, now)
    if is_doubted:
        session.reauth_required_since = now
    ended: list[Entry] = []
    revocation: dict[str, Any] = {}
    if judged.level == RiskLevel.CRITICAL or (
        is_doubted and not _has_free_slot(account, now, policy)
    ):
        revocation = revocation_values(RevokeReason.RISK, None)
        assign([session], revocation)
    else:
        ended, session.name = _revoke_superseded_and_excess(session, proven, now, policy)
    _insert(session)
    started = Entry(session, "session.started", {"method": method}, client.ip_address)
    database.announce(signals.session_started, session=session)
    log_on_commit(Event.SESSION_STARTED, session, client, method=method)
    if owes_factor:
        log_on_commit(Event.OTP_SKIPPED, session, client)
    unusual = assessment.of_login(session, judged, client)
    end = after_revoke([session], revocation, "") if revocation else []
    activity.record_all([*ended, started, *unusual, *end])
    if not (ended or is_news):
        # A login that had more to write has done enough.
        database.on_commit(partial(cleanup.purge_some, session.pk), robust=True)
    return session


def _insert(session: DeviceSession) -> None:
    """As `save`, without compiling it anew where nobody listens to Django's signals."""
    if pre_save.has_listeners(DeviceSession) or post_save.has_listeners(DeviceSession):
        session.save(force_insert=True)
    else:
        _inserting(database.alias()).run([session])


@cache
def _inserting(using: str) -> Insert:
    return Insert(DeviceSession, using)


def is_trusted(user: AbstractBaseUser, client: Client) -> bool:
    """Whether a login with the password, now, would begin without a second factor.

    For doors that ask in steps.
    Nothing is learned from the question.
    """
    if conf.TRUSTED_DEVICE_MAX_AGE is None:
        return False
    device = describe_device(client, conf.LABEL_RULES)
    place = geolocation.locate(client.ip_address)
    proven = proven_key(user.pk, client)
    now = timezone.now()
    with database.atomic():
        account = _lock_with_history(user)
        if account is None:
            return False
        if login_history.is_another_kind(account, proven, device):
            return False
        if not _is_trusted(account, client, proven):
            return False
        session = new_session(account, client, device, place, now, now, device_key=proven)
        login = login_history.login_of(session, getattr(account, "failures_before", 0) or 0)
        return login_history.assess_only(account, login).level not in SUSPICIOUS


def _is_trusted(
    account: AbstractBaseUser, client: Client, proven: str, thumbprint: str = ""
) -> bool:
    key = trusted_devices.key_of(account.pk, client, thumbprint)
    return key == proven and trusted_devices.is_trusted(account, key)


def new_session(
    account: AbstractBaseUser,
    client: Client,
    device: Label,
    place: geolocation.Location,
    now: datetime,
    absolute: datetime,
    **fields: Any,
) -> DeviceSession:
    """The row of a session that begins now, not saved yet."""
    return DeviceSession(
        user_id=account.pk,
        device=device.device,
        device_type=device.device_type,
        browser=device.browser,
        os=device.os,
        user_agent=client.user_agent,
        ip_address=client.ip_address,
        last_ip=client.ip_address,
        country=place.country,
        city=place.city,
        latitude=place.latitude,
        longitude=place.longitude,
        is_place_uncertain=place.is_uncertain,
        asn=asn_of(client.ip_address) if conf.ASN_DATABASE else None,
        created_at=now,
        last_active=now,
        expires_at=min(now + conf.IDLE_LIMIT, absolute),
        absolute_expires_at=absolute,
        pii_since=now,
        password_stamp=password_stamp(account.password),
        rotated_at=now,
        **fields,
    )


def _lock_with_history(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """As `lock`, and in the same SELECT what a login is judged by."""
    model = get_user_model()
    if conf.CITUS:
        citus.serialize_logins(user.pk)
    throttled = throttling.account_key(logins.username_of(user))
    if _names_schema(model) and lock(user) is None:
        return None
    rules = validation.rules(model)
    if rules and _can_be_locked(model._default_manager.all().query):
        # What a manager hides may differ from one moment to the next.
        return _to_lock(model._default_manager, throttled).filter(pk=user.pk).first()
    statement = _locking(database.alias(), model, conf.SECOND_FACTOR)
    account = next(iter(statement.run({"pk": user.pk, "throttled": throttled})), None)
    return None if rules and validation.hidden_users([user.pk]) else account


def _can_be_locked(users: Query) -> bool:
    """Whether PostgreSQL locks the rows of such a query: not where a row of it stands for several."""
    is_grouped = users.group_by is not None or users.distinct
    windows = (each for each in users.annotations.values() if each.contains_over_clause)
    return not (is_grouped or any(windows))


@cache
def _locking(using: str, model: type[AbstractBaseUser], _: str | None) -> Select:
    """The statement of `_lock_with_history`."""
    pk: Any = model._meta.pk
    rows = _to_lock(model._base_manager, Parameter("throttled", CharField()))
    return Select(rows.filter(pk=Parameter("pk", pk)), using)


def _to_lock(users: Manager[Any], throttled: str | Parameter) -> QuerySet[Any]:
    # The past is not locked: it may not be there yet. Of a user in several tables, all are.
    links = [link.name for link in users.model._meta.parents.values() if link is not None]
    rows = users.select_related("devices_login_history").annotate(
        failures_before=throttling.failures_before(throttled)
    )
    rows = second_factor.known(rows).order_by()
    if conf.CITUS or _names_schema(users.model):
        return rows
    return rows.select_for_update(no_key=True, of=("self", *links))


def _names_schema(model: type[Model]) -> bool:
    """Whether the table of users has its schema in its name, as in db_table = 'crm"."people'.

    PostgreSQL takes no such name behind FOR UPDATE OF, so that its rows are locked by a statement before.
    """
    tables = (each._meta.db_table for each in (model, *model._meta.parents))
    return any('"."' in table for table in tables)


def _has_free_slot(account: AbstractBaseUser, now: datetime, policy: SessionPolicy) -> bool:
    """Whether a doubted session fits beside those that are not doubted."""
    if policy.max_sessions is None:
        return True
    trusted = (
        DeviceSession.objects.for_user(account)
        .active(now)
        .filter(reauth_required_since__isnull=True)
    )
    return trusted.count() < policy.max_sessions


def _revoke_superseded_and_excess(
    begun: DeviceSession, proven: str, now: datetime, policy: SessionPolicy
) -> tuple[list[Entry], str]:
    """End what a session that begins finds in its way; the lines for the logs, and the device's name.

    That are sessions under an older password, those of the same proven device, and those beyond the limit.
    Raises TooManySessions if the policy ends none for another.
    """
    # Nothing is locked but what ends: a login need not wait for what the person's other devices do just now.
    revocation = revocation_values(RevokeReason.LIMIT, None)
    is_doubted = begun.reauth_required_since is not None
    statement = _ending(
        database.alias(), policy.max_sessions, policy.at_limit, bool(proven), is_doubted
    )
    ended = statement.run_returning(
        {
            "now": now,
            "revoked_at": revocation["revoked_at"],
            "user_id": begun.user_id,
            "password_stamp": begun.password_stamp,
            "device_key": proven,
            "device_type": begun.device_type,
        }
    )
    if policy.at_limit == "refuse" and policy.max_sessions is not None:
        left = DeviceSession.objects.filter(
            user_id=begun.user_id, impersonator_session_id__isnull=True
        )
        if left.active(now).count() >= policy.max_sessions:
            raise TooManySessions
    entries: list[Entry] = []
    for why in sorted({session.revoke_reason for session in ended}):
        rows = [session for session in ended if session.revoke_reason == why]
        entries += after_revoke(rows, revocation | {"revoke_reason": why}, "")
    superseded = (row for row in ended if row.revoke_reason == RevokeReason.SUPERSEDED)
    return entries, next((session.name for session in superseded if session.name), "")


@lru_cache(maxsize=64)
def _ending(
    using: str, max_sessions: int | None, at_limit: str, is_proven: bool, is_doubted: bool
) -> Update:
    """The statement of `_revoke_superseded_and_excess` for logins of one kind."""
    fields: Any = DeviceSession._meta
    given = {
        name: Parameter(name, fields.get_field(name))
        for name in ("device_key", "device_type", "password_stamp", "revoked_at", "user_id")
    }
    now: Any = Parameter("now", DateTimeField())
    mine = DeviceSession.objects.filter(user_id=given["user_id"]).active(now)
    is_stale = ~Q(password_stamp=given["password_stamp"])
    is_here = Q(device_key=given["device_key"])
    if is_doubted:
        is_here &= Q(reauth_required_since__isnull=False)
    reason = Case(
        When(is_stale, then=Value(RevokeReason.PASSWORD_CHANGED)),
        When(is_here, then=Value(RevokeReason.SUPERSEDED)),
        default=Value(RevokeReason.LIMIT),
    )
    in_the_way = is_stale | is_here if is_proven else is_stale
    if max_sessions is not None and at_limit != "refuse":
        trusted_first = Case(When(reauth_required_since__isnull=True, then=0), default=1)
        # Staff on the user's behalf are none of the user's devices, and take the place of none.
        theirs = mine.filter(impersonator_session_id__isnull=True).exclude(in_the_way)
        is_alike = at_limit == "evict_alike"
        alike_last = Case(When(device_type=given["device_type"], then=1), default=0)
        order = ["-last_active", "-created_at"]
        others = theirs.order_by(trusted_first, *([alike_last] if is_alike else []), *order)
        in_the_way |= Q(pk__in=others.values("pk")[max_sessions - 1 :])
    return Update(
        mine.filter(in_the_way),
        using,
        revoke_reason=reason,
        revoked_at=given["revoked_at"],
        revoked_by_id=None,
    )
