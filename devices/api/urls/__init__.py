"""The paths of the contract for the caller's own sessions; include them under `/api/`.

What else there is comes on request: `.login` signs in with a password, `.tokens` exchanges tokens, `.staff`
is for staff.
"""

from devices.api.routing import endpoint
from devices.api.views import (
    ActivityViewSet,
    HistoryViewSet,
    NotificationsView,
    SessionViewSet,
    TrustedDeviceViewSet,
)

SESSION = r"sessions/(?P<pk>[^/]+)"

app_name = "devices-api"

urlpatterns = [
    endpoint("me/notifications", NotificationsView.as_view(), "notifications"),
    endpoint("sessions", SessionViewSet.as_view({"get": "list"}), "sessions"),
    endpoint("sessions/history", HistoryViewSet.as_view({"get": "list"}), "session-history"),
    endpoint(
        "sessions/revoke-all",
        SessionViewSet.as_view({"post": "revoke_all"}),
        "session-revoke-all",
    ),
    endpoint(
        "sessions/current/confirm",
        SessionViewSet.as_view({"post": "confirm"}),
        "session-confirm",
    ),
    endpoint(
        SESSION,
        SessionViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "session",
    ),
    endpoint("trusted-devices", TrustedDeviceViewSet.as_view({"get": "list"}), "trusted-devices"),
    endpoint(
        r"trusted-devices/(?P<pk>[^/]+)",
        TrustedDeviceViewSet.as_view({"delete": "destroy"}),
        "trusted-device",
    ),
    endpoint(f"{SESSION}/activity", ActivityViewSet.as_view({"get": "list"}), "session-activity"),
]
