"""The site with the doors for identity providers."""

from django.urls import include, path

from project.urls import urlpatterns as site

urlpatterns = [*site, path("providers/", include("devices.contrib.providers.urls"))]
