"""What tokens are exchanged for: SimpleJWT's views at their usual paths."""

from rest_framework_simplejwt import views as simplejwt

from devices.api.routing import endpoint

urlpatterns = [
    endpoint("token/refresh", simplejwt.TokenRefreshView.as_view(), "token-refresh"),
    endpoint("token/verify", simplejwt.TokenVerifyView.as_view(), "token-verify"),
    endpoint("token/blacklist", simplejwt.TokenBlacklistView.as_view(), "token-blacklist"),
]
