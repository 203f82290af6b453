"""The public API for code of host projects: sign in, refresh, list, end, confirm, record, authenticate.

Every function takes a request of Django or of DRF. What it refuses it raises, as an error of
`devices.exceptions` with `code`, `message` and `status`. DRF views answer these errors by
`devices.api.errors.exception_handler`, plain views by `error_response` or DeviceMiddleware.
docs/public-api.md has an example of each.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar, overload

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractBaseUser, update_last_login
from django.http import HttpRequest, JsonResponse
from rest_framework.request import Request
from rest_framework_simplejwt import settings as jwt

from . import csrf, http
from .conf import conf
from .core import logins, second_factor, sessions, step_up, throttling, tokens, trusted_devices
from .core.binding import dpop
from .core.clients.client import Client, clean_user_agent
from .core.log import activity, security_log
from .core.log.security_log import Event
from .core.sessions import watch as watch_session
from .core.step_up import MissingProof
from .core.trusted_devices import of_user as list_trusted_devices
from .exceptions import (
    AccountNotActive,
    ConfirmationRequired,
    DevicesError,
    Impersonated,
    SessionError,
    SessionRequired,
    TokenNotValid,
    TooManyAttempts,
)
from .http import get_client, get_session
from .models import DeviceSession, DeviceSessionQuerySet, RevokeReason

__all__ = [
    "Client",
    "MissingProof",
    "RevokeReason",
    "Tokens",
    "aauthenticate",
    "authenticate",
    "change_password",
    "check_login_request",
    "check_password",
    "confirm_session",
    "end_all_sessions",
    "end_session",
    "error_response",
    "forget_trusted_devices",
    "get_claims",
    "get_client",
    "get_session",
    "issue_tokens",
    "list_sessions",
    "list_trusted_devices",
    "missing_proof",
    "record_activity",
    "refresh_session",
    "require_confirmation",
    "start_session",
    "start_session_by_code",
    "trust_device",
    "verify_second_factor",
    "watch_session",
    "while_active",
]

T = TypeVar("T")
AnyRequest = HttpRequest | Request
# None means the request that DeviceMiddleware is handling.
Caller = AnyRequest | Client | None


class Tokens(NamedTuple):
    """A session and its tokens, as a login or a refresh returns them."""

    session: DeviceSession
    access: str
    refresh: str
    # Seconds until the access token expires.
    expires_in: int
    # How the access token is to be sent: "bearer", or "DPoP" if it is bound to a key.
    token_type: str = "bearer"


# Signing in


def check_login_request(caller: Caller) -> None:
    """Refuse a request with a bad proof of a key (DPoP), before your view does what cannot be undone.

    `start_session` refuses it, too. Call it earlier where the view creates an account or uses up a code.
    Raises InvalidDPoPProof or DPoPNonceRequired.
    """
    dpop.check_login(_client(caller).presentation)


def start_session(
    caller: Caller,
    user: AbstractBaseUser | None,
    *,
    method: str = "password",
    otp: str = "",
    mfa: bool = False,
    remember: bool = True,
    trust_device: bool = False,
    is_device_proved: bool = False,
    proved_at: datetime | None = None,
    authenticated_at: datetime | None = None,
) -> Tokens:
    """Start a session for a user who has just proved who they are, and return its tokens.

    Args:
        caller: the login request; a Client where there is none.
        user: who signs in. None, as `django.contrib.auth.authenticate` returns it, is refused.
        method: how they proved it, shown to them and to staff: at most 32 characters.
        otp: a code of the user's second factor. It is verified, used up and counted as an attempt.
        mfa: whether your view has verified a second factor itself.
        remember: whether the session outlives SHORT_SESSION_MAX_AGE.
        trust_device: whether later logins on this device shall do without the second factor that was shown
            now, for TRUSTED_DEVICE_MAX_AGE. Not after a recovery code, nor if the login is doubted.
        is_device_proved: whether a new device needs no code by mail (DEVICE_CODE_METHODS): the account has
            just been made on it, or your view has asked for something as good.
        proved_at: when they proved it, if that was earlier, in a system that they are moved from. Such a
            login is not judged for risk.
        authenticated_at: when an identity provider last asked them for a proof (`auth_time` of its ID token).
            Step-up goes by it, unless a second factor was shown now.

    Raises:
        AccountNotActive: no user, not active, deleted, with another password since the proof, or refused by
            SimpleJWT's USER_AUTHENTICATION_RULE.
        OtpRequired: the user has a second factor, and neither `otp` nor `mfa` was given.
        OtpInvalid: the code is wrong or used up.
        DeviceCodeRequired: the device is new; `start_session_by_code` goes on. Its `details["challenge"]` is
            for the client.
        LoginTooStrange: the login was judged too unlike the user's others.
        TooManyAttempts: too many codes were tried.
        InvalidDPoPProof, DPoPNonceRequired: the request's proof of a key is not good, or missing where the
            setting DPOP requires one.
    """
    client = _login_client(caller)
    # Before a code is used up.
    dpop.check_login(client.presentation)
    if user is None or not conf.AUTHENTICATION_RULE(user):
        raise AccountNotActive
    http.settle_guesses(are_right=True)
    factor = ""
    # Without a code, `sessions.start` asks whether the device is trusted, and else for one.
    if not mfa and (otp or conf.TRUSTED_DEVICE_MAX_AGE is None):
        factor = second_factor.demand(user, otp, client)
    session = sessions.start(
        user,
        client,
        method=method[:32],
        mfa=mfa or bool(factor),
        remember=remember,
        is_device_proved=is_device_proved,
        proved_at=proved_at,
        authenticated_at=authenticated_at,
    )
    if trust_device:
        sessions.trust_device(session, client, factor=factor)
    return _hand_over(session, user, caller)


def start_session_by_code(caller: Caller, challenge: str, code: str) -> Tokens:
    """Start the session of a login on a new device that waited for a code by mail, and return its tokens.

    Args:
        caller: the request, from the device that began to sign in.
        challenge: what the refusal `device_code_required` said.
        code: the six digits in the e-mail.

    Raises:
        DeviceCodeInvalid: the code is wrong, used, older than ten minutes, or for another device; or the
            password was changed since.
        TooManyAttempts: too many codes were tried.
        AccountNotActive, OtpRequired, LoginTooStrange, InvalidDPoPProof, DPoPNonceRequired: as
            `start_session`.
    """
    client = _login_client(caller)
    dpop.check_login(client.presentation)
    session = sessions.start_by_code(challenge, code.strip(), client)
    return _hand_over(session, session.user, caller)


def _hand_over(session: DeviceSession, user: AbstractBaseUser, caller: Caller) -> Tokens:
    """The tokens of a session that has just begun."""
    try:
        issued = issue_tokens(session)
        if jwt.api_settings.UPDATE_LAST_LOGIN:
            _on_login_success(user, None if isinstance(caller, Client) else caller)
    except Exception:
        # Such as of the function at DEVICES["CLAIMS"]. Nobody has tokens of this session.
        sessions.abandon(session)
        raise
    return issued


def _on_login_success(user: AbstractBaseUser, request: AnyRequest | None) -> None:
    """Call ON_LOGIN_SUCCESS, which SimpleJWT after 5.5.1 has. By default it notes the time, as we do."""
    hook = getattr(jwt.api_settings, "ON_LOGIN_SUCCESS", None)
    if hook is None:
        update_last_login(type(user), user)  # type: ignore[arg-type]
    else:
        hook(user, request)


def issue_tokens(session: DeviceSession) -> Tokens:
    """Return the tokens of a session: a new access token, and its refresh token, the same until it is used.

    Raises ImproperlyConfigured if DEVICES["CLAIMS"] returns claims that cannot be issued.
    """
    http.forbid_caching()
    return Tokens(session, *tokens.issue(session))


def refresh_session(caller: Caller, refresh: str) -> Tokens:
    """Exchange a refresh token for its successor.

    Raises:
        TokenNotValid, SessionExpired, SessionRevoked: the token opens no active session.
        RefreshReused: the token was used before; the session is revoked (RFC 9700, section 4.14.2).
        KeyNotProved, InvalidDPoPProof, DPoPNonceRequired: the session is bound to a key that was not shown.
    """
    client = _client(caller)
    return issue_tokens(sessions.rotate(tokens.read_refresh(refresh), client))


# Who is asking


def authenticate(
    credentials: AnyRequest | str | bytes, *, client: Client | None = None
) -> DeviceSession:
    """Return the active session of a request or of an access token; its user is `session.user`.

    A request is authenticated by its bearer token, or else by Django's session cookie. With the cookie,
    Django's CSRF check is enforced for unsafe methods, also in views that are exempt from it.

    Args:
        credentials: a request, or an access token as it came in.
        client: who presents the token, for the security log, where there is no request.

    Raises:
        SessionRequired: the request has neither.
        TokenNotValid, SessionExpired, SessionRevoked, AccountNotActive: the token opens no active session.
        KeyNotProved, InvalidDPoPProof, DPoPNonceRequired: the session is bound to a key that was not shown. A
            token alone cannot show it: authenticate the request.
        CsrfFailed: the request may come from another site.
    """
    if isinstance(credentials, str | bytes):
        raw, request = credentials, None
    else:
        request = credentials
        http.vary(request, http.token_header())
        try:
            found = http.bearer_token(request)
        except TokenNotValid:
            _log_refusal(request)
            raise
        if found is None:
            return _by_cookie(request)
        raw = found
    raw = raw.encode(errors="replace") if isinstance(raw, str) else raw
    try:
        session = sessions.authenticate(raw, lambda: client or _client(request))
    except TokenNotValid:
        if request is not None:
            _log_refusal(request)
        raise
    if request is not None:
        http.check_scheme(http.scheme_of(request), session)
    http.note_session(session)
    return session


async def aauthenticate(
    credentials: AnyRequest | str | bytes, *, client: Client | None = None
) -> DeviceSession:
    """Return the active session of a request or of an access token, as `authenticate`, in async code."""
    return await sync_to_async(authenticate)(credentials, client=client)


@overload
def while_active(session: DeviceSession, source: AsyncIterable[T]) -> AsyncIterator[T]: ...
@overload
def while_active(session: DeviceSession, source: Iterable[T]) -> Iterator[T]: ...
def while_active(session: DeviceSession, source: Any) -> Any:
    """Return an iterator for a StreamingHttpResponse, which ends when the session ends, by whatever route.

    Args:
        session: as `authenticate` returned it.
        source: what to send. An asynchronous one ends within a second: what it waits for is cancelled. A
            synchronous one ends when it yields next.
    """
    is_async = isinstance(source, AsyncIterable)
    return sessions.astream(session, source) if is_async else sessions.stream(session, source)


def get_claims(credentials: AnyRequest | str | bytes) -> dict[str, Any]:
    """Return the claims of an access token, or of the bearer token of a request, with your own among them.

    The signature is verified, and nothing else: not that the session is active, nor that the caller holds the
    key that it is bound to. See `authenticate`. The claims are as old as the token. Raises TokenNotValid.
    """
    raw = credentials if isinstance(credentials, str | bytes) else http.bearer_token(credentials)
    if raw is None:
        raise TokenNotValid
    return tokens.read_payload(raw)[1]


def list_sessions(user: AbstractBaseUser) -> DeviceSessionQuerySet:
    """Return a queryset of the user's active sessions, the most recently active first."""
    return DeviceSession.objects.for_user(user).active().order_by("-last_active", "-created_at")


# Ending sessions


def end_session(
    session: DeviceSession,
    *,
    reason: RevokeReason = RevokeReason.LOGOUT,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> bool:
    """End a session at once and for good; its tokens stop working on the next request.

    Args:
        session: the session to end.
        reason: shown to the user and to staff.
        by: who ends it. By default the user of the session.
        note: for staff alone.

    Returns whether it was still active or expired; the first reason stays.
    """
    if by is None and reason == RevokeReason.LOGOUT:
        by = session.impersonator if session.is_impersonated else session.user
    return sessions.revoke(session, reason=reason, by=by, note=note)


def end_all_sessions(
    user: AbstractBaseUser,
    *,
    keep: DeviceSession | None = None,
    reason: RevokeReason = RevokeReason.USER_ALL,
    by: AbstractBaseUser | None = None,
    note: str = "",
) -> int:
    """End all active sessions of a user but the one to keep, and return how many.

    The other arguments are those of `end_session`.
    """
    kept = None if keep is None else keep.pk
    return sessions.revoke_all(user, reason=reason, keep=kept, by=by, note=note)


# Proofs


def check_password(request: AnyRequest, user: AbstractBaseUser, password: str) -> bool:
    """Return whether this is the user's password. It counts as an attempt. Raises TooManyAttempts."""
    attempt = throttling.begin(logins.username_of(user), get_client(request))
    with throttling.counted():
        is_right: bool = user.check_password(password)
    if is_right:
        attempt.succeeded()
    else:
        attempt.failed()
    return is_right


def verify_second_factor(request: AnyRequest, user: AbstractBaseUser, code: str) -> str:
    """Use up a code of the user's second factor and return which factor it is of ("totp").

    It counts as an attempt. Raises OtpInvalid or TooManyAttempts.
    """
    return second_factor.prove(user, code, http.get_login_client(request))


def change_password(request: AnyRequest, password: str) -> None:
    """Set a new password for the user of the request. This session stays, all others end.

    Ask for the old password first, or for a recent proof (`require_confirmation`), and validate the new one.
    Raises SessionRequired, Impersonated, or AccountNotActive if the account was changed meanwhile.
    """
    session = _session(request)
    if session.is_impersonated:
        raise Impersonated
    user = request.user
    sessions.change_password(user, password, keep=session)  # type: ignore[arg-type]


def trust_device(request: AnyRequest) -> bool:
    """Let later logins on the caller's device begin without a second factor, for TRUSTED_DEVICE_MAX_AGE.

    For login views that ask after the session has begun. Returns False, and trusts nothing, if the session
    began without a second factor or is doubted, if the request shows neither the device cookie, an app's id
    of at least 16 characters nor the session's key, or if TRUSTED_DEVICE_MAX_AGE is None. Do not call it
    after a recovery code. Raises SessionRequired.
    """
    session = _session(request)
    plain = getattr(request, "device_session", None) is session
    client = http.get_browser_client(request) if plain else http.get_login_client(request)
    return sessions.trust_device(session, client)


def forget_trusted_devices(user: AbstractBaseUser) -> int:
    """Have every device of the user asked for the second factor again, and return how many were not.

    Call it where a factor changes, if your SECOND_FACTOR has no `stamp`.
    """
    return trusted_devices.forget(user.pk)


def confirm_session(
    request: AnyRequest, *, method: str, mfa: bool = False, ends_doubt: bool = False
) -> None:
    """Record that the caller has just proved again who they are, so that step-up lets them pass.

    Args:
        request: the request that proved it.
        method: how, as the activity log shows it.
        mfa: whether by a second factor.
        ends_doubt: whether by what a stranger with the password does not have, such as a mailed code.

    Raises SessionRequired, SessionRevoked or Impersonated.
    """
    sessions.confirm(
        _session(request), get_client(request), method=method, mfa=mfa, ends_doubt=ends_doubt
    )


def missing_proof(request: AnyRequest, *, within: timedelta | None = None) -> MissingProof | None:
    """Return the proof that the caller owes before a sensitive step; None if they owe none.

    `within` is the greatest age of a proof; None stands for STEP_UP_MAX_AGE. Raises SessionRequired.
    """
    return step_up.missing_proof(_session(request), within)


def require_confirmation(request: AnyRequest, *, within: timedelta | None = None) -> None:
    """Refuse the request unless its caller proved recently who they are (RFC 9470).

    `within` as in `missing_proof`. Raises ConfirmationRequired or SessionRequired.
    """
    if missing_proof(request, within=within) is not None:
        raise ConfirmationRequired(within if within is not None else conf.STEP_UP_MAX_AGE)


# What happened


def record_activity(
    where: AnyRequest | DeviceSession,
    kind: str,
    data: dict[str, Any] | None = None,
    *,
    by: AbstractBaseUser | None = None,
) -> bool:
    """Add a line to the activity log of a session: that of a request, or the one given.

    Args:
        where: a request, whose address is recorded too, or a session.
        kind: a dotted name of your own of at most 64 characters, such as "report.exported".
        data: what JSON holds, of at most 8192 characters; the owner of the session reads it.
        by: who did it, if not the owner.

    Returns False, and records nothing, if the request has no session. Raises ValueError if `kind` or `data`
    is not as described.
    """
    session = where if isinstance(where, DeviceSession) else get_session(where)
    if session is None:
        return False
    address = None if isinstance(where, DeviceSession) else get_client(where).ip_address
    activity.record(session, kind, data, ip_address=address, by=by)
    return True


def error_response(error: DevicesError | TooManyAttempts) -> JsonResponse:
    """Return the JSON answer to an error of this app, for views without DRF: `{"detail", "code"}`."""
    detail = error.messages[0] if isinstance(error, TooManyAttempts) else str(error.message)
    details = error.details if isinstance(error, SessionError) else {}
    response = JsonResponse({"detail": detail, "code": error.code, **details}, status=error.status)
    response["Cache-Control"] = "no-store"
    if isinstance(error, TooManyAttempts):
        response["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response["WWW-Authenticate"] = http.bearer_challenge(http.current_request())
    for name, value in http.error_headers(error).items():
        response[name] = value
    return response


def _session(request: AnyRequest) -> DeviceSession:
    session = get_session(request)
    if session is None:
        raise SessionRequired
    return session


def _client(caller: Caller) -> Client:
    if isinstance(caller, Client):
        return replace(caller, user_agent=clean_user_agent(caller.user_agent))
    return http.current_client() if caller is None else get_client(caller)


def _login_client(caller: Caller) -> Client:
    if isinstance(caller, Client):
        return _client(caller)
    return http.current_login_client() if caller is None else http.get_login_client(caller)


def _by_cookie(request: AnyRequest) -> DeviceSession:
    plain = http.plain_request(request)
    session: DeviceSession | None = None
    # `device_session` is set once the user is asked for.
    if getattr(plain, "user", None) is not None and plain.user.is_authenticated:
        session = getattr(plain, "device_session", None)
    if session is None or session.user_id != plain.user.pk:
        raise SessionRequired
    csrf.enforce_token(plain)
    return session


def _log_refusal(request: AnyRequest) -> None:
    client = get_client(request)
    security_log.log(
        Event.ACCESS_REFUSED,
        user_id=None,
        client=client,
        code=TokenNotValid.code,
        path=request.path,
    )
