"""Signing in, refreshing and signing out by cookies."""

import uuid
from contextlib import suppress
from functools import partial
from typing import Any

from django.middleware.csrf import get_token, rotate_token
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import settings as jwt

from devices import csrf, http
from devices.api.authentication import ForStrangers
from devices.api.serializers import DeviceCodeSerializer, pair_of
from devices.conf import conf
from devices.core import sessions, tokens
from devices.exceptions import SessionError, SessionRequired
from devices.shortcuts import Tokens, issue_tokens
from devices.web import bound_cookie

from . import jar


class CookieView(ForStrangers, APIView):
    """A view that takes a cookie only from pages of this site and of CSRF_TRUSTED_ORIGINS."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        csrf.enforce_origin(request)

    def begin(self, request: Request, issued: Tokens, given: dict[str, Any]) -> Response:
        """Make the response to a login of SimpleJWT's: the refresh token moves into its cookie."""
        # Whose browser it was: there is one cookie, and now it is this session's.
        _leave(request, unless=issued.session.pk)
        rotate_token(request._request)
        own = {key: value for key, value in given.items() if key not in ("access", "refresh")}
        response = self.answer(request, issued, **own)
        jar.write(request, response, jar.REFRESH, issued.refresh, issued.session.expires_at)
        # Beside this view, unless a project serves it by itself.
        namespace: str = getattr(request.resolver_match, "namespace", "")
        around = namespace.removesuffix("-login") or "devices-cookies"
        bound_cookie.invite(request, response, issued.session, f"{around}:bind")
        return response

    def answer(self, request: Request, issued: Tokens, **more: Any) -> Response:
        """The access token in the body, or in a cookie of its own where DEVICES["ACCESS_COOKIE"] is on."""
        body: dict[str, Any] = {
            # All tabs share the cookie: by this one notices that another has signed in as somebody else.
            "session_id": str(issued.session.pk),
            "expires_in": issued.expires_in,
            **more,
        }
        if conf.ACCESS_COOKIE:
            body["csrf_token"] = get_token(request._request)
        else:
            body["access"] = issued.access
        response = Response(body)
        if conf.ACCESS_COOKIE:
            until = timezone.now() + conf.ACCESS_LIFETIME
            jar.write(request, response, jar.ACCESS, issued.access, until)
        return response


class CookieLoginView(CookieView):
    """Sign in with credentials, as TOKEN_OBTAIN_SERIALIZER takes them."""

    def post(self, request: Request) -> Response:
        serializer_class: Any = import_string(jwt.api_settings.TOKEN_OBTAIN_SERIALIZER)
        serializer = serializer_class(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return self.begin(request, serializer.tokens, serializer.validated_data)


class CookieLoginCodeView(CookieView):
    """Go on with the code for a new device."""

    def post(self, request: Request) -> Response:
        serializer = DeviceCodeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return self.begin(request, serializer.tokens, pair_of(serializer.tokens))


class CookieRefreshView(CookieView):
    """A new access token for the refresh token in the cookie, which moves on with it.

    Of a session that is bound to a key of the browser (DBSC) the bound cookie has to come along.
    """

    def post(self, request: Request) -> Response:
        held = jar.read(request, jar.REFRESH)
        if not held:
            raise SessionRequired
        claims, asked = tokens.read_refresh(held), request._request
        try:
            session = sessions.rotate(
                claims,
                http.get_client(request),
                # All windows of a browser share the cookie.
                is_shared=True,
                check_cookie=partial(bound_cookie.check, asked),
            )
        except SessionError:
            bound_cookie.forget(asked, claims.session_id)
            raise
        issued = issue_tokens(session)
        response = self.answer(request, issued)
        if issued.refresh != held:
            # Only then: an answer that is late must not put back what another window got since.
            jar.write(request, response, jar.REFRESH, issued.refresh, session.expires_at)
        return response


class CookieLogoutView(CookieView):
    """The end of the session in the cookie, and of the cookies; the same answer for any (RFC 7009)."""

    def post(self, request: Request) -> Response:
        _leave(request)
        http.clear_site_data(request)
        response = Response(status=204)
        jar.clear(request, response)
        return response


def _leave(request: Request, *, unless: uuid.UUID | None = None) -> None:
    """End the session in the cookie, unless it is this one."""
    with suppress(SessionError):
        claims = tokens.read_refresh(jar.read(request, jar.REFRESH))
        if claims.session_id != unless:
            bound_cookie.forget(request._request, claims.session_id)
            sessions.logout_by_refresh_token(claims, http.get_client(request))
