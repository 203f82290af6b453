"""The paths of the contract that belong to the account; include them under `/api/`."""

from devices.api.routing import endpoint

from .views import LoginView, LogoutView, MeView, PasswordView, RegisterView

urlpatterns = [
    endpoint("register", RegisterView.as_view(), "register"),
    endpoint("login", LoginView.as_view(), "login"),
    endpoint("logout", LogoutView.as_view(), "logout"),
    endpoint("me", MeView.as_view(), "me"),
    endpoint("me/password", PasswordView.as_view(), "me-password"),
]
