"""Where everything is."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.gzip import gzip_page
from django.views.generic import RedirectView
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from accounts import pages
from devices.api.routing import endpoint

from .views import DocsView, HomeView, IconView, SchemaOnce

# Staff sign in where everybody does, and are asked for their second factor there.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

admin.site.site_header = admin.site.site_title = settings.SITE_NAME

# It is the same for everybody, so its compressed length reveals nothing.
schema_view = gzip_page(SpectacularAPIView.as_view(generator_class=SchemaOnce))

app_password = pages.AppPasswordView.as_api_view(client="app")

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    path("language/", set_language, name="set_language"),
    path("devices/", include("devices.web.urls")),
    path("accounts/sign-in-again/", pages.SignInAgainView.as_view(), name="account_sign_in_again"),
    path("accounts/recover/", pages.RecoverView.as_view(), name="account_recover"),
    path("accounts/password/change/", pages.password_change, name="account_change_password"),
    path("accounts/password/set/", pages.password_set, name="account_set_password"),
    path("accounts/", include("allauth.urls")),
    path("_allauth/app/v1/account/password/change", app_password, name="app_change_password"),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    # Where password managers send people: https://www.w3.org/TR/change-password-url/
    path(
        ".well-known/change-password",
        RedirectView.as_view(pattern_name="account_change_password"),
        name="well_known_change_password",
    ),
    # Where browsers look by themselves, on the pages of the admin, say.
    path("favicon.ico", IconView.as_view(icon="icon.svg"), name="favicon"),
    path("apple-touch-icon.png", IconView.as_view(icon="touch-icon.png"), name="touch_icon"),
    endpoint("docs", DocsView.as_view(), "docs"),
    path(".well-known/", include("devices.api.urls.well_known")),
    path("api/", include("accounts.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.api.urls.login")),
    path("api/", include("devices.api.urls.tokens")),
    path("api/", include("devices.api.urls.staff")),
    path("oauth/", include("devices.api.urls.oauth")),
    path("api/", include([endpoint("schema", schema_view, "schema")])),
]

handler400 = "project.views.bad_request"
# allauth's, not Django's.
handler429 = "project.views.too_many"
handler404 = "project.views.not_found"
handler500 = "project.views.server_error"
