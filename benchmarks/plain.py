"""Plain SimpleJWT, with rotation and its blacklist: the site that benchmarks.load runs beside ours."""

from datetime import timedelta

from django.urls import path

from .settings import *  # noqa: F403
from .settings import INSTALLED_APPS, JWT_SECRET_KEY, MIDDLEWARE

ROOT_URLCONF = __name__
INSTALLED_APPS += ["rest_framework_simplejwt.token_blacklist"]
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("devices.")]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SECRET_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
}


def __getattr__(name: str) -> object:
    # This module is also the site's URLs, which need models and so a set-up Django.
    if name != "urlpatterns":
        raise AttributeError(name)
    from rest_framework.generics import ListAPIView
    from rest_framework.serializers import ModelSerializer
    from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
    from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

    class TokenSerializer(ModelSerializer):
        class Meta:
            model = OutstandingToken
            fields = ("id", "jti", "created_at", "expires_at")

    class Tokens(ListAPIView):
        """The nearest it has to a list of where one is signed in."""

        serializer_class = TokenSerializer

        def get_queryset(self) -> object:
            tokens = OutstandingToken.objects.filter(user=self.request.user)
            return tokens.order_by("-created_at")[:20]

    return [
        path("api/token", TokenObtainPairView.as_view()),
        path("api/token/refresh", TokenRefreshView.as_view()),
        path("api/sessions", Tokens.as_view()),
    ]
