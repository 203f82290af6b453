"""Is this session active? Asked on every request: of the database, or of what this process remembers.

The SELECT that brings a session with its user is compiled once, and planned once per connection.
"""

from collections.abc import Collection, Hashable, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from rest_framework_simplejwt.authentication import default_user_authentication_rule

from devices.conf import conf
from devices.core import database, tokens
from devices.core.liveness import invalidation
from devices.core.liveness.cache import ReadMark, Template, session_cache
from devices.core.statements import Parameter, Select
from devices.core.tokens import Claims
from devices.exceptions import SessionError, SessionExpired, SessionRevoked, TokenNotValid
from devices.models import DEACTIVATED, DeviceSession, RevokeReason, password_stamp

# Columns that requests do not need. Reading one costs a query.
SELDOM = (
    "asn",
    "binding_failed_at",
    "binding_jwk",
    "device_key",
    "latitude",
    "longitude",
    "pii_since",
    "risk_level",
    "reviewed_at",
    "revoke_reason",
    "revoked_by",
)


def load(claims: Claims, *, may_be_ahead: bool = False) -> DeviceSession:
    """The session of these claims with its user, in one query. Raises TokenNotValid.

    A token ahead of its row is of a time that a failover or a restore has lost; `may_be_ahead` lets it pass.
    """
    try:
        session = find(claims.session_id, claims.user_id)
    except (ValidationError, ValueError, OverflowError) as error:
        raise TokenNotValid from error
    if session is None:
        raise TokenNotValid
    if claims.generation > session.generation and not may_be_ahead:
        raise TokenNotValid
    if claims.jkt and claims.jkt != session.binding_key:
        # A token that says it is bound is good for no session that is not, or that is to another key.
        raise TokenNotValid
    return session


def origin(session: DeviceSession) -> DeviceSession:
    """The session of the staff member in an impersonation. Raises TokenNotValid if it was deleted."""
    if session.impersonator_session_id is None:
        raise TokenNotValid
    return load(Claims(str(session.impersonator_id), session.impersonator_session_id, 0))


def has_lost_origin(session: DeviceSession, now: datetime) -> bool:
    """Whether this is an impersonation whose staff member is no longer signed in."""
    if session.impersonator_session_id is None:
        return False
    try:
        by = origin(session)
        check(by, now)
    except SessionError:
        return True
    return ended_by_account(by) is not None


def check(session: DeviceSession, now: datetime) -> None:
    """Raises SessionRevoked or SessionExpired if the row says that it has ended."""
    if session.revoked_at is not None:
        raise SessionRevoked
    if session.expires_at <= now:
        raise SessionExpired


def ended_by_account(session: DeviceSession) -> RevokeReason | None:
    """What happened to the account since the login that a session cannot outlive, if anything."""
    if not session.user.is_active or session.password_stamp == DEACTIVATED:
        return RevokeReason.DEACTIVATED
    if session.password_stamp != password_stamp(session.user.password):
        return RevokeReason.PASSWORD_CHANGED
    return None


def is_admitted(session: DeviceSession) -> bool:
    """Whether SimpleJWT's USER_AUTHENTICATION_RULE admits the user. Its default rule is asked anyway."""
    rule = conf.AUTHENTICATION_RULE
    return rule is default_user_authentication_rule or bool(rule(session.user))


def key(token: bytes) -> Hashable:
    """All that decides about a token: how it is read, the place its session is in, and itself.

    To be drawn before the token is read that shall be remembered: a key may be withdrawn meanwhile.
    """
    return *tokens.trusts(), *database.place(), token


def get_cached(key: Hashable) -> DeviceSession | None:
    """The session that is remembered to live behind an access token, and is not due for a touch.

    None, too, for a user whom a manager or USER_AUTHENTICATION_RULE does not admit just now: they may go by
    the request, such as by its tenant.
    """
    invalidation.listen()
    template = session_cache.get(key)
    session = None if template is None else _as_shown(template.copy())
    return session if session is not None and is_admitted(session) else None


def read_mark() -> ReadMark | None:
    """To be drawn before a session is read that shall be remembered.

    None within a transaction that has begun: it may see a past in which the session was still alive.
    """
    return session_cache.read_mark() if database.reads_committed() else None


def put_cached(
    key: Hashable, claims: Claims, session: DeviceSession, ticket: ReadMark | None
) -> None:
    """Remember a session that was found alive after the ticket was drawn."""
    if ticket is None:
        return
    if session.is_impersonated:
        # Nobody would say that the session has ended which it depends on.
        return
    if not invalidation.hears(session._state.db):
        return
    due = session.last_active + conf.TOUCH_INTERVAL
    valid_until = min(claims.expires, session.expires_at.timestamp(), due.timestamp())
    template = Template(session)
    # What was noted of the session may be rolled back.
    database.after_commit(
        partial(session_cache.put, key, template, session.user_id, ticket, valid_until)
    )


class Lookup:
    """The SELECT for a model of sessions, without the columns that are seldom asked."""

    def __init__(self, model: type[models.Model], seldom: Sequence[str] = ()) -> None:
        fields: Any = model._meta
        self._user = fields.get_field("user")
        rows = model._base_manager.select_related("user").defer(*seldom).order_by()
        found = rows.filter(pk=Parameter("pk", fields.pk), user=Parameter("user_id", self._user))
        # Compiled once for each database.
        self._select = cache(partial(Select, found))

    def find(self, session_id: Any, user_id: Any) -> Any:
        """The session with its user, or None. One query, on the database that is written to.

        A replica may not know of an end yet. Raises ValidationError, ValueError or OverflowError for what
        cannot be an id.
        """
        given = {"pk": session_id, "user_id": self._user.to_python(user_id)}
        return next(iter(self._select(database.alias()).run(given)), None)


@cache
def _lookup() -> Lookup:
    return Lookup(DeviceSession, SELDOM)


@cache
def rules(model: type[models.Model]) -> list[models.Manager[Any]]:
    """Managers of users that do not give every row: what they hide, Django and SimpleJWT do not find."""
    managers = {model._default_manager, getattr(model, "objects", model._default_manager)}
    plain = models.Manager.get_queryset
    return [each for each in managers if type(each).get_queryset is not plain]


def hidden_users(user_ids: Collection[Any]) -> set[Any]:
    """Which of these users a manager of the user model hides: one query for each such manager."""
    managers = [rule.db_manager(database.alias()) for rule in rules(get_user_model())]
    shown = [set(rule.filter(pk__in=user_ids).values_list("pk", flat=True)) for rule in managers]
    return set(user_ids).difference(set(user_ids).intersection(*shown))


def find(session_id: Any, user_id: Any) -> DeviceSession | None:
    """As Lookup.find.

    None, too, for a user whom a manager of the user model hides. To ask such a manager is another query.
    """
    found: DeviceSession | None = _lookup().find(session_id, user_id)
    return None if found is None else _as_shown(found)


def _as_shown(found: DeviceSession) -> DeviceSession | None:
    """The session with its user as the managers of the user model give them; None if one of them does not."""
    for manager in rules(type(found.user)):
        user = manager.db_manager(database.alias()).filter(pk=found.user_id).first()
        if user is None:
            return None
        found._state.fields_cache["user"] = user
    return found
