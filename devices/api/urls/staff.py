"""Everybody's sessions, for staff with Django's permissions."""

from devices.api.routing import endpoint
from devices.api.staff import StaffRevokeView, StaffSessionsView, StaffStatsView

app_name = "devices-staff"

urlpatterns = [
    endpoint("admin/sessions", StaffSessionsView.as_view(), "staff-sessions"),
    endpoint("admin/sessions/revoke", StaffRevokeView.as_view(), "staff-revoke"),
    endpoint("admin/stats", StaffStatsView.as_view(), "staff-stats"),
]
