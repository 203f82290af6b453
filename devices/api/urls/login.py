"""The login with a password, and a code of who has a second factor. Leave it out if yours asks for more."""

from rest_framework_simplejwt.views import TokenObtainPairView

from devices.api.routing import endpoint
from devices.api.urls.tokens import OPEN
from devices.api.views import DeviceCodeView

app_name = "devices-login"

urlpatterns = [
    endpoint("token/code", DeviceCodeView.as_view(), "token-code"),
    endpoint("token", TokenObtainPairView.as_view(**OPEN), "token"),
]
