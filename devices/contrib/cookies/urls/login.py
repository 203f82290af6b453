"""A login with a password into the cookies of `devices.contrib.cookies.urls`, for hosts without their own."""

from devices.api.routing import endpoint
from devices.contrib.cookies.views import CookieLoginCodeView, CookieLoginView

app_name = "devices-cookies-login"

urlpatterns = [
    endpoint("cookie/login", CookieLoginView.as_view(), "login"),
    endpoint("cookie/login/code", CookieLoginCodeView.as_view(), "login-code"),
]
