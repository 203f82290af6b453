"""Registration, login and password change, as JSON comes in; tokens and `me` as they go out."""

from typing import Any

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException

from devices.api import serializers as api
from devices.api.serializers import TextField, no_controls
from devices.shortcuts import Tokens, check_password

from . import addresses
from .models import User

# Whether or not there is an account of this address.
SENT = _("We have sent a mail to this address. Follow the link in it, then sign in.")


class EmailTaken(APIException):
    """409: the address belongs to another account."""

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
    """The address and the password of a new account."""

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
    """The credentials of a login. A site that requires verified addresses refuses others."""

    def admit(self, user: User) -> None:
        if settings.REQUIRE_EMAIL_VERIFICATION:
            addresses.demand_proof(self.context["request"]._request, user)


class TokenObtainPairSerializer(LoginSerializer, api.TokenObtainPairSerializer):
    """SimpleJWT's TOKEN_OBTAIN_SERIALIZER, under the rules of this site."""


class AcceptedSerializer(serializers.Serializer[Any]):
    """What the user has to do next."""

    detail = serializers.CharField()


class PasswordChangeSerializer(serializers.Serializer[User]):
    """The current and the new password."""

    current_password = PasswordField()
    new_password = PasswordField()

    def validate_current_password(self, password: str) -> str:
        """Check the current password. Raises Throttled after too many wrong ones."""
        request = self.context["request"]
        # Somebody at an unlocked device gets no more attempts than at the login.
        with api.answered():
            is_right = check_password(request, request.user, password)
        if not is_right:
            raise serializers.ValidationError(
                _("This is not your current password."), code="password_wrong"
            )
        return password

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _check_strength("new_password", attrs["new_password"], self.context["request"].user)
        return attrs


class TokensSerializer(serializers.Serializer[Any]):
    """*tokens* of the contract, with the names of RFC 6749 §5.1."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["bearer", "DPoP"])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    session_id = serializers.UUIDField()


def body_of(tokens: Tokens) -> dict[str, Any]:
    """Return the response of a login as RFC 6749 §5.1 names its members."""
    answer = {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_type": tokens.token_type,
        "expires_in": tokens.expires_in,
        "session_id": tokens.session.pk,
    }
    return TokensSerializer(answer).data


class CurrentSessionSerializer(serializers.Serializer[Any]):
    """The session that made the request."""

    id = serializers.UUIDField()
    device = serializers.CharField()


class MeSerializer(serializers.Serializer[Any]):
    """The signed-in user."""

    id = serializers.IntegerField()
    email = serializers.EmailField()
    active_sessions = serializers.IntegerField()
    current_session = CurrentSessionSerializer()


def _check_strength(field: str, password: str, user: User) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise serializers.ValidationError({field: error.messages}) from error
