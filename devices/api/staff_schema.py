"""The OpenAPI descriptions of the staff API."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework.exceptions import NotFound, PermissionDenied

from devices.core.staff.filters import LONGEST, UNKNOWN
from devices.models import DeviceType, RiskLevel, Status

from .errors import StepUpRequired
from .openapi import BEARER, Body, Component, describe, operation
from .schema import ENDED, STEP_UP, DescribedSession
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
    "quarters": [{"at": "2026-03-04T08:45:00Z", "failed_logins": 4, "blocked_logins": 0}],
    "failures_by_country": [{"value": "NG", "failed_logins": 4, "blocked_logins": 0}],
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

KNOWN_OR = f"`{UNKNOWN}` for unknown."
TEXT = {"type": "string", "minLength": 1, "maxLength": LONGEST}
# Name, type, what it lets through.
FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "user": (TEXT, "The id of the user."),
    "email": (TEXT, "The user's email; their login, where users have none."),
    "ip": (TEXT, "The IP address or network (CIDR) at login."),
    "last_ip": (TEXT, "The latest IP address, or its network (CIDR)."),
    "asn": (TEXT, "The network operator at login, such as AS64496. Needs `ASN_DATABASE`."),
    "country": (TEXT, f"ISO 3166-1 code; {KNOWN_OR}"),
    "os": (TEXT, f"Operating system, as sessions have it; {KNOWN_OR}"),
    "browser": (TEXT, f"Browser, as sessions have it; {KNOWN_OR}"),
    "device_type": (TEXT, f"One of: {', '.join(DeviceType.values)}."),
    "user_agent": (TEXT, "A part of the `User-Agent` header."),
    "status": ({"type": "string", "enum": Status.values}, "The state of the session."),
    "suspicious": ({"type": "boolean"}, "Whether its login was unusual."),
    "active_before": ({"type": "string", "format": "date-time"}, "Last active before this time."),
    "active_after": (
        {"type": "string", "format": "date-time"},
        "Last active at this time or later.",
    ),
    "issued_before": ({"type": "string", "format": "date-time"}, "Started before this time."),
    "issued_after": ({"type": "string", "format": "date-time"}, "Started at this time or later."),
}
REFUSED = (*BEARER, PermissionDenied(), TooBroad())


class DescribedOrder(Component):
    """Adds the filters to the fields of the request."""

    target_class = StaffRevokeSerializer
    priority = 1
    described = {
        "reason": "Kept in the log of each session. Required unless `dry_run`.",
        "dry_run": "Only count what would be ended.",
        "all": "All sessions of all users. Required if there is no filter.",
        "include_current": "End the current session, too, if the filters match it.",
    }

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped = super().map_serializer(auto_schema, direction)
        fields = mapped["properties"]
        for name, (shape, text) in FILTERS.items():
            fields[name] = {**shape, "description": text}
        by_number = {"oneOf": [TEXT, {"type": "integer"}]}
        fields["user"] = {**by_number, "description": FILTERS["user"][1]}
        fields["status"] = self.with_enum(auto_schema, "status", fields["status"])
        return mapped


class DescribedAnswer(Component):
    """Describes the response of a revocation by staff."""

    target_class = StaffRevokedSerializer
    priority = 1
    described = {
        "matched": "Active sessions that may be ended, counted among the first 100,000.",
        "users": "How many users they belong to.",
        "revoked": "How many were ended by this request.",
        "more": "Whether there are more to end: send the same request again.",
        "protected": "Not ended: sessions of users with permissions that you do not have.",
        "current_kept": "Whether the current session was kept, because `include_current` is not set.",
    }


class DescribedStaffSession(DescribedSession):
    """Describes the fields of a session that only staff see."""

    target_class = StaffSessionSerializer
    priority = 2
    described = DescribedSession.described | {
        "risk_level": {
            "type": "string",
            "enum": RiskLevel.values,
            "description": "How unusual the login was; suspicious from `medium` on.",
        },
    }


describe(
    "devices.api.staff.StaffSessionsView",
    "staff",
    get=operation(
        "listAllSessions",
        "List all sessions of all users",
        "Needs the permission `devices.view_devicesession`. The newest first, ended sessions by their end, in"
        " pages. Lists sessions that match all filters; an invalid filter is refused, "
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
        " is a dry run, which needs `devices.view_devicesession`, too. Ends the active "
        "sessions that match all filters, with you as the actor, except "
        "those of users with permissions that you do not have, and the current session. This "
        "takes a few seconds. While the response has `more`, send the request again.",
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
        "Statistics of all sessions",
        "Needs the permission `devices.view_devicesession`. The distribution of active sessions, and what "
        "happened day by day; counted at most once a minute. A `value` of null means all other values.",
        gives=Body(StatsSerializer, STATS),
        refuses=(*BEARER, PermissionDenied(), NotCounted()),
    ),
)
