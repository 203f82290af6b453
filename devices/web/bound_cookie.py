"""The cookie that a browser renews by its key (DBSC), beside Django's session cookie or a refresh token's.

By itself it opens nothing. A session that is bound goes on only together with it.
"""

import uuid
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from rest_framework.request import Request

from devices.conf import conf
from devices.core import sessions
from devices.core.binding import dbsc
from devices.exceptions import BindingRequired
from devices.http import bound_session_headers, get_client, is_secure, on_answer
from devices.models import DeviceSession


def offer(request: HttpRequest, session: DeviceSession) -> None:
    """Ask the browser, with the answer to this request, to bind the session that has just begun."""
    on_answer(request, partial(_ask_to_bind, session))


def forget(request: HttpRequest, session_id: uuid.UUID | None = None) -> None:
    """Have the browser drop this session's bound cookie with the answer, so that it asks whether it goes on.

    All of them, if it is not known which session has ended.
    """
    # What only resembles them may be a name that no answer can set.
    names = {name for name in request.COOKIES if dbsc.is_cookie_name(name)}
    if session_id is not None:
        names &= {dbsc.cookie_name(session_id)}
    on_answer(request, partial(_drop_cookies, names))


def _ask_to_bind(offered: DeviceSession, request: HttpRequest, response: HttpResponse) -> None:
    if getattr(request, "device_session", None) == offered:
        invite(request, response, offered, "devices:bind")


def invite(
    request: HttpRequest | Request, response: HttpResponseBase, session: DeviceSession, view: str
) -> None:
    """Ask the browser to bind a session that has just begun, at the URL of this name, if there is one."""
    if session.is_bound or not (conf.DBSC and is_secure(request)):
        return
    try:
        path = reverse(view)
    except NoReverseMatch:
        return
    challenge = dbsc.registration_challenge(session)
    algorithms = " ".join(dbsc.ALGORITHMS)
    response["Secure-Session-Registration"] = (
        f'({algorithms});path="{path}";challenge="{challenge}"'
    )


def _drop_cookies(names: set[str], request: HttpRequest, response: HttpResponse) -> None:
    for name in names:
        response.set_cookie(name, "", max_age=0, **_attributes())


def check(request: HttpRequest, session: DeviceSession) -> None:
    """Check that the browser has proved its key lately. Raises BindingRequired; the session goes on.

    Its owner is told, unless the browser says that it could not ask us: then it knows the session's name.
    """
    if not conf.DBSC:
        return
    unproved = sessions.check_bound(session, request.COOKIES, conf.DBSC_COOKIE_AGE)
    if unproved is None:
        return
    forget(request, unproved.pk)
    if not _is_proving(request):
        name = dbsc.cookie_name(unproved.pk)
        reason = "expired" if name in request.COOKIES else "missing"
        skipped = _skipped(request, unproved)
        sessions.refuse_copy(unproved, get_client(request), skipped or reason, tell=not skipped)
    raise BindingRequired


def give(response: HttpResponse, session: DeviceSession) -> None:
    """Set the cookie for a browser that has just proved its key."""
    name, value = dbsc.cookie_name(session.pk), dbsc.cookie_of(session)
    response.set_cookie(name, value, max_age=conf.DBSC_COOKIE_AGE, **_attributes())


def instructions(session: DeviceSession, identifier: str, refresh_url: str) -> dict[str, Any]:
    """What the browser keeps of the session: where to renew the cookie, and which requests wait for that.

    `identifier` is the name by which it calls the session.
    """
    static = urlsplit(settings.STATIC_URL or "")
    # Files that everybody gets need not wait.
    is_ours = not static.netloc and static.path.startswith("/") and static.path != "/"
    exclude = [{"type": "exclude", "domain": "*", "path": static.path}] if is_ours else []
    return {
        "session_identifier": identifier,
        "refresh_url": refresh_url,
        "scope": {"include_site": False, "scope_specification": exclude},
        "credentials": [
            {"type": "cookie", "name": dbsc.cookie_name(session.pk), "attributes": _as_text()}
        ],
        # A link from another site sends the session cookie along, so it needs this one, too.
        # Where no cookie goes along (SameSite), nothing is renewed either.
        "allowed_refresh_initiators": ["*"],
    }


def _attributes() -> dict[str, Any]:
    # It goes wherever the session cookie goes, and nowhere else; the refresh cookie goes to fewer places.
    same_site = settings.SESSION_COOKIE_SAMESITE or None
    return {"secure": True, "httponly": True, "samesite": same_site}


def _as_text() -> str:
    # As the cookie has them, or the browser takes it for another cookie. No Max-Age: that refuses them all.
    same_site = settings.SESSION_COOKIE_SAMESITE
    return "Path=/; Secure; HttpOnly" + (f"; SameSite={same_site}" if same_site else "")


def _is_proving(request: HttpRequest) -> bool:
    """Whether this is the request by which a browser renews the cookie: it has none, and needs none."""
    try:
        match = resolve(request.path_info, getattr(request, "urlconf", None))
    except Resolver404:
        return False
    return getattr(match.func, "proves_binding", False)


def _skipped(request: HttpRequest, session: DeviceSession) -> str:
    """Why the browser could not renew the cookie, in its own word; "" if it does not say so of it."""
    names = [f'"{name}"' for name in dbsc.identifiers_of(session.pk)]
    for each in bound_session_headers(request).skipped.split(","):
        reason, _, rest = each.strip().partition(";")
        if any(name in rest for name in names) and reason in (
            "unreachable",
            "server_error",
            "quota_exceeded",
        ):
            return reason
    return ""
