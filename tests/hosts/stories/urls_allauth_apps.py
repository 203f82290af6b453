from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView
from stranger.urls import urlpatterns as given


class Orders(APIView):
    """A view of the project, opened as allauth's documents have it."""

    authentication_classes = [XSessionTokenAuthentication]

    def get(self, request):
        return Response({"user": request.user.get_username()})


urlpatterns = [
    *given,
    path("_allauth/", include("allauth.headless.urls")),
    path("orders", Orders.as_view()),
]
