"""Who is asking: the living session behind a bearer token. Loaded early by DRF, so it imports no view."""

from functools import partial

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from devices.core import sessions
from devices.exceptions import SessionError
from devices.http import client_of
from devices.models import DeviceSession

from .errors import SessionDenied


class SignedInRequest(Request):
    """A request as the views behind DeviceSessionAuthentication see it. For annotations."""

    user: AbstractBaseUser  # type: ignore[assignment]
    auth: DeviceSession


class DeviceSessionAuthentication(JWTAuthentication):
    """`request.user` is the session's user, `request.auth` the DeviceSession itself."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, DeviceSession] | None:
        header = self.get_header(request)
        raw_token = None if header is None else self.get_raw_token(header)
        if raw_token is None:
            return None
        try:
            session = sessions.authenticate(raw_token, partial(client_of, request))
        except SessionError as error:
            raise SessionDenied(error) from error
        return session.user, session
