"""Who you are, over REST: register, login, me, logout, password."""

from django.conf import settings
from django.db import transaction
from rest_framework import status
from rest_framework.exceptions import Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.api.authentication import SignedInRequest
from devices.api.errors import SessionDenied
from devices.api.permissions import RecentlyConfirmed
from devices.core import sessions
from devices.exceptions import SessionError, TooManyAttempts
from devices.http import newcomer_of

from . import addresses
from .serializers import (
    SENT,
    AcceptedSerializer,
    LoginSerializer,
    MeSerializer,
    PasswordChangeSerializer,
    RegisterSerializer,
    tokens_of,
)


class Entrance(APIView):
    """A view for people who have no session yet; a stale token sent along does not stop them."""

    authentication_classes = ()
    permission_classes = ()

    def get_authenticate_header(self, request: Request) -> str:
        # DRF asks the authentication classes, and without any it answers 403 instead of 401.
        return 'Bearer realm="api"'


class RegisterView(Entrance):
    def post(self, request: Request) -> Response:
        serializer = RegisterSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        try:
            addresses.limit_registration(request._request, serializer.validated_data["email"])
        except TooManyAttempts as error:
            raise Throttled(wait=error.retry_after) from error
        if settings.REQUIRE_EMAIL_VERIFICATION:
            addresses.invite(request._request, **serializer.validated_data)
            accepted = AcceptedSerializer({"detail": SENT}).data
            return Response(accepted, status=status.HTTP_202_ACCEPTED)
        with transaction.atomic():
            session = sessions.start(serializer.save(), newcomer_of(request))
        return Response(tokens_of(session), status=status.HTTP_201_CREATED)


class LoginView(Entrance):
    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(tokens_of(serializer.session))


class MeView(APIView):
    def get(self, request: SignedInRequest) -> Response:
        me = {
            "id": request.user.pk,
            "email": request.user.get_username(),
            "active_sessions": sessions.count_active(request.user),
            "current_session": request.auth,
        }
        return Response(MeSerializer(me).data)


class LogoutView(APIView):
    def post(self, request: SignedInRequest) -> Response:
        sessions.logout(request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    # All other sessions end, so it asks for the proof that ending them asks for (ASVS 7.5.1, 7.5.3).
    permission_classes = (IsAuthenticated, RecentlyConfirmed)

    def post(self, request: SignedInRequest) -> Response:
        serializer = PasswordChangeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        try:
            sessions.change_password(
                request.user, serializer.validated_data["new_password"], keep=request.auth
            )
        except SessionError as error:
            raise SessionDenied(error) from error
        return Response(status=status.HTTP_204_NO_CONTENT)
