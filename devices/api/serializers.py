"""What comes in and goes out: SimpleJWT's token exchanges over sessions, and sessions as JSON.

Text is what was sent as text, and times are in UTC whatever the host's time zone.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import ISO_8601, serializers
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.fields import empty
from rest_framework.utils import html
from rest_framework_simplejwt.serializers import TokenObtainSerializer
from rest_framework_simplejwt.tokens import RefreshToken

from devices import shortcuts
from devices.conf import conf
from devices.core import hashing, second_factor, sessions, step_up, tokens, trusted_devices
from devices.core.binding import dpop
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.core.log.export import HISTORY_FIELDS, SESSION_FIELDS, iso
from devices.core.log.sanitize import has_controls
from devices.core.notifications import outbox
from devices.exceptions import SessionError, TokenNotValid, TooManyAttempts
from devices.http import current_client, get_client, get_session
from devices.models import Activity, DeviceSession, Status, TrustedDevice

from .authentication import current_session
from .errors import SessionDenied


def no_controls(text: str) -> None:
    """Validates what is shown to people, in lists, mails and logs."""
    if has_controls(text):
        raise serializers.ValidationError(
            _("Control characters are not allowed."), code="control_characters"
        )


class TextField(serializers.CharField):
    """DRF's own takes numbers for text, so that 1 and "1" would be one password."""

    def run_validation(self, data: Any = empty) -> Any:
        if not (data is empty or data is None or isinstance(data, str)):
            self.fail("invalid")
        return super().run_validation(data)


class FlagField(serializers.BooleanField):
    """DRF's own takes 1, "yes" and "on" for true, so that one wish has many spellings.

    A form has only text: there, "true" and "false" are the flags. One that is left out of it has its
    default, as in JSON; DRF's own takes it for an unchecked box.
    """

    default_empty_html = empty

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if html.is_html_input(dictionary):
            return {"true": True, "false": False}.get(value, value)
        return value

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class TimeField(serializers.DateTimeField):
    """A time in UTC, as ISO 8601."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format=ISO_8601, default_timezone=UTC, **kwargs)


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
    """Credentials in, a new session out, in `self.session`, and its tokens in `self.tokens`."""

    session: DeviceSession
    tokens: shortcuts.Tokens
    # Known once `validate` has returned. Before, SimpleJWT may have None.
    user: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[self.username_field] = TextField(write_only=True)
        # A password is taken as it is; SimpleJWT's field would strip it.
        self.fields["password"] = TextField(write_only=True, trim_whitespace=False)
        self.fields["otp"] = OtpField(required=False, allow_blank=True)
        # Without a `default` in the description: generators take a field that has one for required.
        self.fields["remember"] = FlagField(
            write_only=True, required=False, help_text="True, unless it is said."
        )
        self.fields["trust_device"] = FlagField(
            write_only=True, required=False, help_text="False, unless it is said."
        )

    @classmethod
    def get_token(cls, user: Any) -> Any:
        """Raise an error: SimpleJWT's makes a token of no session, which no view accepts."""
        raise ImproperlyConfigured(
            f"{cls.__qualname__}.get_token makes no session. In validate() call super().validate(attrs), and "
            "take self.tokens; elsewhere call devices.shortcuts.start_session(request, user)."
        )

    def admit(self, user: Any) -> None:
        """For subclasses: raise a SessionError to keep out a user whose password was right."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        otp, remember = attrs.pop("otp", ""), attrs.pop("remember", True)
        trust_device = attrs.pop("trust_device", False)
        with answered():
            # Before a password is counted, or a code used up.
            dpop.check_login(_client(self).presentation)
            super().validate(attrs)
            self.admit(self.user)
            self.tokens = shortcuts.start_session(
                self.context.get("request"),
                self.user,
                otp=otp,
                remember=remember,
                trust_device=trust_device,
            )
        self.session = self.tokens.session
        return {}


@contextmanager
def answered() -> Iterator[None]:
    """What a verb refuses, as an error of DRF, which any exception handler knows."""
    try:
        yield
    except SessionError as error:
        raise SessionDenied(error) from error
    except TooManyAttempts as error:
        raise Throttled(wait=error.retry_after) from error


class DeviceCodeSerializer(serializers.Serializer):
    """Takes the code of an e-mail, and continues the login: `self.tokens`."""

    tokens: shortcuts.Tokens

    challenge = TextField(
        write_only=True, max_length=64, help_text="What the refusal `device_code_required` said."
    )
    # Not `code`, which names the error in a refusal.
    email_code = TextField(write_only=True, max_length=64, help_text="The code from the e-mail.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        with answered():
            self.tokens = shortcuts.start_session_by_code(
                self.context.get("request"), attrs["challenge"], attrs["email_code"]
            )
        return {}


def pair_of(issued: shortcuts.Tokens) -> dict[str, str]:
    """The answer to a login in SimpleJWT's shape."""
    answer = {"access": issued.access, "refresh": issued.refresh}
    return answer | {"session_id": str(issued.session.pk)} | _type_of(issued)


def _client(serializer: serializers.Serializer) -> Client:
    """Who calls, also where a view passes no context: SimpleJWT's serializers need none."""
    request = serializer.context.get("request")
    return current_client() if request is None else get_client(request)


def _type_of(issued: shortcuts.Tokens) -> dict[str, str]:
    """The `token_type`, which these answers have only where it is not what it always was."""
    return {} if issued.token_type == "bearer" else {"token_type": issued.token_type}


class TokenObtainPairSerializer(SessionStartSerializer):
    """SimpleJWT's TOKEN_OBTAIN_SERIALIZER: `{access, refresh, session_id}`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        super().validate(attrs)
        return pair_of(self.tokens)


class TokenRefreshSerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_REFRESH_SERIALIZER: moves the session on, or refuses and says why."""

    # For subclasses, which read the token by it.
    token_class = RefreshToken

    refresh = TextField()
    access = TextField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        with answered():
            issued = shortcuts.refresh_session(self.context.get("request"), attrs["refresh"])
        answer = {"access": issued.access} | _type_of(issued)
        return answer | {"refresh": issued.refresh} if conf.ROTATES else answer


class TokenVerifySerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_VERIFY_SERIALIZER. Why a token is not valid is not said (RFC 7662 §2.2)."""

    token = TextField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            token = attrs["token"]
            sessions.get_valid_session(tokens.read_either(token), partial(_client, self), token)
        except SessionError as error:
            raise SessionDenied(TokenNotValid()) from error
        return {}


class TokenBlacklistSerializer(serializers.Serializer):
    """SimpleJWT's TOKEN_BLACKLIST_SERIALIZER: ends the session; the same answer for any token (RFC 7009)."""

    token_class = RefreshToken

    refresh = TextField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            claims = tokens.read_refresh(attrs["refresh"])
            sessions.logout_by_refresh_token(claims, _client(self))
        except SessionError:
            pass
        return {}


class SessionSerializer(serializers.ModelSerializer):
    """*session* of the contract: exactly these keys, of which only the name can be written."""

    serializer_field_mapping = TIMES_IN_UTC

    name = TextField(max_length=64, allow_blank=True, validators=[no_controls])
    is_mobile = serializers.BooleanField(read_only=True)
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = DeviceSession
        fields: tuple[str, ...] = SESSION_FIELDS
        read_only_fields = tuple(key for key in SESSION_FIELDS if key != "name")

    def get_is_current(self, session: DeviceSession) -> bool:
        """Whether this session made the request."""
        current = get_session(self.context["request"])
        return current is not None and session.pk == current.pk

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """What the fields say, which Django REST framework would build anew for each answer."""
        current = get_session(self.context["request"])
        shown: dict[str, Any] = {}
        for name in self.Meta.fields:
            if name == "is_current":
                shown[name] = current is not None and instance.pk == current.pk
                continue
            value = getattr(instance, name)
            if isinstance(value, datetime):
                value = iso(value)
            elif isinstance(value, uuid.UUID | Status):
                # The plain text of a choice, which not every renderer makes of it.
                value = str(value)
            shown[name] = value
        return shown

    def update(self, session: DeviceSession, validated_data: dict[str, Any]) -> DeviceSession:
        try:
            sessions.rename(session, validated_data["name"])
        except SessionError as error:
            raise NotFound from error
        return session


class TrustedDeviceSerializer(serializers.ModelSerializer):
    """A device that signs in without a second factor, and until when."""

    serializer_field_mapping = TIMES_IN_UTC

    trusted_until = serializers.SerializerMethodField()
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = TrustedDevice
        fields = ("id", "device", "device_type", "trusted_at", "trusted_until", "is_current")
        read_only_fields = fields

    def get_trusted_until(self, trusted: TrustedDevice) -> datetime:
        """Return when it needs a second factor again."""
        return trusted_devices.until(trusted)

    def get_is_current(self, trusted: TrustedDevice) -> bool:
        """Return whether the request comes from it."""
        current = get_session(self.context["request"])
        return current is not None and trusted.device_key == current.device_key


class PastSessionSerializer(SessionSerializer):
    """A row of the history: *session*, and how it ended."""

    status = serializers.CharField(read_only=True)
    ended_at = TimeField(read_only=True, allow_null=True)

    class Meta(SessionSerializer.Meta):
        fields = HISTORY_FIELDS
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
        client, session = get_client(request), current_session(request)
        with answered():
            if "otp" in attrs and second_factor.required_of(request.user):
                step_up.confirm_by_code(session, attrs["otp"], client)
            elif "password" not in attrs and hashing.has_password(request.user):
                required = self.fields["password"].error_messages["required"]
                raise serializers.ValidationError({"password": [required]}, code="required")
            elif not step_up.confirm_by_password(session, attrs.get("password", ""), client):
                wrong = _("This is not your password.")
                raise serializers.ValidationError({"password": [wrong]}, code="password_wrong")
        return attrs


class ConfirmedSerializer(serializers.Serializer):
    """Until when the confirmation counts."""

    confirmed_until = TimeField()


class RevokedSerializer(serializers.Serializer):
    """How many sessions ended."""

    revoked = serializers.IntegerField(help_text="How many sessions were signed out.")


class NotificationsSerializer(serializers.Serializer):
    """What the caller prefers of mails: which of those that can be switched off, and times in which zone."""

    new_device = FlagField(
        required=False, help_text="Of a sign-in on a device that was not seen before."
    )
    suspicious_login = FlagField(
        required=False,
        help_text="Of a sign-in that is somewhat unusual; of a very unusual one, always.",
    )
    time_zone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=64,
        help_text="By which mails tell times, such as `Europe/Berlin`. Empty: the site's.",
    )

    def validate_time_zone(self, name: str) -> str:
        """Raises ValidationError for a zone that is not known here."""
        if name and name not in outbox.time_zones():
            raise serializers.ValidationError(_("There is no such time zone."))
        return name


class ErrorSerializer(serializers.Serializer):
    """The shape of every error that is not about fields."""

    detail = serializers.CharField()
    code = serializers.CharField()
    challenge = serializers.CharField(
        required=False, help_text="With `device_code_required`: send it along with the code."
    )
