"""The paths for single-page apps; include them under `/api/`.

`.login` signs in with a password, on request.
"""

from django.urls import path

from devices.api.routing import endpoint
from devices.contrib.cookies.views import CookieLogoutView, CookieRefreshView
from devices.web.bound_sessions import BindView, ProveView

app_name = "devices-cookies"

urlpatterns = [
    endpoint("cookie/refresh", CookieRefreshView.as_view(), "refresh"),
    endpoint("cookie/logout", CookieLogoutView.as_view(), "logout"),
    # Asked by browsers themselves (DBSC). Here, too: a site for apps alone has no pages.
    path("cookie/bind", BindView.as_view(), name="bind"),
    path("cookie/<uuid:pk>/prove", ProveView.as_view(), name="prove"),
]
