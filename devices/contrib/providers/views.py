"""Views for identity providers: security events (RFC 8935), OpenID Connect Back-Channel Logout 1.0."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from devices.api.oauth import OAuthError, answering, body_of, demand_method, read_fields
from devices.core import throttling
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.http import get_client

from . import ending, trust
from .trust import KeysAway, Provider, Refused

logger = logging.getLogger("devices")

SET: Final = "application/secevent+jwt"
LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
# Of a token, in characters. More is no event of anybody's.
LONGEST: Final = 32_768


@answering
def events(request: HttpRequest) -> HttpResponseBase:
    """Take a security event token that a provider pushes. 202, also if it ended nothing."""
    demand_method(request, "POST")
    try:
        if request.content_type != SET:
            raise Refused("invalid_request", f"Send {SET}.")
        provider, claims = _believed(request, _body(request), ("secevent+jwt",))
        ended = ending.by_events(provider, claims)
    except Refused as error:
        return JsonResponse({"err": error.code, "description": str(error)}, status=400)
    _log(provider, claims, ended)
    return HttpResponse(status=202)


@answering
def logout(request: HttpRequest) -> HttpResponseBase:
    """Take a logout token (OpenID Connect Back-Channel Logout 1.0 §2.5)."""
    demand_method(request, "POST")
    try:
        text = read_fields(request).get("logout_token", "")
        # A type is not asked for, but another one is not taken.
        provider, claims = _believed(request, text, ("logout+jwt", "jwt", None))
        _demand_logout(claims)
        ended = ending.by_logout(provider, claims)
    except Refused as error:
        raise OAuthError(400, "invalid_request", str(error)) from error
    _log(provider, claims, ended)
    return HttpResponse(status=200)


def _demand_logout(claims: Mapping[str, Any]) -> None:
    """§2.6: it says that it is about a logout, is in time, and is no ID token. Raises Refused."""
    told = claims.get("events")
    if not isinstance(told, Mapping) or not isinstance(told.get(LOGOUT), Mapping):
        raise Refused("invalid_request", "It is about no logout.")
    if "nonce" in claims:
        raise Refused("invalid_request", "It has a nonce, as ID tokens do.")
    if "exp" not in claims:
        raise Refused("invalid_request", "It does not expire.")
    if not any(isinstance(claims.get(name), str) for name in ("sub", "sid")):
        raise Refused("invalid_request", "It names nobody.")


def _believed(
    request: HttpRequest, text: str, types: tuple[str | None, ...]
) -> tuple[Provider, dict[str, Any]]:
    """What a provider says. Raises Refused, or TooManyAttempts for an address that failed too often."""
    try:
        if not 0 < len(text) <= LONGEST:
            raise Refused("invalid_request", "There is no token.")
        return trust.read(text, types)
    except Refused:
        client = get_client(request)
        security_log.log(Event.SERVICE_REFUSED, client=client, service="")
        throttling.count_service_failure(client)
        raise
    except KeysAway as error:
        description = "The issuer's keys cannot be read."
        raise OAuthError(503, "temporarily_unavailable", description, Retry_After="30") from error


def _log(provider: Provider, claims: Mapping[str, Any], ended: int) -> None:
    logger.info("%s told of %.64r: %s sessions ended.", provider.name, claims["jti"], ended)


def _body(request: HttpRequest) -> str:
    try:
        return body_of(request).decode("ascii").strip()
    except ValueError:
        raise Refused("invalid_request", "It is no JWT.") from None
