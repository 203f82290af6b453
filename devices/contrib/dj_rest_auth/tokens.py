"""Makes the tokens of every login view of dj-rest-auth."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.permissions import IsAuthenticated

from devices import http
from devices.contrib.providers.people import authenticated_at
from devices.shortcuts import Tokens, issue_tokens, start_session


class RefreshToken(str):
    """A refresh token as dj-rest-auth takes it: with its access token."""

    access_token: str


class SessionTokens:
    """REST_AUTH["JWT_TOKEN_CLAIMS_SERIALIZER"]. Add claims of your own with DEVICES["CLAIMS"]."""

    @classmethod
    def get_token(cls, user: AbstractBaseUser) -> RefreshToken:
        """Start a session for a user who has just proved who they are, and return its tokens.

        Raises the errors of `devices.shortcuts.start_session`.
        """
        issued = _issue(user)
        token = RefreshToken(issued.refresh)
        token.access_token = issued.access
        return token


def _issue(user: AbstractBaseUser) -> Tokens:
    request: Any = http.current_request()
    view = getattr(getattr(request, "resolver_match", None), "func", None)
    cls = getattr(view, "cls", None)
    if IsAuthenticated in getattr(cls, "permission_classes", ()):
        # A user who connects an account of a provider is signed in already.
        session = http.current_session(user)
        if session is not None:
            return issue_tokens(session)
    provider = getattr(getattr(cls, "adapter_class", None), "provider_id", None)
    told = getattr(request, "rest_auth_login", {})
    if not provider:
        return start_session(None, user, **told)
    at = authenticated_at(user.pk, provider)
    return start_session(None, user, method=provider, authenticated_at=at, **told)
