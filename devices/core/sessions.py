"""The life of a session, verb by verb. The only writer of DeviceSession.

Locks: what concerns all sessions of a user takes the user's row first, then session rows by id; what
concerns one session takes its row alone, by a conditional UPDATE. See docs/architecture.md.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeGuard

from django.contrib.auth import get_user_model, hashers
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Greatest
from django.dispatch import Signal
from django.utils import timezone

from devices import signals
from devices.conf import conf
from devices.exceptions import (
    AccountNotActive,
    LoginTooStrange,
    OtpRequired,
    RefreshReused,
    ReviewLinkSpent,
    SessionError,
    SessionRevoked,
    TokenNotValid,
)
from devices.models import (
    DeviceSession,
    DeviceSessionQuerySet,
    NoticeKind,
    RevokeReason,
    RiskLevel,
    auth_stamp,
)

from . import (
    activity,
    attempts,
    audit,
    cleanup,
    geo,
    liveness,
    notices,
    past,
    second_factor,
    suspicion,
    tokens,
)
from .activity import Entry
from .audit import Event
from .client import Client, label
from .device_key import likeness, proven_key
from .risk import Assessment
from .tokens import Claims


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
    beyond MAX_SESSIONS end. Raises AccountNotActive if the account was deactivated, deleted or given
    another password since the proof, and LoginTooStrange if it is judged so: then nothing else ends.
    """
    if not mfa and second_factor.required_of(user):
        raise OtpRequired
    device = label(client, conf.LABEL_RULES)
    place = geo.locate(client.ip_address)
    with transaction.atomic():
        account = _lock_with_past(user)
        if not _is_same(account, user):
            raise AccountNotActive
        now = timezone.now()
        proven = proven_key(account.pk, client)
        absolute = now + conf.SESSION_MAX_AGE
        if not remember:
            absolute = min(absolute, now + conf.SHORT_SESSION_MAX_AGE)
        session = DeviceSession(
            user_id=account.pk,
            device=device.device,
            device_type=device.device_type,
            browser=device.browser,
            os=device.os,
            user_agent=client.user_agent,
            device_key=proven or likeness(account.pk, device),
            ip_address=client.ip_address,
            last_ip=client.ip_address,
            country=place.country,
            city=place.city,
            latitude=place.latitude,
            longitude=place.longitude,
            login_method=method,
            authenticated_at=proved_at or now,
            mfa_at=proved_at or now if mfa else None,
            created_at=now,
            last_active=now,
            expires_at=min(now + conf.IDLE_LIMIT, absolute),
            absolute_expires_at=absolute,
            precise_since=now,
            auth_stamp=auth_stamp(account.password),
            rotated_at=now,
        )
        failures = getattr(account, "failures_before", 0) if method == "password" else 0
        judged = past.judge(account, past.login_of(session, failures or 0))
        if proved_at is not None:
            judged = Assessment()
        session.risk_score, session.risk_level = judged.score, judged.level
        if judged.is_at_least(RiskLevel.HIGH):
            session.doubted_at = now
        ended: list[Entry] = []
        revocation: dict[str, Any] = {}
        if judged.level == RiskLevel.CRITICAL:
            revocation = _revocation(RevokeReason.RISK, None)
            _assign([session], revocation)
        else:
            ended, session.name = _make_room(account, proven, now)
        session.save(force_insert=True)
        started = Entry(session, "session.started", {"method": method}, client.ip_address)
        _announce(signals.session_started, session=session)
        _log(Event.SESSION_STARTED, session, client, method=method)
        strange = suspicion.of_login(session, judged, client)
        end = _revoked([session], revocation, "") if revocation else []
        activity.record_all([*ended, started, *strange, *end])
        if not ended:
            # A login that had to end others has done enough.
            transaction.on_commit(partial(cleanup.purge_some, session.pk), robust=True)
    if revocation:
        raise LoginTooStrange
    return session


def living(claims: Claims, client: Client) -> DeviceSession:
    """The session of these claims, with its user. Raises TokenNotValid, SessionRevoked, SessionExpired."""
    return _living(claims, lambda: client)


def _living(claims: Claims, client_of: Callable[[], Client]) -> DeviceSession:
    session = liveness.load(claims)
    try:
        liveness.check(session, timezone.now())
        reason = liveness.ended_by_account(session)
        if reason is not None:
            # Written down, so that it stays ended whatever becomes of the account; by us or by
            # another request that saw the same.
            revoke(session, reason=reason)
            raise SessionRevoked
    except SessionError as error:
        audit.log(
            Event.SESSION_USED_AFTER_END,
            user_id=session.user_id,
            session_id=session.pk,
            client=client_of(),
            code=error.code,
        )
        raise
    return session


def authenticate(token: bytes, client_of: Callable[[], Client]) -> DeviceSession:
    """The living session behind an access token, as `resume` has it, or as it is remembered (LIVENESS).

    The client is asked for only where there is something to write.
    """
    if conf.LIVENESS != "cached":
        return _resume(tokens.recall_access(token), client_of)
    session = liveness.recall(token)
    if session is None:
        claims, ticket = tokens.recall_access(token), liveness.ticket()
        session = _resume(claims, client_of)
        liveness.remember(token, claims, session, ticket)
    return session


def resume(claims: Claims, client: Client) -> DeviceSession:
    """The living session behind an access token, as `living` has it; notes that it was active."""
    return _resume(claims, lambda: client)


def _resume(claims: Claims, client_of: Callable[[], Client]) -> DeviceSession:
    session = _living(claims, client_of)
    now = timezone.now()
    is_due = session.last_active <= now - conf.TOUCH_INTERVAL
    if is_due or claims.generation > session.generation_used:
        _touch(session, claims.generation, client_of(), now)
    return session


def visit(
    user_id: Any, session_id: Any, client_of: Callable[[], Client]
) -> tuple[DeviceSession, bool]:
    """The living session that a cookie names, as `living` has it, and whether its idle limit has just moved.

    Notes that it was active. Each use counts against the idle limit, since a cookie is not refreshed; it is
    written when a twentieth of it has gone by, being in an index.
    """
    try:
        claims = Claims(str(user_id), uuid.UUID(str(session_id)), 0)
    except ValueError as error:
        raise TokenNotValid from error
    session = _living(claims, client_of)
    now = timezone.now()
    if session.last_active > now - conf.TOUCH_INTERVAL:
        return session, False
    until = min(now + conf.IDLE_LIMIT, session.absolute_expires_at)
    is_due = until - session.expires_at > conf.IDLE_LIMIT / 20
    _touch(session, 0, client_of(), now, until=until if is_due else None)
    return session, is_due


def rotate(claims: Claims, client: Client) -> DeviceSession:
    """Exchange a refresh token for its successor: the session, at the successor's generation.

    Asking again gives the same successor while the rotation is at most REFRESH_GRACE ago or the successor
    was never used, since then the answer may have been lost. Later it is a replay and the session ends
    (RFC 9700 §4.14.2). Raises RefreshReused, TokenNotValid, SessionRevoked or SessionExpired.
    """
    session = living(claims, client)
    now = timezone.now()
    if claims.generation == session.generation:
        if _advance(session, client, now):
            if session.revoked_at is not None:
                raise SessionRevoked
            _log(Event.REFRESH_SUCCEEDED, session, client)
            return session
        # Another request with the same token was faster; its successor is ours too.
        session = living(claims, client)
    if _may_repeat(session, claims.generation, now):
        return session
    with transaction.atomic():
        if revoke(session, reason=RevokeReason.REUSE):
            data = {"generation": claims.generation, "current": session.generation}
            activity.record(session, "refresh.reused", data, ip_address=client.ip_address)
            facts = suspicion.facts_of(session, at=now)
            notices.write(session.user_id, NoticeKind.REFRESH_REUSED, facts, session.pk)
            _announce(signals.refresh_reused, session=session)
            _log(Event.REFRESH_REUSED, session, client)
    raise RefreshReused


def count_active(user: AbstractBaseUser) -> int:
    return DeviceSession.objects.of(user).active().count()


def confirm(session: DeviceSession, client: Client, *, method: str, mfa: bool = False) -> None:
    """Note that the person has just proved again who they are. Raises SessionRevoked if it has ended."""
    now = timezone.now()
    proved = {"authenticated_at": now, "doubted_at": None} | ({"mfa_at": now} if mfa else {})
    with transaction.atomic():
        if not _unrevoked(session).update(**proved):
            raise SessionRevoked
        liveness.forget([session.user_id])
        _assign([session], proved)
        confirmed = {"method": method}
        activity.record(session, "session.confirmed", confirmed, ip_address=client.ip_address)


def rename(session: DeviceSession, name: str) -> None:
    """Give a session a name of at most 64 characters. Raises SessionRevoked if it has ended."""
    with transaction.atomic():
        if not _unrevoked(session).update(name=name):
            raise SessionRevoked
        activity.record(session, "session.renamed", {"from": session.name, "to": name})
        liveness.forget([session.user_id])
        session.name = name


def review(session_id: uuid.UUID, *, is_mine: bool) -> DeviceSession:
    """Take the owner's word for whether a login was theirs, once. Raises ReviewLinkSpent.

    Yes: the device and the place are known from now on. No: the session ends, and the device is a stranger's.
    """
    with transaction.atomic():
        session = DeviceSession.objects.select_related("user").filter(pk=session_id).first()
        if session is None or _lock(session.user) is None:
            raise ReviewLinkSpent
        answer: dict[str, Any] = {"reviewed_at": timezone.now()}
        if is_mine:
            answer["doubted_at"] = None
        asked = DeviceSession.objects.filter(
            pk=session_id, user_id=session.user_id, reviewed_at__isnull=True
        )
        if not asked.update(**answer):
            raise ReviewLinkSpent
        _assign([session], answer)
        liveness.forget([session.user_id])
        learn = past.trust if is_mine else past.disown
        learn(session.user_id, past.login_of(session))
        activity.record(session, "session.reviewed", {"mine": is_mine})
        if not is_mine:
            revoke(session, reason=RevokeReason.NOT_ME)
    return session


def asked_about(session_id: uuid.UUID) -> DeviceSession:
    """The session whose owner is asked whether it is theirs. Raises ReviewLinkSpent if they have said."""
    session = DeviceSession.objects.filter(pk=session_id, reviewed_at__isnull=True).first()
    if session is None:
        raise ReviewLinkSpent
    return session


def revoke(
    session: DeviceSession,
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> bool:
    """End a session at once and for good. False if it had been revoked before: the first reason stays."""
    revocation = _revocation(reason, by)
    with transaction.atomic():
        if not _unrevoked(session).update(**revocation):
            return False
        activity.record_all(_revoked([session], revocation, note))
    return True


def revoke_batch(
    batch: Sequence[DeviceSession],
    *,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[DeviceSession]:
    """End a batch of sessions, of many people; those that had not ended before.

    Whoever holds so many rows waits for none: those that somebody else holds are ended later, one by one.
    """
    revocation = _revocation(reason, by)
    found = DeviceSession.objects.filter(
        pk__in=[session.pk for session in batch], revoked_at__isnull=True
    )
    with transaction.atomic():
        rows = list(found.select_related("user").select_for_update(skip_locked=True, of=("self",)))
        DeviceSession.objects.filter(
            pk__in=[session.pk for session in rows], revoked_at__isnull=True
        ).update(**revocation)
        activity.record_all(_revoked(rows, revocation, note))
    done = set(rows)
    held = [session for session in batch if session not in done]
    return rows + [session for session in held if revoke(session, reason=reason, by=by, note=note)]


def logout(session: DeviceSession) -> None:
    """End a session at the wish of whoever holds it."""
    revoke(session, reason=RevokeReason.LOGOUT, by=session.user)


def leave(user_id: Any, session_id: Any) -> None:
    """End the session that a cookie names, at the wish of whoever holds it; if there is one."""
    try:
        session = liveness.load(Claims(str(user_id), uuid.UUID(str(session_id)), 0))
    except (ValueError, SessionError):
        return
    logout(session)


def revoke_all(
    user: AbstractBaseUser,
    *,
    reason: RevokeReason,
    keep: uuid.UUID | None = None,
    idle_since: datetime | None = None,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> int:
    """End all active sessions of a user but the one to keep; how many these were.

    With `idle_since` only those that were not active from then on.
    """
    with transaction.atomic():
        account = _lock(user)
        if account is None:
            return 0
        active = DeviceSession.objects.of(account).active()
        if keep is not None:
            active = active.exclude(pk=keep)
        if idle_since is not None:
            active = active.filter(last_active__lt=idle_since)
        entries = _end(active, reason, by, note)
        activity.record_all(entries)
        return len(entries)


def change_password(user: AbstractBaseUser, password: str, *, keep: DeviceSession) -> None:
    """Give the user another password; all sessions but the one to keep end with the old one.

    Raises AccountNotActive if the account was deactivated or got another password meanwhile.
    """
    with transaction.atomic():
        account = _lock(user)
        if not _is_same(account, user):
            raise AccountNotActive
        user.set_password(password)
        # Before the save, which ends whatever is not under the new password.
        _unrevoked(keep).update(auth_stamp=auth_stamp(user.password))
        user.save(update_fields=["password"])
        keep.auth_stamp = auth_stamp(user.password)


def check_password(user: AbstractBaseUser, password: str | None) -> bool:
    """As the user model's own, but a password that is merely hashed anew, by a better hasher, ends nothing.

    For user models: `def check_password(self, password): return sessions.check_password(self, password)`.
    """

    def rehash(password: str) -> None:
        with transaction.atomic():
            account = _lock(user)
            if account is None or account.password != user.password:
                # Hashed anew by a login beside this one, or changed.
                if account and hashers.check_password(password, account.password):
                    user.password = account.password
                return
            sessions = DeviceSession.objects.of(user)
            hashed = hashers.make_password(password)
            sessions.filter(revoked_at__isnull=True).update(auth_stamp=auth_stamp(hashed))
            user.password = hashed
            user.save(update_fields=["password"])

    return hashers.check_password(password, user.password, rehash)


def account_changed(user: AbstractBaseUser, *, keep: DeviceSession | None = None) -> None:
    """End what the saved account ends: every session if inactive, else those under another password.

    The one to keep, if it is the user's own, goes on under the new password.
    """
    sessions = DeviceSession.objects.filter(user_id=user.pk)
    with transaction.atomic():
        _lock(user)
        if user.is_active:
            stamp = auth_stamp(user.password)
            if keep is not None and keep.user_id == user.pk and keep.auth_stamp != stamp:
                # Unless another change of the password was faster.
                _unrevoked(keep).filter(auth_stamp=keep.auth_stamp).update(auth_stamp=stamp)
                keep.auth_stamp = stamp
            stale = sessions.exclude(auth_stamp=stamp)
            entries = _end(stale, RevokeReason.PASSWORD_CHANGED)
        else:
            entries = _end(sessions, RevokeReason.DEACTIVATED)
        liveness.forget([user.pk])
        activity.record_all(entries)


def account_leaves(user: AbstractBaseUser) -> None:
    """Have logins wait until the transaction that deletes the account is over; then they find nobody."""
    _lock(user)


def _lock(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """The user's row as it is now, locked until commit; other tables may still refer to it."""
    return (
        get_user_model()._default_manager.select_for_update(no_key=True).filter(pk=user.pk).first()
    )


def _lock_with_past(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """As `_lock`, and in the same SELECT what a login is judged by."""
    model = get_user_model()
    # The past is not locked: it may not be there yet. Of a user in several tables, all are.
    links = [link.name for link in model._meta.parents.values() if link is not None]
    rows = model._default_manager.select_related("devices_past").annotate(
        failures_before=attempts.failures_before(user.get_username())
    )
    return rows.select_for_update(no_key=True, of=("self", *links)).filter(pk=user.pk).first()


def _is_same(
    account: AbstractBaseUser | None, user: AbstractBaseUser
) -> TypeGuard[AbstractBaseUser]:
    """Whether the locked account is active and still under the password that was proved."""
    return account is not None and account.is_active and account.password == user.password


def _touch(
    session: DeviceSession,
    generation: int,
    client: Client,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Note activity, at most once per TOUCH_INTERVAL, and that this generation has reached its client.

    Moves the idle limit, if it is told to which time.
    """
    due = Q(last_active__lte=now - conf.TOUCH_INTERVAL)
    touched: dict[str, Any] = {"last_active": now, "last_ip": client.ip_address}
    if until is not None:
        touched["expires_at"] = until
    _unrevoked(session).filter(due | Q(generation_used__lt=generation)).update(
        **touched, generation_used=Greatest("generation_used", generation)
    )
    _assign([session], touched | {"generation_used": max(session.generation_used, generation)})


def _advance(session: DeviceSession, client: Client, now: datetime) -> bool:
    """Move to the next generation, unless somebody was faster: compare and swap on the row.

    Whoever comes from elsewhere, or with another kind of device, is judged; the session may end by it.
    """
    moved: dict[str, Any] = {
        "generation": session.generation + 1,
        "generation_used": session.generation,
        "rotated_at": now,
        "expires_at": min(now + conf.IDLE_LIMIT, session.absolute_expires_at),
        "last_active": now,
        "last_ip": client.ip_address,
    }
    judged = suspicion.judge_refresh(session, client)
    revocation: dict[str, Any] = {}
    if judged is not None:
        moved |= {"risk_score": judged.score, "risk_level": judged.level, "reviewed_at": None}
        if judged.is_at_least(RiskLevel.HIGH):
            moved["doubted_at"] = now
        if judged.level == RiskLevel.CRITICAL:
            revocation = _revocation(RevokeReason.RISK, None)
    unmoved = _unrevoked(session).filter(generation=session.generation, expires_at__gt=now)
    if judged is None:
        if not unmoved.update(**moved):
            return False
        _assign([session], moved)
        return True
    with transaction.atomic():
        if not unmoved.update(**moved, **revocation):
            return False
        _assign([session], moved)
        liveness.forget([session.user_id])
        entries = suspicion.of_refresh(session, judged, client, now)
        if revocation:
            entries += _revoked([session], revocation, "")
        activity.record_all(entries)
    return True


def _may_repeat(session: DeviceSession, generation: int, now: datetime) -> bool:
    """Whether this is the last rotation asked for again by a client that may have lost the answer."""
    if generation != session.generation - 1:
        return False
    in_grace = now - session.rotated_at <= conf.REFRESH_GRACE
    return in_grace or session.generation_used < session.generation


def _make_room(account: AbstractBaseUser, proven: str, now: datetime) -> tuple[list[Entry], str]:
    """End what a login finds in its way; what to write into the logs, and the name the device has.

    That are sessions under an older password, those of the same proven device, and those beyond the limit.
    """
    stamp = auth_stamp(account.password)
    mine = DeviceSession.objects.filter(user_id=account.pk).active(now)
    if conf.MAX_SESSIONS is None:
        # However many there are, only those that end are loaded.
        mine = mine.filter(~Q(auth_stamp=stamp) | Q(device_key=proven or None))
    stale: list[DeviceSession] = []
    superseded: list[DeviceSession] = []
    others: list[DeviceSession] = []
    # Not locked: a login need not wait for whatever the person's other devices are doing just now.
    for session in mine:
        if session.auth_stamp != stamp:
            stale.append(session)
        elif proven and session.device_key == proven:
            superseded.append(session)
        else:
            others.append(session)
    others.sort(key=lambda session: (session.last_active, session.created_at), reverse=True)
    excess = others[max(conf.MAX_SESSIONS - 1, 0) :] if conf.MAX_SESSIONS is not None else []
    entries = [
        *_end_found(stale, RevokeReason.PASSWORD_CHANGED),
        *_end_found(superseded, RevokeReason.SUPERSEDED),
        *_end_found(excess, RevokeReason.LIMIT),
    ]
    return entries, next((session.name for session in superseded if session.name), "")


def _end(
    sessions: DeviceSessionQuerySet,
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[Entry]:
    """Revoke those of a set that are not yet, and return what to write into their logs."""
    rows = list(sessions.filter(revoked_at__isnull=True).select_for_update().order_by("pk"))
    return _end_found(rows, reason, by, note)


def _end_found(
    rows: Sequence[DeviceSession],
    reason: RevokeReason,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> list[Entry]:
    """Revoke sessions of one user that were found unrevoked, but for those that somebody else just ended."""
    if not rows:
        return []
    revocation = _revocation(reason, by)
    found = DeviceSession.objects.filter(
        pk__in=[session.pk for session in rows], user_id=rows[0].user_id
    )
    if found.filter(revoked_at__isnull=True).update(**revocation) < len(rows):
        ours = found.filter(revoked_at=revocation["revoked_at"], revoke_reason=reason)
        ended = set(ours.values_list("pk", flat=True))
        rows = [session for session in rows if session.pk in ended]
    return _revoked(rows, revocation, note)


def _unrevoked(session: DeviceSession) -> DeviceSessionQuerySet:
    return DeviceSession.objects.filter(
        pk=session.pk, user_id=session.user_id, revoked_at__isnull=True
    )


def _revocation(reason: RevokeReason, by: AbstractBaseUser | None) -> dict[str, Any]:
    return {
        "revoked_at": timezone.now(),
        "revoke_reason": reason,
        "revoked_by_id": by.pk if by else None,
    }


def _revoked(
    sessions: Sequence[DeviceSession], revocation: dict[str, Any], note: str
) -> list[Entry]:
    """Bring the rows in hand up to date, tell strangers after commit; the lines for the log."""
    _assign(sessions, revocation)
    reason, by = revocation["revoke_reason"], revocation["revoked_by_id"]
    data = {"reason": str(reason)}
    if by is not None:
        data["by"] = str(by)
    if note:
        data["note"] = note
    liveness.forget(session.user_id for session in sessions)
    for session in sessions:
        _announce(signals.session_revoked, session=session, reason=str(reason))
        _log(Event.SESSION_REVOKED, session, None, **data)
    return [Entry(session, "session.revoked", data, by=by) for session in sessions]


def _assign(sessions: Sequence[DeviceSession], values: dict[str, Any]) -> None:
    for session in sessions:
        for name, value in values.items():
            setattr(session, name, value)


def _log(event: Event, session: DeviceSession, client: Client | None, **details: str) -> None:
    transaction.on_commit(
        lambda: audit.log(
            event, user_id=session.user_id, session_id=session.pk, client=client, **details
        )
    )


def _announce(signal: Signal, **arguments: Any) -> None:
    transaction.on_commit(lambda: signal.send_robust(sender=DeviceSession, **arguments))
