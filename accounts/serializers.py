"""Registration, login and password change, as JSON comes in; tokens and `me` as they go out."""

from typing import Any

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, Throttled

from devices.api import serializers as api
from devices.api.fields import TextField, no_controls
from devices.core.life import tokens
from devices.core.proof import attempts
from devices.exceptions import TooManyAttempts
from devices.http import client_of

from . import addresses
from .models import User

# Whether or not there is an account of this address.
SENT = _("We have sent a mail to this address. Follow the link in it, then sign in.")


class EmailTaken(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("There is an account with this email address.")
    default_code = "email_taken"


class EmailField(TextField, serializers.EmailField):
    """An address as the account has it, in lower case."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()


class PasswordField(TextField):
    """A password, taken as it is. Its length is bounded, since hashing is the dearest thing we do."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            write_only=True,
            trim_whitespace=False,
            max_length=1024,
            style={"input_type": "password"},
            **kwargs,
        )


class RegisterSerializer(serializers.Serializer[User]):
    email = EmailField(max_length=254, validators=[no_controls])
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _check_strength("password", attrs["password"], User(email=attrs["email"]))
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        try:
            return addresses.create_account(self.context["request"]._request, **validated_data)
        except IntegrityError as error:
            raise EmailTaken from error


class LoginSerializer(api.SessionStartSerializer):
    def admit(self, user: User) -> None:
        addresses.demand_proof(self.context["request"]._request, user)


class TokenObtainPairSerializer(LoginSerializer, api.TokenObtainPairSerializer):
    """SimpleJWT's TOKEN_OBTAIN_SERIALIZER, under the rules of this site."""


class AcceptedSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()


class PasswordChangeSerializer(serializers.Serializer[User]):
    current_password = PasswordField()
    new_password = PasswordField()

    def validate_current_password(self, password: str) -> str:
        request = self.context["request"]
        # Whoever found a device unlocked may try no more passwords than a stranger at the login.
        try:
            attempt = attempts.begin(request.user.get_username(), client_of(request))
        except TooManyAttempts as error:
            raise Throttled(wait=error.retry_after) from error
        if not request.user.check_password(password):
            attempt.failed()
            raise serializers.ValidationError(
                _("This is not your current password."), code="password_wrong"
            )
        attempt.succeeded()
        return password

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _check_strength("new_password", attrs["new_password"], self.context["request"].user)
        return attrs


class TokensSerializer(serializers.Serializer[Any]):
    """*tokens* of the contract, with the names of RFC 6749 §5.1."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    session_id = serializers.UUIDField()


def tokens_of(session: Any) -> dict[str, Any]:
    pair = tokens.issue(session)
    answer = {
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "session_id": session.pk,
    }
    return TokensSerializer(answer).data


class CurrentSessionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    device = serializers.CharField()


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    email = serializers.EmailField()
    active_sessions = serializers.IntegerField()
    current_session = CurrentSessionSerializer()


def _check_strength(field: str, password: str, user: User) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise serializers.ValidationError({field: error.messages}) from error
