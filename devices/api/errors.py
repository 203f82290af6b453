"""Errors as JSON: `{"detail", "code"}`, with the fields' own errors as DRF has them."""

import logging
from datetime import timedelta
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext_lazy as _
from rest_framework import status, views
from rest_framework.exceptions import APIException, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken

from devices.core import database
from devices.core.binding import dpop
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.exceptions import (
    RETRY_AFTER,
    ConfirmationRequired,
    DevicesError,
    KeysUnavailable,
    SessionError,
    TokenNotValid,
    TooManyAttempts,
)
from devices.http import challenge, error_headers, get_client, scheme_of

logger = logging.getLogger("devices")


class SessionDenied(InvalidToken):
    """A SessionError as the 401 of the contract."""

    def __init__(self, error: SessionError) -> None:
        super().__init__({"detail": error.message, "code": error.code, **error.details})
        self.code = error.code
        self.status_code = error.status
        self.auth_header: str | None = None
        # What is missing is said by the error, and not by the view.
        self.headers = error_headers(error)


class Refused(APIException):
    """Any other error of this app."""

    def __init__(self, error: DevicesError) -> None:
        super().__init__(error.message, error.code)
        self.status_code = error.status
        self.wait = RETRY_AFTER if error.status == 503 else None


class BodyTooLarge(APIException):
    """Longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large.")
    default_code = "too_large"


class StepUpRequired(APIException):
    """The proof of who one is, is too old for this step: the challenge of RFC 9470 §3."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = ConfirmationRequired.message
    default_code = ConfirmationRequired.code

    def __init__(self, max_age: timedelta | None) -> None:
        super().__init__()
        self.auth_header = challenge(ConfirmationRequired(max_age))


class Unavailable(APIException):
    """The database does not answer: access is refused, and nothing was changed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The service is not available just now. Try again.")
    default_code = "unavailable"
    wait = RETRY_AFTER


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, with a `code` in every answer that is not about fields."""
    if database.is_outage(exc):
        logger.error("The database is not available: %s", exc)
        exc = Unavailable()
    if isinstance(exc, KeysUnavailable):
        logger.error("Signing keys are not available: %s", exc)
    if isinstance(exc, RequestDataTooBig):
        exc = BodyTooLarge()
    exc = _named(exc, context["view"], context["request"])
    if isinstance(exc, StepUpRequired) and scheme_of(context["request"]) == dpop.SCHEME:
        exc.auth_header = exc.auth_header.replace("Bearer", "DPoP", 1)
    _report(exc, context["request"])
    if isinstance(exc, SessionDenied):
        # DRF's handler would mark the request's transaction for rollback, and with it the
        # revocation of the session that is refused here (ATOMIC_REQUESTS).
        asked = {"WWW-Authenticate": exc.auth_header} if exc.auth_header else {}
        return Response(exc.detail, status=exc.status_code, headers=asked | exc.headers)
    response = views.exception_handler(exc, context)
    if response is not None and isinstance(response.data, dict) and "detail" in response.data:
        detail = response.data["detail"]
        code = response.data.get("code") or getattr(detail, "code", "error")
        response.data = {"detail": detail, "code": code}
    return response


def _named(exc: Exception, view: Any, request: Request) -> Exception:
    """What the verbs of core raise in views of host projects, as the answers of the contract."""
    if isinstance(exc, TooManyAttempts):
        return Throttled(wait=exc.retry_after)
    if isinstance(exc, ConfirmationRequired):
        return StepUpRequired(exc.max_age)
    if isinstance(exc, SessionError):
        denied = SessionDenied(exc)
        # DRF sets it before its handler is called, for errors that it knows.
        denied.auth_header = view.get_authenticate_header(request)
        return denied
    return Refused(exc) if isinstance(exc, DevicesError) else exc


def _report(exc: Exception, request: Request) -> None:
    """Write to the security log who was refused, but for ended and copied sessions: others log these."""
    if isinstance(exc, PermissionDenied):
        code, user_id = "permission_denied", request.user.pk
    elif isinstance(exc, SessionDenied) and exc.code == TokenNotValid.code and not exc.headers:
        code, user_id = exc.code, None
    else:
        return
    client = get_client(request)
    security_log.log(
        Event.ACCESS_REFUSED, user_id=user_id, client=client, code=code, path=request.path
    )
