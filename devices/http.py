"""Floor 3: turns a request into a Client. The only reader of `request.META`.

And the keeper of the cookie by which a browser is known again, and of files that people take home.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.request import Request

from .conf import conf
from .core.caller import address
from .core.caller.agents.hints import HINT_HEADERS
from .core.caller.client import Client, clean_user_agent
from .core.caller.device_key import PAGES
from .core.log import activity
from .models import DeviceSession

APP_ID_LENGTH: Final = 128
ORIGIN_LENGTH: Final = 256
COOKIE_LENGTH: Final = 128  # characters; ours have 66
# The most that browsers grant (RFC 6265bis, 5.5). It begins anew with each sign-in.
COOKIE_AGE: Final = timedelta(days=400)

# In META, which a request of DRF shares with Django's: the id in the cookie that the answer shall set.
_GIVEN: Final = "devices.browser_id"

_answering: ContextVar[HttpRequest | None] = ContextVar("devices.answering", default=None)


def client_of(request: HttpRequest | Request) -> Client:
    meta = request.META
    header = conf.TRUSTED_PROXY_HEADER
    return Client(
        ip_address=address.resolve(
            meta.get("REMOTE_ADDR"),
            meta.get(_meta_key(header), ""),
            conf.TRUSTED_PROXIES,
            is_rfc7239=header.lower() == "forwarded",
        ),
        user_agent=clean_user_agent(meta.get("HTTP_USER_AGENT", "")),
        hints={name: meta[key] for name, key in _HINT_KEYS if key in meta},
    )


def newcomer_of(request: HttpRequest | Request) -> Client:
    """The client of a request that signs in: with what tells on which device, by an app's header or a cookie.

    Where DeviceMiddleware is there to hand it out, a browser without a cookie has its new id already
    now: the session that begins is that of the cookie it comes back with.
    """
    app_id = _app_id(request.META.get("HTTP_X_DEVICE_ID", ""))
    return replace(
        client_of(request),
        app_id=app_id,
        browser_id="" if app_id else _browser_id(request),
        origin=request.META.get("HTTP_ORIGIN", "")[:ORIGIN_LENGTH],
    )


def same_site_referrer(request: HttpRequest) -> str:
    """The path of the page of this site from which a form was sent, or ""."""
    try:
        referrer = urlsplit(request.META.get("HTTP_REFERER", ""))
    except ValueError:
        return ""
    if not url_has_allowed_host_and_scheme(referrer.geturl(), {request.get_host()}):
        return ""
    path: str = referrer._replace(scheme="", netloc="", fragment="").geturl()
    return path


def browser_of(request: HttpRequest | Request) -> Client:
    """The client of a request that signs in to a cookie session, of which a browser has one for all pages."""
    return replace(newcomer_of(request), app_id="", browser_id=_browser_id(request), origin=PAGES)


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Let it be known, where no request is passed along, which one is being answered."""
    token = _answering.set(request)
    try:
        yield
    finally:
        _answering.reset(token)


def is_answering() -> bool:
    """Whether a request is being answered, as far as DeviceMiddleware knows."""
    return _answering.get() is not None


def client_at_hand() -> Client:
    """The client of the request that is being answered; one of which nothing is known, if there is none."""
    request = _answering.get()
    return Client() if request is None else client_of(request)


def newcomer_at_hand() -> Client:
    """As `client_at_hand`, of a request that signs in."""
    request = _answering.get()
    return Client() if request is None else newcomer_of(request)


def note_session(session: DeviceSession) -> None:
    """Note whose token came with the request that is being answered, for `session_at_hand`."""
    request = _answering.get()
    if request is not None:
        request.token_session = session  # type: ignore[attr-defined]


def session_at_hand(user: AbstractBaseUser | None = None) -> DeviceSession | None:
    """The session, of this user, whose token or cookie came with the request that is being answered."""
    request = _answering.get()
    found = (getattr(request, name, None) for name in ("token_session", "device_session"))
    mine = (each for each in found if each and (user is None or each.user_id == user.pk))
    return next(mine, None)


def session_of(request: HttpRequest | Request) -> DeviceSession | None:
    """The session a request is made in: that of its token, or that of its cookie; None if it has none."""
    token = getattr(request, "auth", None)
    for session in (token, getattr(token, "session", None)):
        if isinstance(session, DeviceSession):
            return session
    session = None if token is not None else getattr(request, "device_session", None)
    # Whoever was let in by another way may have somebody else's cookie with them.
    is_mine = session is not None and session.user_id == request.user.pk
    return session if is_mine else None


def record_activity(
    request: HttpRequest | Request, kind: str, data: dict[str, Any] | None = None
) -> bool:
    """Write a line into the log of the session a request is made in, with its address, as `activity.record`.

    False, and nothing is written, if the request is made in none. For views of host projects.
    """
    session = session_of(request)
    if session is not None:
        activity.record(session, kind, data, ip_address=client_of(request).ip_address)
    return session is not None


def expect_newcomer(request: HttpRequest) -> None:
    """Promise that `hand_out_cookie` will be called with the answer to this request."""
    request.META[_GIVEN] = ""


def hand_out_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Give a browser that signed in, or tried to, the cookie by which it is known again."""
    if browser_id := request.META.get(_GIVEN):
        response.set_cookie(
            _cookie_name(request),
            _signer().sign(browser_id),
            max_age=COOKIE_AGE,
            secure=_is_secure(request),
            httponly=True,
            samesite="Lax",
        )


def csv_download(lines: Iterator[str], name: str) -> HttpResponseBase:
    """An answer that is saved as a file of this name, and by no cache.

    What is short is one answer, so that an error is an error and not the half of a file.
    """
    first, second = next(lines, ""), next(lines, None)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    kind = "text/csv; charset=utf-8"
    if second is None:
        return HttpResponse(first, content_type=kind, headers=headers)
    return StreamingHttpResponse(chain((first, second), lines), content_type=kind, headers=headers)


def _app_id(raw: str) -> str:
    """The id as it is, or "" if it is none: to cut one off might make it another's."""
    app_id = raw.strip()
    is_id = len(app_id) <= APP_ID_LENGTH and app_id.isascii() and app_id.isprintable()
    return app_id if is_id else ""


def _browser_id(request: HttpRequest | Request) -> str:
    meta = request.META
    browser_id: str = meta.get(_GIVEN) or _from_cookie(request)
    if _GIVEN in meta:
        meta[_GIVEN] = browser_id = browser_id or secrets.token_urlsafe(16)
    return browser_id


def _from_cookie(request: HttpRequest | Request) -> str:
    signed = request.COOKIES.get(_cookie_name(request), "")
    if len(signed) > COOKIE_LENGTH or not signed.isascii():
        return ""
    try:
        return _signer().unsign(signed)
    except BadSignature:
        return ""


def _signer() -> Signer:
    return Signer(salt="devices.device_cookie")


def _cookie_name(request: HttpRequest | Request) -> str:
    # The prefix makes browsers refuse one that another host of the domain, or plain HTTP, has set.
    return "__Host-device" if _is_secure(request) else "device"


def _is_secure(request: HttpRequest | Request) -> bool:
    return settings.SESSION_COOKIE_SECURE or request.is_secure()


def _meta_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


_HINT_KEYS = [(name, _meta_key(name)) for name in HINT_HEADERS]
