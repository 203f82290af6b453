"""What tokens are exchanged for: SimpleJWT's views at their usual paths."""

from typing import Any, Final

from rest_framework_simplejwt import views as simplejwt

from devices.api import formats
from devices.api.routing import endpoint

app_name = "devices-tokens"

# NamespaceVersioning would take the namespace for a version, and answer 404.
OPEN: Final[dict[str, Any]] = {"versioning_class": None, **formats.instead()}

urlpatterns = [
    endpoint("token/refresh", simplejwt.TokenRefreshView.as_view(**OPEN), "token-refresh"),
    endpoint("token/verify", simplejwt.TokenVerifyView.as_view(**OPEN), "token-verify"),
    endpoint("token/blacklist", simplejwt.TokenBlacklistView.as_view(**OPEN), "token-blacklist"),
]
