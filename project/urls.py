"""Where everything is."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from devices.api.routing import endpoint

from .views import DocsView, HomeView, healthz

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    path("language/", set_language, name="set_language"),
    path("devices/", include("devices.web.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    endpoint("docs", DocsView.as_view(), "docs"),
    path("api/", include("accounts.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include([endpoint("schema", SpectacularAPIView.as_view(), "schema")])),
]

handler400 = "project.views.bad_request"
handler404 = "project.views.not_found"
handler500 = "project.views.server_error"
