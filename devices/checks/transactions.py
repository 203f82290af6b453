"""ATOMIC_REQUESTS, which would undo what is written before a refusal."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.db import connections
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt.views import TokenViewBase

from .names import EXCEPTION_HANDLER
from .urls import views


def check() -> Iterator[CheckMessage]:
    """Check that ATOMIC_REQUESTS does not roll revocations back."""
    atomic = [db for db in connections.settings if connections.settings[db].get("ATOMIC_REQUESTS")]
    if not atomic:
        return
    if drf.api_settings.EXCEPTION_HANDLER is not import_string(EXCEPTION_HANDLER):
        yield Error(
            "With ATOMIC_REQUESTS, a revocation that is answered with 401 would be rolled back.",
            hint=f"Set REST_FRAMEWORK['EXCEPTION_HANDLER'] to {EXCEPTION_HANDLER}.",
            id="devices.E016",
        )
    for view in views():
        is_token_view = issubclass(getattr(view, "view_class", object), TokenViewBase)
        if is_token_view and not getattr(view, "_non_atomic_requests", None):
            yield Error(
                "With ATOMIC_REQUESTS, the count of failed logins would be rolled back.",
                hint="Include devices.api.urls, or wrap the view in transaction.non_atomic_requests.",
                obj=view,
                id="devices.E017",
            )
