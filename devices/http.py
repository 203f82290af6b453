"""Layer 3: turns a request into a Client. The only reader of `request.META`.

And the keeper of the cookie by which a browser is known again, and of files that people take home.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from itertools import chain
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import DisallowedHost
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import HttpHeaders
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt import settings as jwt

from .conf import conf
from .core.binding import dpop
from .core.binding.dpop import Presentation
from .core.clients import ip_address
from .core.clients.client import Client, clean_user_agent
from .core.clients.device_key import PAGES
from .core.clients.user_agents.hints import HINT_HEADERS
from .core.log import security_log
from .core.log.security_log import Event
from .core.throttling import Attempt
from .exceptions import (
    RETRY_AFTER,
    ConfirmationRequired,
    DevicesError,
    DPoPError,
    DPoPNonceRequired,
    TokenNotValid,
)
from .models import Binding, DeviceSession

APP_ID_LENGTH: Final = 128
ORIGIN_LENGTH: Final = 256
COOKIE_LENGTH: Final = 128  # characters; ours have 66
# The most that browsers grant (RFC 6265bis, 5.5). It begins anew with each sign-in.
COOKIE_AGE: Final = timedelta(days=400)

# In META, which a request of DRF shares with Django's: what is to be done with the answer.
_ON_ANSWER: Final = "devices.on_answer"
# Also there: the id in the cookie that the answer shall set, and what `get_client` and `presentation_of` made
# of the request, so that each is made once.
_GIVEN: Final = "devices.browser_id"
_CLIENT: Final = "devices.client"
_PRESENTATION: Final = "devices.presentation"

# The WWW-Authenticate header that asks for a token, as SimpleJWT has it.
BEARER: Final = 'Bearer realm="api"'

OnAnswer = Callable[[HttpRequest, HttpResponse], None]

_answering: ContextVar[HttpRequest | None] = ContextVar("devices.answering", default=None)


class BoundSessionHeaders(NamedTuple):
    """What a browser says of a session that it keeps a key for (DBSC)."""

    # By which name it calls the session; "" if it does not ask to renew it.
    identifier: str
    # The signed answer to a challenge, or "".
    proof: str
    # Why it has not renewed the cookie, and for which session: a list.
    skipped: str


def bound_session_headers(request: HttpRequest) -> BoundSessionHeaders:
    """The headers of Device Bound Session Credentials."""
    return BoundSessionHeaders(
        identifier=_text_of(request.META.get("HTTP_SEC_SECURE_SESSION_ID", "")),
        proof=_text_of(request.META.get("HTTP_SECURE_SESSION_RESPONSE", "")),
        skipped=request.META.get("HTTP_SECURE_SESSION_SKIPPED", ""),
    )


def _text_of(header: str) -> str:
    """The string in a header, whatever its parameters are; neither string has a semicolon.

    The draft has it in quotes (RFC 9651); Chromium 156 sends it without.
    """
    return header.partition(";")[0].strip().strip('"')


def get_client(request: HttpRequest | Request) -> Client:
    """Return the IP address, through trusted proxies only, and the user agent and hints of a request.

    The same object at each call. It reads no cookie.
    """
    meta = request.META
    if _CLIENT not in meta:
        header = conf.TRUSTED_PROXY_HEADER
        meta[_CLIENT] = Client(
            presentation=presentation_of(request),
            ip_address=ip_address.resolve(
                meta.get("REMOTE_ADDR"),
                meta.get(_meta_key(header), ""),
                conf.TRUSTED_PROXIES,
                is_rfc7239=header.lower() == "forwarded",
            ),
            user_agent=clean_user_agent(meta.get("HTTP_USER_AGENT", "")),
            hints={name: meta[key] for name, key in _HINT_KEYS if key in meta},
        )
    client: Client = meta[_CLIENT]
    return client


def presentation_of(request: HttpRequest | Request) -> Presentation:
    """What came with a request to show that its sender holds a key (DPoP); the same at each call."""
    meta = request.META
    if _PRESENTATION not in meta:
        proof = meta.get("HTTP_DPOP", "").strip()
        urls = _urls_of(request) if proof else ()
        meta[_PRESENTATION] = Presentation(scheme_of(request), proof, str(request.method), urls)
    presentation: Presentation = meta[_PRESENTATION]
    return presentation


def scheme_of(request: HttpRequest | Request) -> str:
    """The scheme of the Authorization header, in lower case; empty if there is none."""
    return scheme_in(request.META.get(jwt.api_settings.AUTH_HEADER_NAME, ""))


def scheme_in(header: str | bytes) -> str:
    """The scheme that such a header begins with, in lower case; empty if there is none."""
    text = header if isinstance(header, str) else header.decode("latin-1")
    # By any blank, as in `bearer_token`.
    return (text.split(maxsplit=1) or [""])[0].lower()


def client_showing(request: HttpRequest, proof: str = "") -> Client:
    """The client of a request that showed its token, and a proof of its key, not in headers."""
    client = get_client(request)
    given = Presentation("", proof, str(request.method), _urls_of(request) if proof else ())
    return replace(client, presentation=given)


def _hand_out_nonce(request: HttpRequest, response: HttpResponse) -> None:
    """Give a client that proves its key the nonce for its next proof (RFC 9449 §8)."""
    if "DPoP-Nonce" not in response and dpop.is_due(presentation_of(request)):
        response["DPoP-Nonce"] = dpop.make_nonce()


def _urls_of(request: HttpRequest | Request) -> tuple[str, ...]:
    """The addresses by which a client may know what it asks for: as the site sees it, and below SITE_URL."""
    urls = []
    # Django has unescaped them. What was %3F in the URL is no query.
    path, below = escape_uri_path(request.path), escape_uri_path(request.path_info)
    with suppress(DisallowedHost):
        urls.append(f"{request.scheme}://{request.get_host()}{path}")
    if conf.SITE_URL:
        site = urlsplit(conf.SITE_URL)
        urls.append(f"{site.scheme}://{site.netloc}{path}")
        urls.append(f"{conf.SITE_URL}{below}")
    return tuple(urls)


def get_login_client(request: HttpRequest | Request) -> Client:
    """The client of a login request, with what identifies its device: an app's header or a cookie.

    Where DeviceMiddleware is there to hand it out, a browser without a cookie has its new id already
    now: the session that begins is that of the cookie it comes back with.
    """
    app_id = _app_id(request.META.get("HTTP_X_DEVICE_ID", ""))
    return replace(
        get_client(request),
        app_id=app_id,
        browser_id="" if app_id else _browser_id(request),
        origin=request.META.get("HTTP_ORIGIN", "")[:ORIGIN_LENGTH],
    )


def authorization(request: HttpRequest) -> str:
    """The Authorization header, by which services identify themselves; empty if there is none."""
    return str(request.META.get("HTTP_AUTHORIZATION", ""))


def last_event_id(request: HttpRequest) -> str:
    """What a reader of server-sent events read last; empty if it has read none."""
    return str(request.META.get("HTTP_LAST_EVENT_ID", ""))


def bearer_token(request: HttpRequest | Request) -> bytes | None:
    """The token in the Authorization header, by DPoP or a scheme of AUTH_HEADER_TYPES (RFC 9110, 11.1).

    Raises TokenNotValid if there is such a scheme, and not one token behind it.
    """
    header = request.META.get(jwt.api_settings.AUTH_HEADER_NAME, "")
    raw = header if isinstance(header, bytes) else header.encode("latin-1", errors="replace")
    scheme, *rest = raw.split() or [b""]
    if scheme_in(scheme) not in {*_token_schemes(), dpop.SCHEME}:
        return None
    if len(rest) != 1:
        raise TokenNotValid
    token: bytes = rest[0]
    return token


def check_scheme(scheme: str, session: DeviceSession) -> None:
    """Refuse a token that came by DPoP and is not bound: its client believes that it is (RFC 9449 §7.1).

    Raises TokenNotValid.
    """
    if scheme == dpop.SCHEME and session.binding != Binding.DPOP:
        raise TokenNotValid


def bearer_challenge(request: HttpRequest | Request | None, bearer: str = BEARER) -> str:
    """The WWW-Authenticate header of a 401: what a client may send.

    That is a token, and with DPoP a proof, too (RFC 9449 §7.1). One that sent a token is told that it is not
    good (RFC 6750 §3.1).
    """
    scheme = scheme_of(request) if request is not None else ""
    if scheme == dpop.SCHEME:
        return challenge()
    if scheme in _token_schemes():
        bearer += ', error="invalid_token"'
    # Where it is up to the client, a client that knows of DPoP needs not be told.
    is_up_to_client = conf.DPOP in ("off", "optional")
    return bearer if is_up_to_client else f"{bearer}, {challenge()}"


def _token_schemes() -> set[str]:
    """What SimpleJWT's AUTH_HEADER_TYPES names, in lower case. It takes one as a text, too."""
    given = jwt.api_settings.AUTH_HEADER_TYPES
    return {each.lower() for each in (given if isinstance(given, list | tuple) else [given])}


def challenge(error: ConfirmationRequired | DPoPError | None = None) -> str:
    """The WWW-Authenticate header of RFC 9470, section 3, or RFC 9449, section 7.1. None: by DPoP at all."""
    if isinstance(error, ConfirmationRequired):
        header = f'Bearer error="{error.code}"'
        if error.max_age is not None:
            header += f', max_age="{int(error.max_age.total_seconds())}"'
        return header
    parameters = {"algs": " ".join(dpop.ALGORITHMS)}
    if error is not None:
        said = ": ".join(filter(None, (error.reason, error.description)))
        given = {"error": error.error, "error_description": _quotable(said)}
        parameters = {name: value for name, value in given.items() if value} | parameters
    return "DPoP " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def error_headers(error: Exception) -> dict[str, str]:
    """What the answer to an error says of the proof that is missing (RFC 9449 §7.1 and §8, RFC 9470 §3).

    Or of when to try again.
    """
    headers = {}
    if isinstance(error, DevicesError) and error.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, ConfirmationRequired | DPoPError):
        headers["WWW-Authenticate"] = challenge(error)
    if isinstance(error, DPoPNonceRequired):
        headers["DPoP-Nonce"] = dpop.make_nonce()
    return headers


def _quotable(text: str) -> str:
    """What RFC 6750 §3 allows in an `error_description`."""
    return "".join(c for c in text[:200] if c.isascii() and c.isprintable() and c not in '"\\')


def token_header() -> str:
    """The name of the header that tokens come in, as `Vary` has it."""
    return _header_name(jwt.api_settings.AUTH_HEADER_NAME)


@cache
def _header_name(key: str) -> str:
    return HttpHeaders.parse_header_name(key) or key


def vary(request: HttpRequest | Request, header: str) -> None:
    """Have the answer tell caches that it depends on this header of the request.

    Else a browser keeps it for the next person, who asks for the same URL with another token. In a view of
    DRF the view says so: `cache_page` sees the answer before any middleware does. Elsewhere DeviceMiddleware
    does.
    """
    # SimpleJWT's class is called with requests of Django, too, in middleware.
    view = getattr(request, "parser_context", {}).get("view")
    headers = getattr(view, "headers", None)
    if headers is None:
        on_answer(request, lambda _, answer: patch_vary_headers(answer, (header,)))
    else:
        headers["Vary"] = f"{headers['Vary']}, {header}" if headers.get("Vary") else header


def is_too_early(request: HttpRequest) -> bool:
    """Whether a request that may change something came as early data of TLS, which others can send again.

    The header counts whatever its value is (RFC 8470, 5.1).
    """
    return "HTTP_EARLY_DATA" in request.META and request.method not in SAFE_METHODS


def wants_page(request: HttpRequest) -> bool:
    """Whether a person waits for a page: browsers name HTML when they open one, scripts and apps do not."""
    meta = request.META
    is_bearer = jwt.api_settings.AUTH_HEADER_NAME in meta
    return not is_bearer and "text/html" in meta.get("HTTP_ACCEPT", "")


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


def plain_request(request: HttpRequest | Request) -> HttpRequest:
    """Django's request. That of Django REST framework hands on what is read from it, and not what is set."""
    plain: HttpRequest = request._request if isinstance(request, Request) else request
    return plain


def get_browser_client(request: HttpRequest | Request) -> Client:
    """The client of a login with cookies. A browser has one cookie session for all pages."""
    return replace(
        get_login_client(request),
        app_id="",
        browser_id=_browser_id(request),
        origin=PAGES,
        presentation=None,
    )


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Let it be known, where no request is passed along, which one is being answered."""
    token = _answering.set(request)
    try:
        yield
    finally:
        _answering.reset(token)


def current_request() -> HttpRequest | None:
    """The request that is being answered, as far as DeviceMiddleware knows, where none is passed along."""
    return _answering.get()


class WrongGuess(NamedTuple):
    """A password that LimitedModelBackend found wrong, and another backend may still find right."""

    attempt: Attempt | None
    user_id: Any
    client: Client


def wrong_guesses() -> dict[tuple[str, str | None], WrongGuess | None]:
    """Which passwords were wrong for which accounts in the current request, so that none counts twice.

    Several backends in AUTHENTICATION_BACKENDS may compare the same one. None stands for one that no other
    backend is asked about any more. Without a request it is empty.
    """
    request: Any = _answering.get()
    if request is None:
        return {}
    if not hasattr(request, "wrong_guesses"):
        request.wrong_guesses = {}
    found: dict[tuple[str, str | None], WrongGuess | None] = request.wrong_guesses
    return found


def note_wrong(guess: tuple[str, str | None], wrong: WrongGuess) -> None:
    """Note a wrong guess, to be logged as a failed login unless another backend finds it right."""
    request = current_request()
    if request is None:
        _log_failure(wrong)
        return
    # A view may ask a backend by itself: then nothing else says that all of them have failed.
    on_answer(request, lambda *_: settle_guesses(are_right=False))
    guesses = wrong_guesses()
    # Of two backends that find it wrong, the first has counted it.
    guesses[guess] = guesses.get(guess) or wrong


def settle_guesses(*, are_right: bool) -> None:
    """Say that no other backend is asked about the guesses of the current request any more.

    `are_right` if somebody is signed in by them: what LimitedModelBackend does not know, LDAP may.
    """
    guesses = wrong_guesses()
    for guess, wrong in guesses.items():
        guesses[guess] = None
        if wrong is None:
            continue
        if not are_right:
            _log_failure(wrong)
        elif wrong.attempt is not None:
            wrong.attempt.forgiven()


def _log_failure(wrong: WrongGuess) -> None:
    security_log.log(Event.LOGIN_FAILED, user_id=wrong.user_id, client=wrong.client)


def is_answering() -> bool:
    """Whether a request is being answered, as far as DeviceMiddleware knows."""
    return _answering.get() is not None


def current_client() -> Client:
    """The client of the current request; without a request, a client without data."""
    request = _answering.get()
    return Client() if request is None else get_client(request)


def current_login_client() -> Client:
    """As `current_client`, of a request that signs in."""
    request = _answering.get()
    return Client() if request is None else get_login_client(request)


def note_session(session: DeviceSession) -> None:
    """Note whose token came with the request that is being answered, for `current_session`."""
    request = _answering.get()
    if request is not None:
        request.token_session = session  # type: ignore[attr-defined]


def forbid_caching() -> None:
    """Have DeviceMiddleware forbid caches to store the answer to this request (RFC 6749, section 5.1)."""
    request = _answering.get()
    if request is not None:
        on_answer(request, lambda _, answer: answer.headers.setdefault("Cache-Control", "no-store"))


def clear_site_data(request: HttpRequest | Request) -> None:
    """Have the browser of somebody who leaves delete what CLEAR_SITE_DATA names."""
    if conf.CLEAR_SITE_DATA:
        wiped = ", ".join(f'"{kind}"' for kind in conf.CLEAR_SITE_DATA)
        on_answer(request, lambda _, answer: answer.headers.setdefault("Clear-Site-Data", wiped))


def current_session(user: AbstractBaseUser | None = None) -> DeviceSession | None:
    """The session, of this user, whose token or cookie came with the request that is being answered."""
    request = _answering.get()
    found = (getattr(request, name, None) for name in ("token_session", "device_session"))
    mine = (each for each in found if each and (user is None or each.user_id == user.pk))
    return next(mine, None)


def get_session(request: HttpRequest | Request) -> DeviceSession | None:
    """Return the session of a request that was authenticated, by token or cookie; None if it has none."""
    token = getattr(request, "auth", None)
    for session in (token, getattr(token, "session", None)):
        if isinstance(session, DeviceSession):
            return session
    session = None if token is not None else getattr(request, "device_session", None)
    # A request that was authenticated otherwise may carry another user's cookie.
    is_mine = session is not None and session.user_id == request.user.pk
    return session if is_mine else None


def expect_answer(request: HttpRequest) -> list[OnAnswer]:
    """Promise to do, with the answer to this request, what is in the list that is returned by then."""
    promised: list[OnAnswer] = []
    # No list, which oauthlib makes a dictionary of where it copies the headers of a request.
    request.META[_ON_ANSWER] = promised.append
    if conf.DPOP_NONCE and request.META.get("HTTP_DPOP"):
        promised.append(_hand_out_nonce)
    return promised


def on_answer(request: HttpRequest | Request, do: OnAnswer) -> None:
    """Register what DeviceMiddleware does with the response to this request; without it, nothing."""
    register = request.META.get(_ON_ANSWER)
    if register is not None:
        register(do)


def _hand_out_cookie(browser_id: str, request: HttpRequest, response: HttpResponse) -> None:
    """Give a browser that signed in, or tried to, the cookie by which it is known again."""
    response.set_cookie(
        _cookie_name(request),
        _signer().sign(browser_id),
        max_age=COOKIE_AGE,
        secure=is_secure(request),
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
    if _ON_ANSWER in meta and _GIVEN not in meta:
        meta[_GIVEN] = browser_id = browser_id or secrets.token_urlsafe(16)
        # With the id: the request that it was asked of may be a copy, whose META nobody else sees.
        on_answer(request, partial(_hand_out_cookie, browser_id))
    return browser_id


def _from_cookie(request: HttpRequest | Request) -> str:
    # The requests of other frameworks, such as django-bolt's, have META alone.
    cookies = getattr(request, "COOKIES", None)
    if cookies is None:
        return ""
    signed = cookies.get(_cookie_name(request), "")
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
    return "__Host-device" if is_secure(request) else "device"


def is_secure(request: HttpRequest | Request) -> bool:
    """Whether browsers reach the site by HTTPS, so that its cookies can be `Secure`."""
    return settings.SESSION_COOKIE_SECURE or request.is_secure()


def _meta_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


_HINT_KEYS = [(name, _meta_key(name)) for name in HINT_HEADERS]
