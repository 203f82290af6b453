from django.urls import include, path
from loginas.views import user_logout
from stranger.urls import urlpatterns as given

urlpatterns = [*given, path("", include("loginas.urls")), path("logout/", user_logout)]
