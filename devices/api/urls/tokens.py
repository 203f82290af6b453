"""What tokens are exchanged for: SimpleJWT's views at their usual paths."""

from typing import Any, Final

from rest_framework_simplejwt import views as simplejwt

from devices.api.formats import ProjectFormats
from devices.api.routing import endpoint

app_name = "devices-tokens"

OPEN: Final[dict[str, Any]] = {
    # NamespaceVersioning would take the namespace for a version, and answer 404.
    "versioning_class": None,
    "renderer_classes": ProjectFormats.renderer_classes,
    "parser_classes": ProjectFormats.parser_classes,
}

urlpatterns = [
    endpoint("token/refresh", simplejwt.TokenRefreshView.as_view(**OPEN), "token-refresh"),
    endpoint("token/verify", simplejwt.TokenVerifyView.as_view(**OPEN), "token-verify"),
    endpoint("token/blacklist", simplejwt.TokenBlacklistView.as_view(**OPEN), "token-blacklist"),
]
