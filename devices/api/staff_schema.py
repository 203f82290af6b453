"""The OpenAPI description of what staff are served."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework.exceptions import NotFound, PermissionDenied

from devices.core.oversight.selection import LONGEST, UNKNOWN
from devices.models import DeviceType, RiskLevel, Status

from .errors import StepUpRequired
from .openapi import BEARER, Body, describe, operation
from .schema import ENDED, STEP_UP
from .staff import (
    NotCounted,
    StaffRevokedSerializer,
    StaffRevokeSerializer,
    StaffSessionSerializer,
    StatsSerializer,
    TooBroad,
)

PERSON = {"id": "7", "name": "alice@example.org"}
STAFF_SESSION = {
    **ENDED,
    "user": PERSON,
    "revoke_reason": "admin",
    "revoked_by": "1",
    "authenticated_at": "2026-03-01T12:00:00Z",
    "mfa_at": None,
    "risk_level": "none",
    "risk_score": 0,
    "reviewed_at": None,
    "impersonator": None,
}
STATS = {
    "counted_at": "2026-03-04T09:00:00Z",
    "live": {"sessions": 3, "people": 2},
    "waiting": 1,
    "past_day": {"logins": 2, "revocations": 1, "failed_logins": 4, "blocked_logins": 0},
    "days": [
        {
            "day": "2026-03-04",
            "logins": 2,
            "revocations": 1,
            "failed_logins": 4,
            "blocked_logins": 0,
        }
    ],
    "by": {
        "device_type": [
            {"value": "mobile", "sessions": 2},
            {"value": "desktop", "sessions": 1},
        ],
        "os": [{"value": "iOS", "sessions": 2}, {"value": "Windows", "sessions": 1}],
        "browser": [{"value": "Safari", "sessions": 2}, {"value": "Edge", "sessions": 1}],
        "country": [{"value": "DE", "sessions": 2}, {"value": "", "sessions": 1}],
        "login_method": [{"value": "password", "sessions": 3}],
    },
    "revocations_by_reason": [{"value": "logout", "sessions": 1}],
    "top": {
        "addresses": [{"value": "198.51.100.4", "sessions": 2}],
        "users": [{"user": PERSON, "sessions": 2}],
    },
}

KNOWN_OR = f"`{UNKNOWN}` for those of which it is not known."
TEXT = {"type": "string", "minLength": 1, "maxLength": LONGEST}
# Name, type, what it lets through.
FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "user": (TEXT, "The id of the user."),
    "email": (TEXT, "The user's email; their login, where users have none."),
    "ip": (TEXT, "The address or network (CIDR) that it began from."),
    "last_ip": (TEXT, "The address or network it was last active from."),
    "country": (TEXT, f"ISO 3166-1 code; {KNOWN_OR}"),
    "os": (TEXT, f"Operating system, as sessions have it; {KNOWN_OR}"),
    "browser": (TEXT, f"Browser, as sessions have it; {KNOWN_OR}"),
    "device_type": (TEXT, f"One of: {', '.join(DeviceType.values)}."),
    "user_agent": (TEXT, "A part of what the client called itself."),
    "status": ({"type": "string", "enum": Status.values}, "How it stands."),
    "suspicious": ({"type": "boolean"}, "Whether its login was strange."),
    "active_before": ({"type": "string", "format": "date-time"}, "Last active before this time."),
    "active_after": ({"type": "string", "format": "date-time"}, "Last active then or later."),
    "issued_before": ({"type": "string", "format": "date-time"}, "Began before this time."),
    "issued_after": ({"type": "string", "format": "date-time"}, "Began then or later."),
}
REFUSED = (*BEARER, PermissionDenied(), TooBroad())


class DescribedOrder(OpenApiSerializerExtension):
    """The filters stand beside the fields that are none."""

    target_class = StaffRevokeSerializer

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        told = {
            "reason": "Kept in the log of each session. Required unless `dry_run`.",
            "dry_run": "Only count what would be ended.",
            "all": "Everybody's sessions: has to be said where there is no filter.",
            "include_current": "End the session of this request, too, if the filters let it through.",
        }
        for name, text in told.items():
            mapped["properties"][name]["description"] = text
        for name, (shape, text) in FILTERS.items():
            mapped["properties"][name] = {**shape, "description": text}
        by_number = {"oneOf": [TEXT, {"type": "integer"}]}
        mapped["properties"]["user"] = {**by_number, "description": FILTERS["user"][1]}
        return mapped


class DescribedAnswer(OpenApiSerializerExtension):
    target_class = StaffRevokedSerializer

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        told = {
            "matched": "Living sessions that may be ended, counted among the first 100,000.",
            "users": "The people they are of.",
            "revoked": "How many were ended by this request.",
            "more": "Whether there are more to end: send the same request again.",
            "protected": "Left alone: of people with rights that you have not.",
            "current_kept": "Left alone: the session of this request, since `include_current` is not set.",
        }
        for name, text in told.items():
            mapped["properties"][name]["description"] = text
        return mapped


class DescribedStaffSession(OpenApiSerializerExtension):
    target_class = StaffSessionSerializer
    priority = 1

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        mapped["properties"]["risk_level"] = {
            "type": "string",
            "enum": RiskLevel.values,
            "description": "How strange the login was; suspicious from `medium` on.",
        }
        mapped["properties"]["revoke_reason"] = {"type": "string"}
        mapped["properties"]["status"] = {"type": "string", "enum": Status.values}
        return mapped


describe(
    "devices.api.staff.StaffSessionsView",
    "staff",
    get=operation(
        "listAllSessions",
        "Sessions of everybody",
        "Needs the permission `devices.view_devicesession`. The newest first, ended ones by their end, in"
        " pages. A session is listed if it meets every filter; one that cannot be understood is refused, "
        "never ignored.",
        gives=Body(StaffSessionSerializer(many=True), STAFF_SESSION),
        refuses=(*REFUSED, NotFound()),
        invalid={"ip": ["Give an address or a network, such as 203.0.113.7 or 203.0.113.0/24."]},
        parameters=[
            OpenApiParameter(name, shape, OpenApiParameter.QUERY, description=text)
            for name, (shape, text) in FILTERS.items()
        ],
    ),
)

describe(
    "devices.api.staff.StaffRevokeView",
    "staff",
    post=operation(
        "revokeSessions",
        "End a set of sessions",
        "Needs the permission `devices.revoke_devicesession`, and a recent proof of who you are unless it"
        " is a dry run, which needs `devices.view_devicesession`, too. Ends the living "
        "sessions that meet every filter, with you as the actor, but for "
        "those of people with rights that you have not and for the session of this very request. It goes "
        "on for a few seconds; while the answer says that there are `more`, send it again.",
        takes=Body(
            StaffRevokeSerializer,
            {"ip": "203.0.113.0/24", "reason": "Reported stolen, ticket 4711.", "dry_run": False},
        ),
        gives=Body(
            StaffRevokedSerializer,
            {
                "matched": 212,
                "users": 87,
                "revoked": 212,
                "more": False,
                "protected": 1,
                "current_kept": False,
            },
        ),
        refuses=(*REFUSED, StepUpRequired(STEP_UP)),
        invalid={"reason": ["This field is required."]},
    ),
)

describe(
    "devices.api.staff.StaffStatsView",
    "staff",
    get=operation(
        "getStats",
        "Figures of all sessions",
        "Needs the permission `devices.view_devicesession`. Living sessions by their traits, and what "
        "happened day by day; counted at most once a minute. A `value` of null is all others together.",
        gives=Body(StatsSerializer, STATS),
        refuses=(*BEARER, PermissionDenied(), NotCounted()),
    ),
)
