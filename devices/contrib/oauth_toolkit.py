"""django-oauth-toolkit: what an application gets in a browser ends with the session of that browser.

A code, an access token or a refresh token begins with the session's ID, as the app's own tokens name it. So
there is no table, and nothing to delete when a session ends. See docs/integrations/oauth-toolkit.md.
"""

import hashlib
import uuid
from typing import Any

from django.http import HttpResponse, JsonResponse
from oauth2_provider.models import get_access_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import IntrospectTokenView
from oauthlib.common import Request, generate_token

from devices.core import sessions
from devices.core.tokens import Claims
from devices.exceptions import SessionError
from devices.http import current_client, current_session

__all__ = ["SessionIntrospectTokenView", "SessionValidator", "make_token"]

# What holds the session at the token endpoint. No other grant is given by somebody who is signed in.
HOLDERS = {"authorization_code": "code", "refresh_token": "refresh_token"}


class SessionValidator(OAuth2Validator):
    """OAUTH2_PROVIDER["OAUTH2_VALIDATOR_CLASS"]: refuses what was given in a session that has ended.

    A token of a user without a session is refused, too: that of a password grant, say. Tokens of applications
    for themselves (client credentials) have no user, and are left alone. May be subclassed.
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
        return bool(is_good) and _is_active(code, request.user.pk)

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        is_good = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return bool(is_good) and _is_active(refresh_token, request.user.pk)

    def validate_silent_login(self, request: Request) -> bool:
        # `prompt=none`. The view says `login_required` to anybody who is not signed in; without this function
        # django-oauth-toolkit 3.4.1 answers 500 to the others.
        return True

    def validate_silent_authorization(self, request: Request) -> bool:
        return bool(request.client.skip_authorization)

    def validate_bearer_token(self, token: str, scopes: Any, request: Request) -> bool:
        if not super().validate_bearer_token(token, scopes, request):
            return False
        if _is_admitted(request.access_token):
            return True
        request.oauth2_error = {
            "error": "invalid_token",
            "error_description": "The session has ended.",
        }
        return False


class SessionIntrospectTokenView(IntrospectTokenView):
    """In the place of django-oauth-toolkit's: a token is not active when its session has ended."""

    @staticmethod
    def get_token_response(token_value: str | None = None) -> HttpResponse:
        checksum = hashlib.sha256((token_value or "").encode()).hexdigest()
        token = get_access_token_model().objects.filter(token_checksum=checksum).first()
        if token is not None and not _is_admitted(token):
            return JsonResponse({"active": False})
        answer: HttpResponse = IntrospectTokenView.get_token_response(token_value)
        return answer


def make_token(request: Request) -> str:
    """Make a token of the session: ACCESS_TOKEN_GENERATOR and REFRESH_TOKEN_GENERATOR."""
    token: str = generate_token()
    if request.grant_type is None:
        # The page where somebody consents.
        return _mark(request, token)
    held = getattr(request, HOLDERS.get(request.grant_type, ""), None)
    return f"{held.partition('.')[0]}.{token}" if held else token


def _mark(request: Request, secret: str) -> str:
    session = current_session(request.user)
    return secret if session is None else f"{session.pk}.{secret}"


def _is_admitted(token: Any) -> bool:
    return token.user_id is None or _is_active(token.token, token.user_id)


def _is_active(secret: str, user_id: Any) -> bool:
    """Whether this was given in a session of this user that is active. Does not count as use of it."""
    try:
        session_id = uuid.UUID(secret.partition(".")[0])
        sessions.find_valid_session(Claims(str(user_id), session_id, 0), current_client)
    except (ValueError, SessionError):
        return False
    return True
