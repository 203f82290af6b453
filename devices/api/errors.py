"""Errors as JSON: `{"detail", "code"}`, with the fields' own errors as DRF has them."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import connections
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import DetailDictMixin, InvalidToken

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
from devices.http import bearer_challenge, challenge, error_headers, get_client, scheme_of

logger = logging.getLogger("devices")

# Of which an error of SimpleJWT consists.
_PARTS = {"detail", "code", "messages"}

Handler = Callable[[Exception, dict[str, Any]], Response | None]


class SessionDenied(InvalidToken):
    """A SessionError as the 401 of the contract."""

    def __init__(self, error: SessionError) -> None:
        said: dict[str, Any] = {"detail": error.message, "code": error.code, **error.details}
        super().__init__(said)
        # DRF would call each of them "token_not_valid", and other handlers answer with what it calls them.
        self.detail = {name: ErrorDetail(text, error.code) for name, text in said.items()}
        self.code = error.code
        self.details = error.details
        self.status_code = self.status = error.status
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


def extend_handler(handler: Handler) -> Handler:
    """Teach an exception handler for EXCEPTION_HANDLER, such as another package's, the errors of this app.

    It gets them as errors of DRF, with their codes. Their headers are added to its answer, and who is refused
    is written to the security log. What a refusal has ended stays ended with ATOMIC_REQUESTS.
    """

    @wraps(handler)
    def extended(exc: Exception, context: dict[str, Any]) -> Response | None:
        request = context["request"]
        exc = _known(exc, context["view"], request)
        _report(exc, request)
        _join(exc)
        if not isinstance(exc, SessionDenied):
            return _with_code(handler(exc, context))
        # DRF has made it 403 if the first class of the view has no challenge (SessionAuthentication).
        exc.status_code = exc.status
        if exc.status == status.HTTP_401_UNAUTHORIZED and not exc.auth_header:
            exc.auth_header = bearer_challenge(request)
        with _not_rolled_back():
            response = _with_details(_with_code(handler(exc, context)), exc.details)
        if response is not None:
            asked = {"WWW-Authenticate": exc.auth_header} if exc.auth_header else {}
            for name, value in (asked | exc.headers).items():
                response[name] = value
        return response

    extended.knows_sessions = True  # type: ignore[attr-defined]
    return extended


@extend_handler
def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, with a `code` in every answer that is not about fields."""
    response: Response | None = import_string("rest_framework.views.exception_handler")(
        exc, context
    )
    return response


def _join(exc: Exception) -> None:
    """Make one text with a code of SimpleJWT's errors, which are two parts for the code beside the text.

    drf-standardized-errors makes two errors of them, and drf-exceptions-hog fails.
    """
    said = getattr(exc, "detail", None)
    if isinstance(exc, DetailDictMixin) and isinstance(said, dict):
        others = said.keys() - _PARTS - getattr(exc, "details", {}).keys()
        if {"detail", "code"} <= said.keys() and not others:
            exc.detail = ErrorDetail(said["detail"], str(said["code"]))


def _with_details(response: Response | None, details: Mapping[str, str]) -> Response | None:
    """Add what an error says besides, such as the challenge of a login, to an answer in whatever form."""
    said: Any = getattr(response, "data", None)
    for each in said if isinstance(said, list) else [said]:
        if isinstance(each, dict):
            each |= details
    return response


def _with_code(response: Response | None) -> Response | None:
    """Add the code of the error to an answer in DRF's form, and leave out SimpleJWT's `messages`."""
    # A handler may answer with a response of Django, too.
    said: Any = getattr(response, "data", None)
    if isinstance(said, dict) and said.keys() <= _PARTS:
        detail = said.get("detail")
        if isinstance(detail, ErrorDetail):
            response.data = {"detail": detail, "code": said.get("code", detail.code)}  # type: ignore[union-attr]
    return response


@contextmanager
def _not_rolled_back() -> Iterator[None]:
    """Commit the transactions of the request, which DRF's handler would mark for rollback.

    With them would go the revocation of the session that is refused (ATOMIC_REQUESTS).
    """
    good = [each for each in connections.all(True) if each.in_atomic_block]
    good = [each for each in good if not each.needs_rollback]
    yield
    for each in good:
        each.set_rollback(False)


def _known(exc: Exception, view: Any, request: Request) -> Exception:
    """The error as one that DRF knows, if it is of this app, or of its database."""
    if database.is_outage(exc):
        logger.error("The database is not available: %s", exc)
        exc = Unavailable()
    if isinstance(exc, KeysUnavailable):
        logger.error("Signing keys are not available: %s", exc)
    if isinstance(exc, RequestDataTooBig):
        exc = BodyTooLarge()
    exc = _named(exc, view, request)
    if isinstance(exc, StepUpRequired) and scheme_of(request) == dpop.SCHEME:
        exc.auth_header = exc.auth_header.replace("Bearer", "DPoP", 1)
    return exc


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
        # Of whatever class of the project, or None (UNAUTHENTICATED_USER).
        code, user_id = "permission_denied", getattr(request.user, "pk", None)
    elif isinstance(exc, SessionDenied) and exc.code == TokenNotValid.code and not exc.headers:
        code, user_id = exc.code, None
    else:
        return
    client = get_client(request)
    security_log.log(
        Event.ACCESS_REFUSED, user_id=user_id, client=client, code=code, path=request.path
    )
