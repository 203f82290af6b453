from django.urls import include, path
from rest_framework import generics, serializers
from stranger.urls import urlpatterns as given

from devices.api import serializers as ours


class SessionSerializer(serializers.Serializer):
    """Of a cinema."""

    status = serializers.ChoiceField(["open", "sold_out"])
    device_type = serializers.ChoiceField(["film", "digital"])
    revoke_reason = serializers.ChoiceField(["strike"])


class ErrorSerializer(serializers.Serializer):
    seat = serializers.CharField()


class SessionStartSerializer(ours.SessionStartSerializer):
    seat = serializers.CharField()


def view(serializer):
    return type("View", (generics.CreateAPIView,), {"serializer_class": serializer}).as_view()


urlpatterns = [
    path("screenings", view(SessionSerializer)),
    path("errors", view(ErrorSerializer)),
    path("enter", view(SessionStartSerializer)),
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    *given,
]
