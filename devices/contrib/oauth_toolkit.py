"""django-oauth-toolkit: what an application gets in a browser ends with the session of that browser.

A code, an access token or a refresh token begins with the session's ID, as the app's own tokens name it. So
there is no table, and nothing to delete when a session ends. A device that somebody approves in a browser
(RFC 8628) gets a session of its own. See docs/integrations/oauth-toolkit.md.
"""

import hashlib
import uuid
from typing import Any, Final

from django.forms import Form
from django.http import HttpResponse, JsonResponse
from oauth2_provider.models import (
    get_access_token_model,
    get_device_grant_model,
    get_refresh_token_model,
)
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import DeviceConfirmView, IntrospectTokenView
from oauthlib.common import Request, generate_token
from oauthlib.oauth2.rfc8628.errors import AccessDenied, ExpiredTokenError

from devices.core import sessions
from devices.core.tokens import Claims
from devices.exceptions import DevicesError, SessionError
from devices.http import current_client, current_session
from devices.models import DeviceSession
from devices.shortcuts import start_session

__all__ = [
    "SessionDeviceConfirmView",
    "SessionIntrospectTokenView",
    "SessionValidator",
    "make_token",
]

# What holds the session at the token endpoint. Others are given by nobody who is signed in, but for the last.
HOLDERS: Final = {"authorization_code": "code", "refresh_token": "refresh_token"}
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
# The `login_method` of a session that a device has of its own.
METHOD: Final = "device_code"


class SessionValidator(OAuth2Validator):
    """OAUTH2_PROVIDER["OAUTH2_VALIDATOR_CLASS"]: refuses what was given in a session that has ended.

    A token of a user without a session is refused, too: that of a password grant, say. Tokens of applications
    for themselves (client credentials) have no user, and are left alone. A device's own session is kept
    alive by its tokens, and ends when it gives one back. May be subclassed.
    """

    def save_authorization_code(
        self, client_id: str, code: dict[str, Any], request: Request, *args: Any, **kwargs: Any
    ) -> None:
        code["code"] = _mark(request, code["code"])
        super().save_authorization_code(client_id, code, request, *args, **kwargs)

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        is_good = super().validate_code(client_id, code, client, request, *args, **kwargs)
        return bool(is_good) and _find(code, request.user.pk) is not None

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        is_good = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return bool(is_good) and _is_used(refresh_token, request.user.pk)

    def validate_silent_login(self, request: Request) -> bool:
        # `prompt=none`. The view says `login_required` to anybody who is not signed in; without this function
        # django-oauth-toolkit 3.4.1 answers 500 to the others.
        return True

    def validate_silent_authorization(self, request: Request) -> bool:
        return bool(request.client.skip_authorization)

    def validate_bearer_token(self, token: str, scopes: Any, request: Request) -> bool:
        if not super().validate_bearer_token(token, scopes, request):
            return False
        user = request.access_token.user_id
        if user is None or _is_used(token, user):
            return True
        request.oauth2_error = {
            "error": "invalid_token",
            "error_description": "The session has ended.",
        }
        return False

    def revoke_token(
        self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        mine = {"token_checksum": _checksum(token), "application": request.client}
        row = (
            get_access_token_model().objects.filter(**mine).first()
            or get_refresh_token_model().objects.filter(**mine, revoked=None).first()
        )
        super().revoke_token(token, token_type_hint, request, *args, **kwargs)
        session = _find(token, row.user_id) if row is not None else None
        if session is not None and session.login_method == METHOD:
            sessions.logout(session)


class SessionIntrospectTokenView(IntrospectTokenView):
    """In the place of django-oauth-toolkit's: a token is not active when its session has ended."""

    @staticmethod
    def get_token_response(token_value: str | None = None) -> HttpResponse:
        given = token_value or ""
        token = get_access_token_model().objects.filter(token_checksum=_checksum(given)).first()
        # The request is that of a service: no use of the session.
        if token is not None and token.user_id is not None and not _find(given, token.user_id):
            return JsonResponse({"active": False})
        answer: HttpResponse = IntrospectTokenView.get_token_response(token_value)
        return answer


class SessionDeviceConfirmView(DeviceConfirmView):
    """In the place of django-oauth-toolkit's: notes in which session somebody approves a device.

    The device's session is started when it asks for its tokens, and only if that session is still active.
    """

    def form_valid(self, form: Form) -> HttpResponse:
        session = current_session(self.request.user)
        if form.cleaned_data["action"] == "accept" and session is not None:
            # Nobody can type it any more. Written before the device is let in.
            grant = self.get_object()
            grant.user_code = self.kwargs["user_code"] = f"{session.pk}_{grant.user_code}"
            grant.save(update_fields=["user_code"])
        answer: HttpResponse = super().form_valid(form)
        return answer


def make_token(request: Request) -> str:
    """Make a token of the session: ACCESS_TOKEN_GENERATOR and REFRESH_TOKEN_GENERATOR."""
    token: str = generate_token()
    if request.grant_type is None:
        # The page where somebody consents.
        return _mark(request, token)
    if request.grant_type == DEVICE_CODE:
        # Among its own attributes, since fields of the form look like others.
        known = vars(request)
        if "device_session" not in known:
            known["device_session"] = _start_on_device(request)
        return f"{known['device_session'].pk}.{token}"
    held = getattr(request, HOLDERS.get(request.grant_type, ""), None)
    return f"{held.partition('.')[0]}.{token}" if held else token


def _start_on_device(request: Request) -> DeviceSession:
    """The session of a device that asks for its tokens, once. Raises OAuth2Error if it may have none."""
    grants = get_device_grant_model().objects
    grant = grants.get(device_code=request.device_code)
    if grant.client_id != request.client.client_id:
        raise AccessDenied("It is the code of another application.")
    if grant.is_expired():
        raise ExpiredTokenError
    # A code gives tokens once, also to two requests at the same time.
    if not grants.filter(pk=grant.pk, status=grant.AUTHORIZED).update(status=grant.EXPIRED):
        raise ExpiredTokenError
    approved_in = _find(grant.user_code.partition("_")[0], grant.user_id)
    if approved_in is None or approved_in.is_impersonated:
        raise AccessDenied("It was not approved in a session that is active.")
    try:
        return start_session(
            None,
            grant.user,
            method=METHOD,
            mfa=approved_in.mfa_at is not None,
            is_device_proved=True,
        ).session
    except DevicesError as error:
        raise AccessDenied(str(error)) from error


def _mark(request: Request, secret: str) -> str:
    session = current_session(request.user)
    return secret if session is None else f"{session.pk}.{secret}"


def _checksum(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_used(secret: str, user_id: Any) -> bool:
    """Whether this was given in an active session of this user. Counts as use of a device's own."""
    session = _find(secret, user_id)
    if session is not None and session.login_method == METHOD:
        try:
            sessions.record_use(session, current_client)
        except SessionError:
            return False
    return session is not None


def _find(secret: str, user_id: Any) -> DeviceSession | None:
    """The active session of this user that a secret begins with.

    The secret is as it was sent: with COMPLIANT_BCP_RFC9700_TOKEN_STORAGE django-oauth-toolkit keeps none.
    """
    try:
        session_id = uuid.UUID(secret.partition(".")[0])
        claims = Claims(str(user_id), session_id, 0)
        return sessions.find_valid_session(claims, current_client)
    except (ValueError, SessionError):
        return None
