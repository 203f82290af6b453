"""The paths of the contract that belong to the account; include them under `/api/`."""

from devices.api.routing import endpoint

from .views import LoginCodeView, LoginView, LogoutView, MeView, PasswordView, RegisterView

urlpatterns = [
    endpoint("register", RegisterView.as_view(), "api-register"),
    endpoint("login", LoginView.as_view(), "api-login"),
    endpoint("login/code", LoginCodeView.as_view(), "api-login-code"),
    endpoint("logout", LogoutView.as_view(), "api-logout"),
    endpoint("me", MeView.as_view(), "api-me"),
    endpoint("me/password", PasswordView.as_view(), "api-me-password"),
]
