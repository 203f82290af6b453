"""Django Ninja: operations opened by an access token or the session cookie, and step-up.

    api = NinjaAPI(auth=DeviceAuth())
    handle_errors(api)

    @api.get("/orders")
    def orders(request): ...

    @api.post("/transfer", auth=RecentlyConfirmed())
    def transfer(request): ...

In an operation, synchronous or not, `request.user` is the user and `request.auth` the DeviceSession.
"""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError
from ninja.security.base import AuthBase
from rest_framework.exceptions import NotAuthenticated

from devices import shortcuts
from devices.exceptions import DevicesError, SessionRequired, TooManyAttempts
from devices.http import bearer_challenge
from devices.models import DeviceSession

__all__ = ["DeviceAuth", "RecentlyConfirmed", "handle_errors"]


class DeviceAuth(AuthBase):
    """Let a request through if its session is active: by bearer token, or else by Django's session cookie.

    With the cookie, Django's CSRF check is enforced for unsafe methods. A request with neither is left to the
    next class in `auth`, and refused (401) if there is none; a token or cookie that is refused raises
    SessionError or CsrfFailed.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> DeviceSession | None:
        try:
            session = shortcuts.authenticate(request)
        except SessionRequired:
            return None
        # Ninja sets `auth`, too, but only after this.
        request.user, request.auth = session.user, session  # type: ignore[attr-defined]
        return session


class RecentlyConfirmed(DeviceAuth):
    """As DeviceAuth, and the user proved recently who they are, with a second factor if they have one.

    Raises ConfirmationRequired (401, RFC 9470). `within` is the greatest age of the proof; None stands for
    STEP_UP_MAX_AGE.
    """

    def __init__(self, within: timedelta | None = None) -> None:
        super().__init__()
        self.within = within

    def __call__(self, request: HttpRequest) -> DeviceSession | None:
        session = super().__call__(request)
        if session is not None:
            shortcuts.require_confirmation(request, within=self.within)
        return session


def handle_errors(api: NinjaAPI) -> None:
    """Answer the errors of this app in operations of an API: `{"detail", "code"}`, with their status.

    And Ninja's own refusal of a request that nothing in `auth` let through: it has neither a code nor the
    challenge of RFC 9110, section 15.5.2, without which java.net.http may fail.
    """

    def answer(request: HttpRequest, error: DevicesError | TooManyAttempts) -> HttpResponse:
        return shortcuts.error_response(error)

    def refuse(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        said = {"detail": error.message, "code": NotAuthenticated.default_code}
        response: HttpResponse = api.create_response(request, said, status=error.status_code)
        response["WWW-Authenticate"] = bearer_challenge(request)
        return response

    for kind in (DevicesError, TooManyAttempts):
        api.add_exception_handler(kind, answer)
    api.add_exception_handler(AuthenticationError, refuse)
