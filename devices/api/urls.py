"""The paths of the contract that belong to sessions; include them under `/api/`."""

from rest_framework_simplejwt import views as simplejwt

from .routing import endpoint
from .staff import StaffRevokeView, StaffSessionsView, StaffStatsView
from .views import ActivityViewSet, HistoryViewSet, NotificationsView, SessionViewSet

SESSION = r"sessions/(?P<pk>[^/]+)"

urlpatterns = [
    endpoint("token", simplejwt.TokenObtainPairView.as_view(), "token"),
    endpoint("token/refresh", simplejwt.TokenRefreshView.as_view(), "token-refresh"),
    endpoint("token/verify", simplejwt.TokenVerifyView.as_view(), "token-verify"),
    endpoint("token/blacklist", simplejwt.TokenBlacklistView.as_view(), "token-blacklist"),
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
    endpoint(f"{SESSION}/activity", ActivityViewSet.as_view({"get": "list"}), "session-activity"),
    endpoint("admin/sessions", StaffSessionsView.as_view(), "staff-sessions"),
    endpoint("admin/sessions/revoke", StaffRevokeView.as_view(), "staff-revoke"),
    endpoint("admin/stats", StaffStatsView.as_view(), "staff-stats"),
]
