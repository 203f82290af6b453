"""The authenticator apps of `dj_rest_auth.mfa` as the second factor that every way to sign in asks for."""

from typing import Any

from dj_rest_auth.mfa.models import Authenticator
from dj_rest_auth.mfa.recovery_codes import RecoveryCodes
from dj_rest_auth.mfa.totp import TOTP
from dj_rest_auth.mfa.utils import verify_ephemeral_token
from django.contrib.auth.models import AbstractBaseUser
from django.core.signing import BadSignature
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import Throttled

from devices.core import database
from devices.exceptions import OtpInvalid, TooManyAttempts
from devices.shortcuts import verify_second_factor


class Authenticators:
    """DEVICES["SECOND_FACTOR"]."""

    def has(self, user: AbstractBaseUser) -> bool:
        """Return whether the user has an active authenticator."""
        return bool(self._of(user).filter(type=Authenticator.Type.TOTP).exists())

    def verify(self, user: AbstractBaseUser, code: str) -> str | None:
        """Consume a code; return the type of its factor, or None if it is wrong."""
        with database.atomic():
            # Of two requests with one code the second waits here, and finds it used up.
            mine = list(self._of(user).select_for_update().order_by("pk"))
            # dj-rest-auth itself may be asking a replica.
            is_used = any(each.data.get("last_code") == code.strip() for each in mine)
            if not is_used and TOTP.validate_code(user, code):
                return "totp"
            return "recovery_codes" if RecoveryCodes.validate_code(user, code) else None

    @staticmethod
    def _of(user: AbstractBaseUser) -> QuerySet[Any]:
        """The user's authenticators, where they are written: a replica may not know one yet."""
        mine: QuerySet[Any] = Authenticator.objects.using(database.alias()).filter(user_id=user.pk)
        return mine


class MFAVerifySerializer(serializers.Serializer):
    """REST_AUTH["MFA_VERIFY_SERIALIZER"]: codes are counted, and the session knows that one was shown."""

    ephemeral_token = serializers.CharField()
    code = serializers.CharField(max_length=9)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        request = self.context["request"]
        try:
            user = verify_ephemeral_token(attrs["ephemeral_token"])
        except (BadSignature, LookupError, ValueError) as error:
            invalid = {"ephemeral_token": "Invalid or expired token."}
            raise serializers.ValidationError(invalid) from error
        try:
            verify_second_factor(request, user, attrs["code"])
        except TooManyAttempts as error:
            raise Throttled(wait=error.retry_after) from error
        except OtpInvalid as error:
            raise serializers.ValidationError({"code": error.message}, code=error.code) from error
        # For SessionTokens, which dj-rest-auth gives the user alone.
        request._request.rest_auth_login = {"mfa": True}
        return attrs | {"user": user}
