"""The public helpers for tests of host projects: clients with a real session, without a login."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client
from django.utils import timezone

from devices.core import sessions
from devices.models import DeviceSession
from devices.web.cookie import ID

from .core import tokens
from .core.clients import client as callers
from .core.sessions import validation
from .core.tokens import Claims

__all__ = ["sign_in", "sign_out"]

AnyClient = Client | AsyncClient


def sign_in(
    client: AnyClient,
    user: AbstractBaseUser,
    *,
    cookie: bool = False,
    method: str = "password",
    mfa: bool = True,
    user_agent: str = "",
    ip_address: str = "127.0.0.1",
) -> DeviceSession:
    """Sign a test client in with a session of its own, and return that.

    No password is hashed, no second factor asked for and no risk assessed. Everything else is real: the
    session is listed, can be ended, and is refused afterwards.

    Args:
        client: Django's Client or AsyncClient, or DRF's APIClient.
        user: who signs in.
        cookie: whether by Django's session cookie instead of a bearer token.
        method: the sign-in method that the session shows.
        mfa: whether the session counts as begun with a second factor.
        user_agent: the device, as its User-Agent header.
        ip_address: where the device is.
    """
    if cookie:
        client.force_login(user)  # type: ignore[arg-type]
        user_id, session_id = user.pk, client.session[ID]
        return validation.load(Claims(str(user_id), session_id, 0))
    caller = callers.Client(ip_address, callers.clean_user_agent(user_agent))
    session = sessions.start(user, caller, method=method, mfa=mfa, proved_at=timezone.now())
    _set_header(client, "Authorization", f"Bearer {tokens.issue(session).access}")
    if user_agent:
        _set_header(client, "User-Agent", user_agent)
    return session


def sign_out(client: AnyClient) -> None:
    """Take a test client's token and cookies away. The session stays: end it by `shortcuts.end_session`."""
    _set_header(client, "Authorization", None)
    client.cookies.clear()


def _set_header(client: Any, name: str, value: str | None) -> None:
    """Send a header with each request from now on; None: no more."""
    is_async = isinstance(client, AsyncClient)
    key = name if is_async else f"HTTP_{name.upper().replace('-', '_')}"
    client.defaults.pop(key, None)
    if value is not None:
        client.defaults[key] = value
