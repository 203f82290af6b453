"""The OpenAPI description of the views, told apart from them. Only where drf-spectacular is installed."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter, inline_serializer
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
from devices.models import RevokeReason, Status

from .errors import SessionDenied, StepUpRequired
from .openapi import BEARER, CREDENTIALS, DEVICE, Body, describe, operation
from .serializers import (
    ActivitySerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    NotificationsSerializer,
    PastSessionSerializer,
    RevokedSerializer,
    SessionSerializer,
    SessionStartSerializer,
    TokenBlacklistSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
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
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 14_0 like Mac OS X)",
    "login_method": "password",
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


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "devices.api.authentication.DeviceSessionAuthentication"
    match_subclasses = True
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of a living session. It is refused as soon as the session ends.",
        }


class DescribedSession(OpenApiSerializerExtension):
    target_class = "devices.api.serializers.SessionSerializer"
    match_subclasses = True
    described: dict[str, dict[str, Any]] = {
        "name": {"description": "Given by the user; empty until then."},
        "device": {"description": "What people know the device by."},
        "ip_address": {"description": "Where the session began."},
        "last_ip": {"description": "Where it was last active."},
        "country": {"description": "ISO 3166-1 code; empty if not known."},
        "city": {"description": "Empty if not known."},
        "user_agent": {"description": "What the client called itself, its first 512 characters."},
        "login_method": {"description": "How the user proved who they are."},
        "last_active": {"description": "Moves at most once a minute."},
        "expires_at": {"description": "When it ends unless it is refreshed before."},
        "is_current": {"description": "Whether it is the session of this very request."},
        "status": {"enum": Status.values},
        "ended_at": {"description": "When it was revoked or expired; null while it is active."},
        "revoke_reason": {
            "enum": ["", *RevokeReason.values],
            "description": "Empty unless it was revoked.",
        },
    }

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        for key, schema in mapped["properties"].items():
            schema.update(self.described.get(key, {}))
        return mapped


TOKEN_PAIR = inline_serializer(
    "TokenPair",
    {
        "access": serializers.CharField(),
        "refresh": serializers.CharField(),
        "session_id": serializers.UUIDField(),
    },
)
NOTHING = {"type": "object", "maxProperties": 0}

describe(
    "rest_framework_simplejwt.views.TokenObtainPairView",
    "tokens",
    post=operation(
        "obtainTokens",
        "Sign in, in SimpleJWT's shape",
        "Begins a session on the calling device. The same as `/api/login` with other names.",
        takes=Body(SessionStartSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TOKEN_PAIR, {"access": ACCESS, "refresh": REFRESH, "session_id": SESSION_ID}),
        refuses=CREDENTIALS,
        invalid={"password": ["This field is required."]},
        parameters=[DEVICE],
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenRefreshView",
    "tokens",
    post=operation(
        "refreshTokens",
        "Exchange a refresh token for the next pair",
        "Moves the session's idle limit on. Each refresh token is good for one exchange, but asking again "
        "shortly after, or before its successor was ever used, gives the same successor: a lost answer "
        "costs nothing. Any later use of it ends the session, since somebody has a copy.",
        takes=Body(TokenRefreshSerializer, {"refresh": REFRESH}),
        gives=Body(TokenRefreshSerializer, {"access": ACCESS, "refresh": REFRESH}),
        refuses=[
            SessionDenied(error())
            for error in (TokenNotValid, SessionRevoked, SessionExpired, RefreshReused)
        ],
        invalid={"refresh": ["This field is required."]},
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenVerifyView",
    "tokens",
    post=operation(
        "verifyToken",
        "Ask whether a token is good",
        "For an access or a refresh token. Why one is not good is not said.",
        takes=Body(TokenVerifySerializer, {"token": ACCESS}),
        gives=Body(NOTHING, {}),
        refuses=[SessionDenied(TokenNotValid())],
        invalid={"token": ["This field is required."]},
    ),
)

describe(
    "rest_framework_simplejwt.views.TokenBlacklistView",
    "tokens",
    post=operation(
        "blacklistToken",
        "End the session of a refresh token",
        "Its access tokens end with it. The answer is the same for a token that is none (RFC 7009).",
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
        "Where you are signed in",
        "Your active sessions, the most recently active first.",
        gives=Body(SessionSerializer(many=True), SESSION),
        refuses=BEARER,
    ),
    retrieve=operation(
        "getSession",
        "One of your sessions",
        "A session of somebody else, an ended one and one that never was are all the same 404.",
        gives=Body(SessionSerializer, SESSION),
        refuses=UNKNOWN,
        parameters=[WHICH],
    ),
    partial_update=operation(
        "renameSession",
        "Name a session",
        "Nothing but the name can be written; an empty one takes it away.",
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
        "Prove again who you are",
        "Signing out another device, or all of them, asks for a login or a confirmation at most "
        "15 minutes old (RFC 9470). Send your password; or, if you have a second factor, a code of it, since "
        "then a password is not enough. No new tokens: the ones you have are good for it then. If the "
        "sign-in was unusual, your password is not enough either: follow the link in the mail about it. If "
        "you have no password, confirm by a code that is sent to your address, or sign in again.",
        takes=Body(ConfirmSerializer, {"password": "correct horse battery 9"}),
        gives=Body(ConfirmedSerializer, {"confirmed_until": "2026-03-01T12:15:00Z"}),
        refuses=(
            *BEARER,
            SessionDenied(OtpRequired()),
            SessionDenied(OtpInvalid()),
            SessionDenied(PasswordNotSet()),
            SessionDenied(SessionDoubted()),
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
                description="Whether the current session goes on. Nothing but `true` or `false`.",
            )
        ],
    ),
)

WANTED = {"new_device": False, "suspicious_login": True}

describe(
    "devices.api.views.NotificationsView",
    "sessions",
    get=operation(
        "getNotifications",
        "Which mails you get",
        "Of those that can be switched off. What is critical is always told: a very strange sign-in, a "
        "copied session, a changed password.",
        gives=Body(NotificationsSerializer, WANTED),
        refuses=BEARER,
    ),
    patch=operation(
        "setNotifications",
        "Choose which mails you get",
        "What is not named stays as it is. To switch one off takes a recent proof of who you are, and is "
        "told by mail.",
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
        "Where you have been signed in",
        "All your sessions that are still kept, ended ones too, the newest first: in pages, or whole as a "
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
                description="In pages, or a file.",
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
        "What happened in a session",
        "The log of one of your sessions, active or ended, the newest first, in pages. Kinds begin with "
        "`session.`, `refresh.`, `login.` or `device.`, or with what the site itself records.",
        gives=Body(ActivitySerializer(many=True), ACTIVITY),
        refuses=UNKNOWN,
        invalid=PAGE,
        parameters=[WHICH],
    ),
)
