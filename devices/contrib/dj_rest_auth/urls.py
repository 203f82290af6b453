"""dj-rest-auth's URLs with our views among them, in place of `include("dj_rest_auth.urls")`.

Those of its registration (under `registration/`) and of its second factor are there if their apps are.
"""

from typing import Any

from dj_rest_auth.urls import urlpatterns as stock
from django.apps import apps
from django.db.transaction import non_atomic_requests
from django.urls import URLPattern, re_path
from django.views.decorators.cache import never_cache

from .views import LogoutView, PasswordChangeView, PasswordResetConfirmView, RefreshView

_ours: dict[str, Any] = {
    "rest_logout": LogoutView.as_view(),
    "rest_password_change": PasswordChangeView.as_view(),
    "rest_password_reset_confirm": PasswordResetConfirmView.as_view(),
    "token_refresh": RefreshView.as_view(),
}
_stock: list[tuple[str, Any]] = [("", each) for each in stock]

if apps.is_installed("dj_rest_auth.mfa"):
    from dj_rest_auth.mfa.urls import urlpatterns as mfa
    from dj_rest_auth.mfa.views import MFALoginView

    _ours["rest_login"] = MFALoginView.as_view()
    _stock += [("", each) for each in mfa]

if apps.is_installed("dj_rest_auth.registration"):
    from dj_rest_auth.registration.urls import urlpatterns as registration

    from .registration import RegisterView

    _ours["rest_register"] = RegisterView.as_view()
    _stock += [("registration/", each) for each in registration]


def _served(prefix: str, pattern: URLPattern) -> URLPattern:
    """One of its URLs, by our view if there is one."""
    name = pattern.name or ""
    # A refusal may have ended a session, and a guess has been counted: neither is to be rolled back.
    view = non_atomic_requests(never_cache(_ours.get(name, pattern.callback)))
    route = pattern.pattern.regex.pattern.removeprefix("^")
    served: URLPattern = re_path(f"^{prefix}{route}", view, name=name)
    return served


urlpatterns = [_served(prefix, each) for prefix, each in _stock]
