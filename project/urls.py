"""Where everything is."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from accounts import pages
from devices.api.routing import endpoint

from .views import DocsView, HomeView, SchemaOnce

# Staff sign in where everybody does, and are asked for their second factor there.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

schema_view = SpectacularAPIView.as_view(generator_class=SchemaOnce)

app_password = pages.AppPasswordView.as_api_view(client="app")

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    path("language/", set_language, name="set_language"),
    path("devices/", include("devices.web.urls")),
    path("accounts/sign-in-again/", pages.SignInAgainView.as_view(), name="account_sign_in_again"),
    path("accounts/password/change/", pages.password_change, name="account_change_password"),
    path("accounts/password/set/", pages.password_set, name="account_set_password"),
    path("accounts/", include("allauth.urls")),
    path("_allauth/app/v1/account/password/change", app_password, name="app_change_password"),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    # Where browsers look by themselves, on the pages of the admin, say.
    path("favicon.ico", RedirectView.as_view(url=static("icon.svg")), name="favicon"),
    endpoint("docs", DocsView.as_view(), "docs"),
    path("api/", include("accounts.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.api.urls.login")),
    path("api/", include("devices.api.urls.tokens")),
    path("api/", include("devices.api.urls.staff")),
    path("api/", include([endpoint("schema", schema_view, "schema")])),
]

handler400 = "project.views.bad_request"
handler404 = "project.views.not_found"
handler500 = "project.views.server_error"
