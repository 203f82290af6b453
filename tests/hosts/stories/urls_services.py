from django.urls import include, path
from stranger.urls import urlpatterns as given

urlpatterns = [
    *given,
    path("", include("devices.api.urls.oauth")),
    path("", include("devices.contrib.providers.urls")),
    path("ssf/", include("devices.contrib.ssf.urls")),
    path(".well-known/", include("devices.api.urls.well_known")),
    path(".well-known/", include("devices.contrib.ssf.urls.well_known")),
]
