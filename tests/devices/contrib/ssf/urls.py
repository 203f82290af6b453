"""The site with the transmitter of shared signals."""

from django.urls import include, path

from project.urls import urlpatterns as site

urlpatterns = [
    *site,
    path("ssf/", include("devices.contrib.ssf.urls")),
    path(".well-known/", include("devices.contrib.ssf.urls.well_known")),
]
