"""Errors as JSON: `{"detail", "code"}`, with the fields' own errors as DRF has them."""

from typing import Any

from rest_framework import views
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken

from devices.exceptions import SessionError


class SessionDenied(InvalidToken):
    """A SessionError as the 401 of the contract."""

    def __init__(self, error: SessionError) -> None:
        super().__init__({"detail": error.message, "code": error.code})


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, with a `code` in every answer that is not about fields."""
    if isinstance(exc, SessionDenied):
        # DRF's handler would mark the request's transaction for rollback, and with it the
        # revocation of the session that is refused here (ATOMIC_REQUESTS).
        return Response(exc.detail, status=exc.status_code, headers=_challenge(exc))
    response = views.exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(response.data, dict) and "detail" in response.data:
        detail = response.data["detail"]
        code = response.data.get("code") or getattr(detail, "code", "error")
        response.data = {"detail": detail, "code": code}
    return response


def _challenge(exc: APIException) -> dict[str, str]:
    header = getattr(exc, "auth_header", None)
    return {"WWW-Authenticate": header} if header else {}
