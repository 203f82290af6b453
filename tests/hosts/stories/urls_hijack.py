from django.urls import include, path
from stranger.urls import urlpatterns as given

urlpatterns = [*given, path("hijack/", include("hijack.urls"))]
