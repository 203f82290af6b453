"""What comes in and goes out: SimpleJWT's token exchanges over sessions, and sessions as JSON."""

from typing import Any

from django.contrib.auth.models import update_last_login
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import NotFound, Throttled
from rest_framework_simplejwt import settings as jwt
from rest_framework_simplejwt.serializers import TokenObtainSerializer

from devices.conf import conf
from devices.core import sessions, stepup
from devices.core.caller.client import Client
from devices.core.life import tokens
from devices.core.log import activity
from devices.core.proof import second_factor
from devices.exceptions import SessionError, TokenNotValid, TooManyAttempts
from devices.http import client_at_hand, client_of, newcomer_at_hand, newcomer_of, session_of
from devices.models import Activity, DeviceSession

from .authentication import current_session
from .errors import SessionDenied
from .fields import FlagField, TextField, TimeField, no_controls

TIMES_IN_UTC = {
    **serializers.ModelSerializer.serializer_field_mapping,
    models.DateTimeField: TimeField,
}


class OtpField(TextField):
    """A code of the second factor, as people type it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs = {"write_only": True, "max_length": 64, **kwargs}
        super().__init__(**kwargs)


class SessionStartSerializer(TokenObtainSerializer):
    """Credentials in, a new session out, in `self.session`."""

    session: DeviceSession

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[self.username_field] = TextField(write_only=True)
        # A password is taken as it is; SimpleJWT's field would strip it.
        self.fields["password"] = TextField(write_only=True, trim_whitespace=False)
        self.fields["otp"] = OtpField(required=False, allow_blank=True)
        self.fields["remember"] = FlagField(write_only=True, default=True)

    def admit(self, user: Any) -> None:
        """For subclasses: raise a SessionError to keep out a user whose password was right."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        otp, remember = attrs.pop("otp", ""), attrs.pop("remember")
        request = self.context.get("request")
        client = newcomer_at_hand() if request is None else newcomer_of(request)
        try:
            super().validate(attrs)
            self.admit(self.user)
            mfa = second_factor.demand(self.user, otp, client)
            self.session = sessions.start(self.user, client, mfa=mfa, remember=remember)
        except SessionError as error:
            raise SessionDenied(error) from error
        except TooManyAttempts as error:
            raise Throttled(wait=error.retry_after) from error
        if jwt.api_settings.UPDATE_LAST_LOGIN:
            update_last_login(type(self.user), self.user)
        return {}


def _client(serializer: serializers.Serializer) -> Client:
    """Who calls, also where a view passes no context: SimpleJWT's serializers need none."""
    request = serializer.context.get("request")
    return client_at_hand() if request is None else client_of(request)


class TokenObtainPairSerializer(SessionStartSerializer):
    """SimpleJWT's TOKEN_OBTAIN_SERIALIZER: `{access, refresh, session_id}`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        super().validate(attrs)
        pair = tokens.issue(self.session)
        return {"access": pair.access, "refresh": pair.refresh, "session_id": str(self.session.pk)}


class TokenRefreshSerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_REFRESH_SERIALIZER: moves the session on, or refuses and says why."""

    refresh = TextField()
    access = TextField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            claims = tokens.read_refresh(attrs["refresh"])
            session = sessions.rotate(claims, _client(self))
        except SessionError as error:
            raise SessionDenied(error) from error
        pair = tokens.issue(session)
        answer = {"access": pair.access}
        return answer | {"refresh": pair.refresh} if conf.ROTATES else answer


class TokenVerifySerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_VERIFY_SERIALIZER. Why a token is not valid is not said (RFC 7662 §2.2)."""

    token = TextField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            sessions.living(tokens.read_either(attrs["token"]), _client(self))
        except SessionError as error:
            raise SessionDenied(TokenNotValid()) from error
        return {}


class TokenBlacklistSerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_BLACKLIST_SERIALIZER: ends the session; the same answer for any token (RFC 7009)."""

    refresh = TextField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            claims = tokens.read_refresh(attrs["refresh"])
            sessions.logout_by_refresh_token(claims, _client(self))
        except SessionError:
            pass
        return {}


SESSION_KEYS = (
    "id",
    "name",
    "device",
    "device_type",
    "browser",
    "os",
    "is_mobile",
    "ip_address",
    "last_ip",
    "country",
    "city",
    "user_agent",
    "login_method",
    "created_at",
    "last_active",
    "expires_at",
    "is_current",
)


class SessionSerializer(serializers.ModelSerializer):
    """*session* of the contract: exactly these keys, of which only the name can be written."""

    serializer_field_mapping = TIMES_IN_UTC

    name = TextField(max_length=64, allow_blank=True, validators=[no_controls])
    is_mobile = serializers.BooleanField(read_only=True)
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = DeviceSession
        fields: tuple[str, ...] = SESSION_KEYS
        read_only_fields = tuple(key for key in SESSION_KEYS if key != "name")

    def get_is_current(self, session: DeviceSession) -> bool:
        current = session_of(self.context["request"])
        return current is not None and session.pk == current.pk

    def update(self, session: DeviceSession, validated_data: dict[str, Any]) -> DeviceSession:
        try:
            sessions.rename(session, validated_data["name"])
        except SessionError as error:
            raise NotFound from error
        return session


class PastSessionSerializer(SessionSerializer):
    """A row of the history: *session*, and how it ended."""

    status = serializers.CharField(read_only=True)
    ended_at = TimeField(read_only=True, allow_null=True)

    class Meta(SessionSerializer.Meta):
        fields = (*SESSION_KEYS, "status", "ended_at", "revoke_reason")
        read_only_fields = fields


class ActivitySerializer(serializers.ModelSerializer):
    """A line of the log, as the owner of the session reads it."""

    serializer_field_mapping = TIMES_IN_UTC

    class Meta:
        model = Activity
        fields = ("id", "kind", "at", "ip_address", "data")

    def to_representation(self, line: Activity) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(line)
        return shown | {"data": activity.told_to_owner(line.kind, line.data)}


class ConfirmSerializer(serializers.Serializer):
    """A proof of who the caller is, for the session they are in: a password, or a code if they have to."""

    password = TextField(
        write_only=True,
        required=False,
        trim_whitespace=False,
        max_length=1024,
        style={"input_type": "password"},
    )
    otp = OtpField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        request = self.context["request"]
        client, session = client_of(request), current_session(request)
        try:
            if "otp" in attrs and second_factor.required_of(request.user):
                stepup.confirm_by_code(session, attrs["otp"], client)
            elif "password" not in attrs and request.user.has_usable_password():
                required = self.fields["password"].error_messages["required"]
                raise serializers.ValidationError({"password": [required]}, code="required")
            elif not stepup.confirm_by_password(session, attrs.get("password", ""), client):
                wrong = _("This is not your password.")
                raise serializers.ValidationError({"password": [wrong]}, code="password_wrong")
        except TooManyAttempts as error:
            raise Throttled(wait=error.retry_after) from error
        except SessionError as error:
            raise SessionDenied(error) from error
        return attrs


class ConfirmedSerializer(serializers.Serializer):
    confirmed_until = serializers.DateTimeField()


class RevokedSerializer(serializers.Serializer):
    revoked = serializers.IntegerField(help_text="How many sessions were signed out.")


class NotificationsSerializer(serializers.Serializer):
    """Which mails the caller wants, of those that can be switched off."""

    new_device = FlagField(
        required=False, help_text="Of a sign-in on a device that was not seen before."
    )
    suspicious_login = FlagField(
        required=False,
        help_text="Of a sign-in that is somewhat strange; of a very strange one, always.",
    )


class ErrorSerializer(serializers.Serializer):
    """The shape of every error that is not about fields."""

    detail = serializers.CharField()
    code = serializers.CharField()
