"""How long a session lasts and how many there may be, by user, role, client or kind of device."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from devices.conf import conf
from devices.models import DeviceSession


class SessionPolicy(NamedTuple):
    """What the function at DEVICES["SESSION_POLICY"] returns. None means the setting."""

    # Without a refresh, at most REFRESH_TOKEN_LIFETIME; and however often it is refreshed, at most
    # SESSION_MAX_AGE.
    idle: timedelta | None = None
    absolute: timedelta | None = None
    max_sessions: int | None = None
    # What happens to a login beyond that: it ends the least recently active session; one of its own kind of
    # device first, so that a bot signs out no phone; or it is refused.
    at_limit: Literal["evict", "evict_alike", "refuse"] = "evict"


def policy_of(user: AbstractBaseUser, session: DeviceSession) -> SessionPolicy:
    """Return the policy of a session, which may not be saved yet, with the settings filled in.

    Raises ImproperlyConfigured if the host project's function returns no policy.
    """
    own = SessionPolicy()
    if (ask := conf.SESSION_POLICY) is not None:
        own = ask(user, session)
        if not isinstance(own, SessionPolicy) or (own.max_sessions or 1) < 1:
            raise ImproperlyConfigured(f"DEVICES['SESSION_POLICY'] returned no policy: {own!r}")
    return SessionPolicy(
        # Never longer: the cleanup and the retirement of keys use the settings.
        idle=min(own.idle or conf.IDLE_LIMIT, conf.IDLE_LIMIT),
        absolute=min(own.absolute or conf.SESSION_MAX_AGE, conf.SESSION_MAX_AGE),
        max_sessions=own.max_sessions or conf.MAX_SESSIONS,
        at_limit=own.at_limit,
    )


def idle_limit(session: DeviceSession) -> timedelta:
    """Return how long a session lasts without being refreshed."""
    if conf.SESSION_POLICY is None:
        return conf.IDLE_LIMIT
    idle = policy_of(session.user, session).idle
    assert idle is not None
    return idle


def shorten(session: DeviceSession, policy: SessionPolicy, now: datetime) -> None:
    """Give a session that begins now the times of its policy."""
    assert policy.idle is not None and policy.absolute is not None
    session.absolute_expires_at = min(session.absolute_expires_at, now + policy.absolute)
    session.expires_at = min(now + policy.idle, session.absolute_expires_at)
