"""How a session begins: a login, and what it finds in its way."""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.core import database
from devices.core.caller import geo
from devices.core.caller.client import Client, Label, label
from devices.core.caller.device_key import likeness, proven_key
from devices.core.forget import cleanup
from devices.core.log import activity
from devices.core.log.activity import Entry
from devices.core.log.audit import Event
from devices.core.log.telling import announce, log
from devices.core.proof import attempts, second_factor
from devices.core.watch import past, suspicion
from devices.core.watch.risk import Assessment
from devices.exceptions import AccountNotActive, LoginTooStrange, OtpRequired
from devices.models import DeviceSession, RevokeReason, RiskLevel, auth_stamp

from .ending import end_values, note_end
from .rows import assign, is_same, update_returning


def start(
    user: AbstractBaseUser,
    client: Client,
    *,
    method: str = "password",
    mfa: bool = False,
    remember: bool = True,
    proved_at: datetime | None = None,
) -> DeviceSession:
    """Begin a session for a user who has just proved who they are; `mfa` if with a second factor, too.

    Whoever has one does not get in without it, by whatever door: OtpRequired. One that is not to be
    remembered ends after SHORT_SESSION_MAX_AGE. Whoever is brought along from another system proved it at
    another time, `proved_at`: they step up as if they had done so here, and are no strange login.

    The session that the same device had ends, and its name goes on. The least recently active sessions
    beyond MAX_SESSIONS end, doubted ones first. A doubted session ends no other that is not doubted.

    Raises AccountNotActive if the account was deactivated, deleted or given another password since the
    proof, and LoginTooStrange if it is judged so, or doubted while there is no room for it: then nothing
    else ends.
    """
    device = label(client, conf.LABEL_RULES)
    place = geo.locate(client.ip_address)
    with database.atomic():
        account = _lock_with_past(user)
        if not is_same(account, user):
            raise AccountNotActive
        # Asked under the lock: it may have been enrolled since the password was proved.
        if not mfa and second_factor.required_of(account):
            raise OtpRequired
        now = timezone.now()
        proven = proven_key(account.pk, client)
        if past.is_another_kind(account, proven, device):
            # An id that comes from another kind of device proves nothing.
            proven = ""
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
            device_key=proven or likeness(account.pk, device),
            login_method=method,
            authenticated_at=proved_at or now,
            mfa_at=proved_at or now if mfa else None,
        )
        failures = getattr(account, "failures_before", 0) if method == "password" else 0
        judged, is_news = past.judge(account, past.login_of(session, failures or 0))
        if proved_at is not None:
            judged = Assessment()
        session.risk_score, session.risk_level = judged.score, judged.level
        if judged.is_at_least(RiskLevel.HIGH):
            session.doubted_at = now
        ended: list[Entry] = []
        revocation: dict[str, Any] = {}
        is_doubted = session.doubted_at is not None
        if judged.level == RiskLevel.CRITICAL or (is_doubted and not _has_room(account, now)):
            revocation = end_values(RevokeReason.RISK, None)
            assign([session], revocation)
        else:
            ended, session.name = _make_room(account, proven, now, is_doubted=is_doubted)
        session.save(force_insert=True)
        started = Entry(session, "session.started", {"method": method}, client.ip_address)
        announce(signals.session_started, session=session)
        log(Event.SESSION_STARTED, session, client, method=method)
        strange = suspicion.of_login(session, judged, client)
        end = note_end([session], revocation, "") if revocation else []
        activity.record_all([*ended, started, *strange, *end])
        if not (ended or is_news):
            # A login that had more to write has done enough.
            database.on_commit(partial(cleanup.purge_some, session.pk), robust=True)
    if revocation:
        raise LoginTooStrange
    return session


def new_session(
    account: AbstractBaseUser,
    client: Client,
    device: Label,
    place: geo.Location,
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
        created_at=now,
        last_active=now,
        expires_at=min(now + conf.IDLE_LIMIT, absolute),
        absolute_expires_at=absolute,
        precise_since=now,
        auth_stamp=auth_stamp(account.password),
        rotated_at=now,
        **fields,
    )


def _lock_with_past(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """As `lock`, and in the same SELECT what a login is judged by."""
    model = get_user_model()
    # The past is not locked: it may not be there yet. Of a user in several tables, all are.
    links = [link.name for link in model._meta.parents.values() if link is not None]
    rows = model._default_manager.select_related("devices_past").annotate(
        failures_before=attempts.failures_before(user.get_username())
    )
    rows = second_factor.known(rows)
    return rows.select_for_update(no_key=True, of=("self", *links)).filter(pk=user.pk).first()


def _has_room(account: AbstractBaseUser, now: datetime) -> bool:
    """Whether a doubted session fits beside those that are not doubted."""
    if conf.MAX_SESSIONS is None:
        return True
    trusted = DeviceSession.objects.of(account).active(now).filter(doubted_at__isnull=True)
    return trusted.count() < conf.MAX_SESSIONS


def _make_room(
    account: AbstractBaseUser, proven: str, now: datetime, *, is_doubted: bool
) -> tuple[list[Entry], str]:
    """End what a login finds in its way; what to write into the logs, and the name the device has.

    That are sessions under an older password, those of the same proven device, and those beyond the limit.
    """
    stamp = auth_stamp(account.password)
    mine = DeviceSession.objects.filter(user_id=account.pk).active(now)
    is_stale, is_here = ~Q(auth_stamp=stamp), Q(device_key=proven)
    if is_doubted:
        is_here &= Q(doubted_at__isnull=False)
    reason = Case(
        When(is_stale, then=Value(RevokeReason.PASSWORD_CHANGED)),
        When(is_here, then=Value(RevokeReason.SUPERSEDED)),
        default=Value(RevokeReason.LIMIT),
    )
    in_the_way = is_stale | is_here if proven else is_stale
    if conf.MAX_SESSIONS is not None:
        trusted_first = Case(When(doubted_at__isnull=True, then=0), default=1)
        # Staff on the user's behalf are none of the user's devices, and take the place of none.
        theirs = mine.filter(impersonator_session_id__isnull=True).exclude(in_the_way)
        others = theirs.order_by(trusted_first, "-last_active", "-created_at")
        in_the_way |= Q(pk__in=others.values("pk")[max(conf.MAX_SESSIONS - 1, 0) :])
    # Nothing is locked but what ends: a login need not wait for what the person's other devices do just now.
    revocation = end_values(RevokeReason.LIMIT, None) | {"revoke_reason": reason}
    ended = update_returning(mine.filter(in_the_way), **revocation)
    entries: list[Entry] = []
    for why in RevokeReason:
        rows = [session for session in ended if session.revoke_reason == why]
        entries += note_end(rows, revocation | {"revoke_reason": why}, "")
    superseded = (row for row in ended if row.revoke_reason == RevokeReason.SUPERSEDED)
    return entries, next((session.name for session in superseded if session.name), "")
