"""What others read of us at /.well-known/: public keys, and where to ask. Open to all, without DRF."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe
from rest_framework_simplejwt import settings as simplejwt

from devices.core import database
from devices.core.keys import keyring
from devices.core.notifications.review_links import page
from devices.core.service_clients import SCOPES
from devices.exceptions import KeysUnavailable

from .oauth import GRANT

logger = logging.getLogger("devices")

# RFC 7517 §8.5.1
JWK_SET = "application/jwk-set+json"


@login_not_required
@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    """The public keys that verify our tokens (RFC 7517 §5), the next one included."""

    def read() -> Mapping[str, Any]:
        keys = keyring.current()
        return {"keys": []} if keys is None else keys.jwks

    return public_document(request, read, JWK_SET)


@login_not_required
@require_safe
def authorization_server(request: HttpRequest, path: str = "") -> HttpResponse:
    """What a service has to know of us (RFC 8414 §3). 404 unless `iss` is the https URL asked for."""
    return document_of_issuer(request, path, _metadata)


def document_of_issuer(
    request: HttpRequest, path: str, metadata: Callable[[str], Mapping[str, Any]]
) -> HttpResponse:
    """What our issuer says of itself below this path of its URL; 404 if it is not there, or not by https."""
    issuer = simplejwt.api_settings.ISSUER or ""
    parts = urlsplit(issuer)
    if parts.scheme != "https" or parts.query or parts.fragment or parts.path.rstrip("/") != path:
        body = {"detail": "There is no issuer here.", "code": "not_found"}
        return JsonResponse(body, status=404, headers={"Cache-Control": "no-store"})
    return public_document(request, lambda: metadata(issuer), "application/json")


def _metadata(issuer: str) -> dict[str, Any]:
    methods = ["client_secret_basic", "client_secret_post"]
    said: dict[str, Any] = {
        "issuer": issuer,
        # People sign in to us alone: there is no authorization endpoint, and tokens are for services only.
        "response_types_supported": [],
        "grant_types_supported": [],
    }
    if url := page("devices-well-known:jwks"):
        said["jwks_uri"] = url
    if url := page("devices-oauth:token"):
        said |= {
            "token_endpoint": url,
            "token_endpoint_auth_methods_supported": methods,
            "grant_types_supported": [GRANT],
            "scopes_supported": [scope for each in SCOPES.values() for scope in each],
        }
    for name in ("introspect", "revoke"):
        if url := page(f"devices-oauth:{name}"):
            endpoint = {"introspect": "introspection", "revoke": "revocation"}[name] + "_endpoint"
            said |= {endpoint: url, f"{endpoint}_auth_methods_supported": methods}
    return said


def public_document(
    request: HttpRequest, read: Callable[[], Mapping[str, Any]], content_type: str
) -> HttpResponse:
    """A public document that may be kept for `JWKS_MAX_AGE`, and asked for again by its ETag."""
    try:
        body = json.dumps(read(), separators=(",", ":")).encode()
    except (KeysUnavailable, DatabaseError, InterfaceError) as error:
        is_known = isinstance(error, KeysUnavailable) or database.is_outage(error)
        logger.error("Signing keys are not available: %s", error, exc_info=not is_known)
        unavailable = {"detail": "The service is not available just now.", "code": "unavailable"}
        headers = {"Cache-Control": "no-store", "Retry-After": "1"}
        return JsonResponse(unavailable, status=503, headers=headers)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    age = int(keyring.JWKS_MAX_AGE.total_seconds())
    answer = HttpResponse(body, content_type=content_type)
    answer["Cache-Control"], answer["ETag"] = f"public, max-age={age}", etag
    return get_conditional_response(request, etag=etag, response=answer) or answer
