"""What other services ask: introspection (RFC 7662), revocation (RFC 7009), tokens of their own (RFC 6749).

In the form of OAuth: form bodies in, `{"error", "error_description"}` out, for clients of SERVICE_CLIENTS.
Without DRF, whose settings are those of the host project.
"""

import base64
import binascii
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote_plus

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from devices.conf import conf
from devices.core import database, service_clients, sessions, tokens
from devices.core.service_clients import ServiceClient
from devices.exceptions import KeysUnavailable, SessionError, TooManyAttempts
from devices.http import authorization, get_client

logger = logging.getLogger("devices")

MAX_FIELDS = 16
FORM = "application/x-www-form-urlencoded"
GRANT = "client_credentials"

Fields = dict[str, str]
Answer = Callable[[HttpRequest, ServiceClient, Fields], HttpResponseBase]
View = Callable[[HttpRequest], HttpResponseBase]


class OAuthError(Exception):
    """An answer of RFC 6749 §5.2."""

    def __init__(self, status: int, code: str, description: str, **headers: str) -> None:
        super().__init__(description)
        self.response = JsonResponse(
            {"error": code, "error_description": description},
            status=status,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


def for_services(permission: str, method: str = "POST") -> Callable[[Answer], View]:
    """Let a function answer the requests of services that have this permission.

    Of a GET the query is read, and the secret from the header only.
    """

    def decorate(answer: Answer) -> View:
        @answering
        @wraps(answer)
        def view(request: HttpRequest) -> HttpResponseBase:
            demand_method(request, method)
            fields = read_fields(request)
            return answer(request, demand(permission, request, fields), fields)

        return view

    return decorate


def answering(answer: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Turn what a view for services raises into an answer. No cookie is looked at."""

    @csrf_exempt
    @wraps(answer)
    def view(request: HttpRequest, **named: str) -> HttpResponseBase:
        try:
            return answer(request, **named)
        except OAuthError as error:
            return error.response
        except TooManyAttempts as error:
            return _error(429, "slow_down", "Too many failures.", error.retry_after)
        except (KeysUnavailable, DatabaseError, InterfaceError) as error:
            is_known = isinstance(error, KeysUnavailable) or database.is_outage(error)
            logger.error("A request of a service failed: %s", error, exc_info=not is_known)
            return _error(503, "temporarily_unavailable", "Try again.", 1)

    return view


@for_services("introspect")
def introspect(request: HttpRequest, service: ServiceClient, fields: Fields) -> HttpResponse:
    """Whether an access token is good and its session active, and what it says (RFC 7662 §2.2).

    A refresh token is inactive here: services take what is active for a bearer token.
    Why a token is inactive is not said.
    """
    try:
        claims, payload = tokens.read_payload(_token(fields))
        # Whether it was shown with a proof of its key (`cnf`), the service sees for itself.
        session = sessions.find_valid_session(claims, lambda: get_client(request))
    except SessionError:
        return JsonResponse({"active": False})
    said: dict[str, Any] = {
        "sub": claims.user_id,
        "client_id": conf.CLIENT_ID,
        "sid": str(session.pk),
        **payload,
        "token_type": "Bearer",
        "active": True,
    }
    if "jkt" in (payload.get("cnf") or {}):
        # RFC 9449 §6.2
        said["token_type"] = "DPoP"
    return JsonResponse(said)


@for_services("revoke")
def revoke(request: HttpRequest, service: ServiceClient, fields: Fields) -> HttpResponse:
    """End the session of an access or refresh token; the same answer to any token (RFC 7009 §2.2)."""
    client, token = get_client(request), _token(fields)
    try:
        sessions.logout_by_refresh_token(tokens.read_refresh(token), client)
    except SessionError:
        with suppress(SessionError):
            sessions.logout(sessions.find_valid_session(tokens.read_access(token), lambda: client))
    return HttpResponse(content_type="application/json")


@answering
def token(request: HttpRequest) -> HttpResponse:
    """Give a service an access token of its own: the grant of client credentials (RFC 6749 §4.4)."""
    demand_method(request, "POST")
    fields = read_fields(request)
    service = identify(request, fields)
    if "grant_type" not in fields:
        raise OAuthError(400, "invalid_request", "There is no grant_type.")
    if fields["grant_type"] != GRANT:
        raise OAuthError(400, "unsupported_grant_type", f"The grant is {GRANT}.")
    scopes = set(fields.get("scope", "").split()) or set(service.scopes)
    if not service.scopes:
        raise OAuthError(400, "unauthorized_client", "There is no scope for this client.")
    if scopes - set(service.scopes):
        raise OAuthError(400, "invalid_scope", f"The scopes are {', '.join(service.scopes)}.")
    return JsonResponse(
        {
            "access_token": service_clients.issue_token(service, scopes),
            "token_type": "Bearer",
            "expires_in": int(service_clients.TOKEN_AGE.total_seconds()),
            "scope": " ".join(sorted(scopes)),
        }
    )


def _token(fields: Fields) -> str:
    if not fields.get("token"):
        raise OAuthError(400, "invalid_request", "There is no token.")
    return fields["token"]


def demand(permission: str, request: HttpRequest, fields: Fields) -> ServiceClient:
    """The service that calls with its secret, if it has this permission.

    Raises OAuthError or TooManyAttempts.
    """
    service = identify(request, fields)
    if permission not in service.may:
        raise OAuthError(403, "unauthorized_client", f"This client may not {permission}.")
    return service


def demand_scope(scope: str, request: HttpRequest) -> ServiceClient:
    """The service that calls with an access token of this scope, which `ssf.manage` holds too (RFC 6750).

    Raises OAuthError or TooManyAttempts.
    """
    _, _, sent = authorization(request).partition(" ")
    found = service_clients.read_token(sent.strip(), get_client(request))
    if found is None:
        raise _bearer_error(401, "invalid_token", "The access token is not good any more.")
    service, scopes = found
    if not {scope, service_clients.MANAGE} & scopes:
        raise _bearer_error(403, "insufficient_scope", f"It takes the scope {scope}.")
    return service


def has_bearer_token(request: HttpRequest) -> bool:
    """Whether a service calls with an access token, and not with its secret."""
    return authorization(request).partition(" ")[0].lower() == "bearer"


def identify(request: HttpRequest, fields: Fields) -> ServiceClient:
    """The service that calls with its name and secret (RFC 6749 §2.3.1).

    Raises OAuthError or TooManyAttempts.
    """
    header = authorization(request)
    if header and "client_secret" in fields:
        raise OAuthError(400, "invalid_request", "Authenticate in one way.")
    in_form = request.method == "POST"
    name, secret = (
        _basic(header)
        if header or not in_form
        else (fields.get("client_id", ""), fields.get("client_secret", ""))
    )
    client = get_client(request)
    service = service_clients.authenticate(name, secret, client) if name and secret else None
    if service is None:
        _refuse()
    return service


def _bearer_error(status: int, code: str, description: str) -> OAuthError:
    challenge = f'Bearer realm="devices", error="{code}"'
    return OAuthError(status, code, description, WWW_Authenticate=challenge)


def demand_method(request: HttpRequest, method: str) -> None:
    """Raises OAuthError for another method."""
    if request.method != method:
        raise OAuthError(405, "invalid_request", f"Use {method}.", Allow=method)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        _refuse()
    try:
        name, colon, secret = (
            base64.b64decode(encoded.strip(" "), validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        _refuse()
    return unquote_plus(name), unquote_plus(secret)


def _refuse() -> NoReturn:
    raise OAuthError(
        401,
        "invalid_client",
        "The client is unknown, or its secret wrong.",
        WWW_Authenticate='Basic realm="devices", charset="UTF-8"',
    )


def read_fields(request: HttpRequest) -> Fields:
    """The form or the query of a request, each field once (RFC 6749 §3.1). Raises OAuthError."""
    if request.method == "GET":
        return _once([(name, value) for name, values in request.GET.lists() for value in values])
    if request.content_type != FORM:
        raise OAuthError(400, "invalid_request", f"Send {FORM}.")
    try:
        text = body_of(request).decode()
        return _once(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise OAuthError(400, "invalid_request", "The form cannot be read.") from None


def body_of(request: HttpRequest) -> bytes:
    """The body of a request. Raises OAuthError, or ValueError if it has not come whole."""
    try:
        return request.body
    except RequestDataTooBig:
        raise OAuthError(413, "invalid_request", "The request is too large.") from None
    except UnreadablePostError as error:
        raise ValueError from error


def _once(pairs: list[tuple[str, str]]) -> Fields:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise OAuthError(400, "invalid_request", "A field comes twice.")
    return fields


def _error(status: int, code: str, description: str, retry_after: int) -> HttpResponse:
    return OAuthError(status, code, description, Retry_After=str(retry_after)).response
