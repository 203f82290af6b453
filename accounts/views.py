"""Who you are, over REST: register, login, me, logout, password."""

from django.conf import settings
from django.db import transaction
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.api.authentication import ForStrangers, SignedInRequest
from devices.api.serializers import DeviceCodeSerializer
from devices.permissions import RecentlyConfirmed
from devices.shortcuts import (
    change_password,
    check_login_request,
    end_session,
    list_sessions,
    start_session,
)

from . import addresses
from .serializers import (
    SENT,
    AcceptedSerializer,
    LoginSerializer,
    MeSerializer,
    PasswordChangeSerializer,
    RegisterSerializer,
    body_of,
)


class RegisterView(ForStrangers, APIView):
    """Create an account, and sign in unless the address has to be verified first."""

    def post(self, request: Request) -> Response:
        check_login_request(request)
        serializer = RegisterSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        addresses.limit_registration(request._request, serializer.validated_data["email"])
        if settings.REQUIRE_EMAIL_VERIFICATION:
            addresses.invite(request._request, **serializer.validated_data)
            accepted = AcceptedSerializer({"detail": SENT}).data
            return Response(accepted, status=status.HTTP_202_ACCEPTED)
        with transaction.atomic():
            tokens = start_session(request, serializer.save(), is_device_proved=True)
        return Response(body_of(tokens), status=status.HTTP_201_CREATED)


class LoginView(ForStrangers, APIView):
    """Sign in with e-mail address and password."""

    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(body_of(serializer.tokens))


class LoginCodeView(ForStrangers, APIView):
    """Finish a login that waits for a code by e-mail."""

    def post(self, request: Request) -> Response:
        serializer = DeviceCodeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(body_of(serializer.tokens))


class MeView(APIView):
    """Show who is signed in."""

    def get(self, request: SignedInRequest) -> Response:
        me = {
            "id": request.user.pk,
            "email": request.user.get_username(),
            "active_sessions": list_sessions(request.user).count(),
            "current_session": request.auth,
        }
        return Response(MeSerializer(me).data)


class LogoutView(APIView):
    """End the session of the request."""

    def post(self, request: SignedInRequest) -> Response:
        end_session(request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    """Change the password, and end all other sessions."""

    # All other sessions end, so it asks for the proof that ending them asks for (ASVS 7.5.1, 7.5.3).
    permission_classes = (IsAuthenticated, RecentlyConfirmed)

    def post(self, request: SignedInRequest) -> Response:
        serializer = PasswordChangeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        change_password(request, serializer.validated_data["new_password"])
        return Response(status=status.HTTP_204_NO_CONTENT)
