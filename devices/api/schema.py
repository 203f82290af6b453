"""The OpenAPI descriptions of the views. Used only if drf-spectacular is installed."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound, Throttled

from devices.exceptions import (
    OtpInvalid,
    OtpRequired,
    PasswordNotSet,
    RefreshReused,
    SessionDoubted,
    SessionExpired,
    SessionRevoked,
    TokenNotValid,
)
from devices.models import Binding, RevokeReason, Status

from .errors import StepUpRequired
from .openapi import (
    BEARER,
    CODE,
    CREDENTIALS,
    DEVICE,
    PREFIX,
    PROOF,
    TOKEN_REQUEST,
    Body,
    Component,
    describe,
    operation,
)
from .serializers import (
    ActivitySerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    DeviceCodeSerializer,
    NotificationsSerializer,
    PastSessionSerializer,
    RevokedSerializer,
    SessionSerializer,
    SessionStartSerializer,
    TokenBlacklistSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
    TrustedDeviceSerializer,
)

SESSION_ID = "0b8f3c1e-5d0a-4f6e-9c55-2f6f0d3f7a11"
ACCESS = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl"
REFRESH = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
CREDENTIALS_EXAMPLE = {
    get_user_model().USERNAME_FIELD: "alice@example.org",
    "password": "correct horse battery 9",
}
SESSION = {
    "id": SESSION_ID,
    "name": "My phone",
    "device": "Safari on iOS",
    "device_type": "mobile",
    "browser": "Safari",
    "os": "iOS",
    "is_mobile": True,
    "ip_address": "198.51.100.4",
    "last_ip": "203.0.113.7",
    "country": "DE",
    "city": "Berlin",
    "is_place_uncertain": False,
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 14_0 like Mac OS X)",
    "login_method": "password",
    "binding": "none",
    "created_at": "2026-03-01T12:00:00Z",
    "last_active": "2026-03-04T08:30:00Z",
    "expires_at": "2026-04-03T08:30:00Z",
    "is_current": False,
}
ENDED = {
    **SESSION,
    "status": "revoked",
    "ended_at": "2026-03-04T09:00:00Z",
    "revoke_reason": "user",
}
CSV = "\r\n".join(
    ",".join(f'"{"" if cell is None else cell}"' for cell in cells)
    for cells in (ENDED, ENDED.values())
)
ACTIVITY = {
    "id": 42,
    "kind": "session.renamed",
    "at": "2026-03-02T07:15:00Z",
    "ip_address": "203.0.113.7",
    "data": {"from": "", "to": "My phone"},
}


def _token_type() -> serializers.Field:
    return serializers.CharField(
        required=False, help_text="Only if the tokens are bound to a key: `DPoP`."
    )


class BearerScheme(OpenApiAuthenticationExtension):
    """Describes how access tokens are sent, as bearer or DPoP tokens."""

    target_class = "devices.api.authentication.DeviceSessionAuthentication"
    match_subclasses = True
    name = ["bearer", "dpop"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        # The one or the other.
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The access token of an active session. It is refused as soon as the session "
                "ends.",
            },
            {
                "type": "http",
                "scheme": "dpop",
                "description": "The same, bound to a key of the client, which sends a proof in the "
                "header `DPoP` of each request (RFC 9449).",
            },
        ]


class DescribedSession(Component):
    """Describes the fields of a session, also in what a host project derives."""

    target_class = SessionSerializer
    priority = 1
    described = {
        "name": "The name that the user has given; empty without one.",
        "device": "The label of the device.",
        "ip_address": "The IP address at login.",
        "last_ip": "The latest IP address.",
        "country": "ISO 3166-1 code; empty if not known.",
        "city": "Empty if not known.",
        "is_place_uncertain": "Whether the country is only where the network is registered (relay, VPN).",
        "user_agent": "The first 512 characters of the `User-Agent` header.",
        "login_method": "How the user signed in.",
        "binding": {
            "enum": Binding.values,
            "description": "Whether it is bound to a key of its device, and by which protocol.",
        },
        "last_active": "The time of the latest use, updated at most once a minute.",
        "expires_at": "When it expires, unless it is refreshed before.",
        "is_current": "Whether this session made the request.",
        "status": {"enum": Status.values},
        "ended_at": "When it was revoked or expired; null while it is active.",
        "revoke_reason": {
            "enum": ["", *RevokeReason.values],
            "description": "Empty unless it was revoked.",
        },
    }


TOKEN_PAIR = inline_serializer(
    f"{PREFIX}TokenPair",
    {
        "access": serializers.CharField(),
        "refresh": serializers.CharField(),
        "session_id": serializers.UUIDField(),
        "token_type": _token_type(),
    },
)
REFRESHED_PAIR = inline_serializer(
    f"{PREFIX}RefreshedPair",
    {
        "access": serializers.CharField(),
        "refresh": serializers.CharField(),
        "token_type": _token_type(),
    },
)
NOTHING = {"type": "object", "maxProperties": 0}

describe(
    "rest_framework_simplejwt.views.TokenObtainPairView",
    "tokens",
    post=operation(
        "obtainTokens",
        "Sign in, in SimpleJWT's shape",
        "Starts a session on this device. The same as `/api/login`, with other field names.",
        takes=Body(SessionStartSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TOKEN_PAIR, {"access": ACCESS, "refresh": REFRESH, "session_id": SESSION_ID}),
        refuses=CREDENTIALS,
        invalid={"password": ["This field is required."]},
        parameters=[DEVICE, PROOF],
    ),
)

CODE_EXAMPLE = {"challenge": "5f0d6a52-1a0e-4a7e-9d3b-0f6a1c2e4b77", "email_code": "418027"}

describe(
    "devices.api.views.DeviceCodeView",
    "tokens",
    post=operation(
        "obtainTokensByCode",
        "Go on with the code for a new device, in SimpleJWT's shape",
        "After `device_code_required`. The same as `/api/login/code` with other names.",
        takes=Body(DeviceCodeSerializer, CODE_EXAMPLE),
        gives=Body(TOKEN_PAIR, {"access": ACCESS, "refresh": REFRESH, "session_id": SESSION_ID}),
        refuses=CODE,
        invalid={"email_code": ["This field is required."]},
        parameters=[DEVICE, PROOF],
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenRefreshView",
    "tokens",
    post=operation(
        "refreshTokens",
        "Exchange a refresh token for new tokens",
        "Extends the session's idle limit. Each refresh token works once. If you repeat the request "
        "shortly after, or before the new token is used, you get the same new token, so a lost response "
        "does no harm. Any later use ends the session, because somebody has a copy.",
        takes=Body(TokenRefreshSerializer, {"refresh": REFRESH}),
        gives=Body(REFRESHED_PAIR, {"access": ACCESS, "refresh": REFRESH}),
        refuses=[
            *TOKEN_REQUEST,
            TokenNotValid(),
            SessionRevoked(),
            SessionExpired(),
            RefreshReused(),
        ],
        invalid={"refresh": ["This field is required."]},
        parameters=[PROOF],
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenVerifyView",
    "tokens",
    post=operation(
        "verifyToken",
        "Verify a token",
        "Takes an access or a refresh token. The response does not say why a token is not valid.",
        takes=Body(TokenVerifySerializer, {"token": ACCESS}),
        gives=Body(NOTHING, {}),
        refuses=[TokenNotValid()],
        invalid={"token": ["This field is required."]},
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenBlacklistView",
    "tokens",
    post=operation(
        "blacklistToken",
        "End the session of a refresh token",
        "Its access tokens stop working, too. The response is the same for an invalid token (RFC 7009).",
        takes=Body(TokenBlacklistSerializer, {"refresh": REFRESH}),
        gives=Body(NOTHING, {}),
        invalid={"refresh": ["This field is required."]},
    ),
)

WHICH = OpenApiParameter(
    "id",
    str,
    OpenApiParameter.PATH,
    description="The id of one of your sessions, or `current`.",
    examples=[
        OpenApiExample("This session", "current"),
        OpenApiExample("Another one", SESSION_ID),
    ],
)
PAGE = {"page_size": ["Give a number from 1 to 100, once."]}
STEP_UP = timedelta(minutes=15)
# What refuses a step that needs a recent proof.
CONFIRMED = (*BEARER, StepUpRequired(STEP_UP))
UNKNOWN = (*BEARER, NotFound())

describe(
    "devices.api.views.SessionViewSet",
    "sessions",
    list=operation(
        "listSessions",
        "List your active sessions",
        "The most recently used first.",
        gives=Body(SessionSerializer(many=True), SESSION),
        refuses=BEARER,
    ),
    retrieve=operation(
        "getSession",
        "Show a session",
        "Another user's session, an ended one and an unknown ID get the same 404.",
        gives=Body(SessionSerializer, SESSION),
        refuses=UNKNOWN,
        parameters=[WHICH],
    ),
    partial_update=operation(
        "renameSession",
        "Name a session",
        "Only the name can be changed. An empty name removes it.",
        takes=Body(SessionSerializer, {"name": "My phone"}),
        gives=Body(SessionSerializer, SESSION),
        refuses=UNKNOWN,
        invalid={"name": ["Ensure this field has no more than 64 characters."]},
        parameters=[WHICH],
    ),
    destroy=operation(
        "revokeSession",
        "Sign out a device",
        "Its access and refresh tokens are refused from the next request on. Revoking the current session is "
        "a logout.",
        status=204,
        refuses=(*UNKNOWN, StepUpRequired(STEP_UP)),
        parameters=[WHICH],
    ),
    confirm=operation(
        "confirmSession",
        "Confirm who you are",
        "Signing out another device, or all devices, needs a login or a confirmation that is at most "
        "15 minutes old (RFC 9470). Send your password. If you have a second factor, send a code instead. "
        "There are no new tokens: your current ones count as confirmed. If the "
        "sign-in was unusual, your password is not enough: follow the link in the e-mail about it. If "
        "you have no password, confirm with a code that is sent to your address, or sign in again.",
        takes=Body(ConfirmSerializer, {"password": "correct horse battery 9"}),
        gives=Body(ConfirmedSerializer, {"confirmed_until": "2026-03-01T12:15:00Z"}),
        refuses=(
            *BEARER,
            OtpRequired(),
            OtpInvalid(),
            PasswordNotSet(),
            SessionDoubted(),
            Throttled(wait=60),
        ),
        invalid={"password": ["This is not your password."]},
    ),
    revoke_all=operation(
        "revokeAllSessions",
        "Sign out everywhere",
        "Ends all your sessions, or all but the current one.",
        gives=Body(RevokedSerializer, {"revoked": 2}),
        refuses=CONFIRMED,
        invalid={"keep_current": ["Give true or false, once."]},
        parameters=[
            OpenApiParameter(
                "keep_current",
                bool,
                default=True,
                description="Whether to keep the current session: `true` or `false`.",
            )
        ],
    ),
)

WANTED = {"new_device": False, "suspicious_login": True, "time_zone": "Europe/Berlin"}

describe(
    "devices.api.views.TrustedDeviceViewSet",
    "sessions",
    list=operation(
        "listTrustedDevices",
        "Where you sign in without a second factor",
        "Devices on which you signed in with `trust_device: true` and a code, the latest first. A password "
        "is enough there until `trusted_until`, unless the sign-in is unusual. Signing out does not end "
        "that; a new password, a change of your second factors, signing out everywhere, and signing the "
        "device out from another one do. Empty where the site trusts no device.",
        gives=Body(
            TrustedDeviceSerializer(many=True),
            {
                "id": "5f0d6a52-1a0e-4a7e-9d3b-0f6a1c2e4b77",
                "device": "Safari on iOS",
                "device_type": "mobile",
                "trusted_at": "2026-03-01T12:00:00Z",
                "trusted_until": "2026-03-15T12:00:00Z",
                "is_current": True,
            },
        ),
        refuses=BEARER,
    ),
    destroy=operation(
        "forgetTrustedDevice",
        "Ask for the second factor there again",
        "The sessions on that device go on.",
        status=204,
        refuses=UNKNOWN,
        parameters=[
            OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH),
        ],
    ),
)

describe(
    "devices.api.views.NotificationsView",
    "sessions",
    get=operation(
        "getNotifications",
        "Show which e-mails you get",
        "Lists e-mails that can be switched off. You always get e-mails about a very unusual sign-in, a "
        "copied session and a changed password.",
        gives=Body(NotificationsSerializer, WANTED),
        refuses=BEARER,
    ),
    patch=operation(
        "setNotifications",
        "Choose which e-mails you get",
        "Fields that you leave out do not change. Switching one off needs a recent proof of who you are, and "
        "sends an e-mail.",
        takes=Body(NotificationsSerializer, {"new_device": False}),
        gives=Body(NotificationsSerializer, WANTED),
        refuses=(*BEARER, StepUpRequired(STEP_UP)),
        invalid={"new_device": ["Must be a valid boolean."]},
    ),
)

describe(
    "devices.api.views.HistoryViewSet",
    "sessions",
    list=operation(
        "listHistory",
        "List all your sessions",
        "Your active and ended sessions, the newest first: in pages, or complete as a CSV "
        "file, with `format=csv`. A cell of it that a spreadsheet would take for a formula begins with an "
        "apostrophe.",
        gives=Body(PastSessionSerializer(many=True), ENDED),
        file=("text/csv", CSV),
        parameters=[
            OpenApiParameter(
                "format",
                str,
                enum=["json", "csv"],
                default="json",
                description="Pages as JSON, or a CSV file.",
            )
        ],
        refuses=UNKNOWN,
        invalid=PAGE,
    ),
)

describe(
    "devices.api.views.ActivityViewSet",
    "sessions",
    list=operation(
        "listActivity",
        "Show the activity of a session",
        "The log of one of your sessions, active or ended, the newest entry first. Kinds start with "
        "`session.`, `refresh.`, `login.`, `device.` or `binding.`, or with a name of the site's own.",
        gives=Body(ActivitySerializer(many=True), ACTIVITY),
        refuses=UNKNOWN,
        invalid=PAGE,
        parameters=[WHICH],
    ),
)
